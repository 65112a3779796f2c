// Calls that nobody waits for: Future, the outcome of a unary call to come, and Pending, a step of a stream
// to come. Both can be awaited by any C++20 coroutine (<leat/task.h> has one to write) and both take a
// callback. What was waiting runs on a thread of Leat's where it may take its time; there it may also wait
// for other calls (get()), but not for other callbacks, which may need the thread that it occupies.
#pragma once

#include <atomic>
#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <leat/message.h>
#include <leat/service.h>
#include <leat/status.h>

namespace leat {

/// What Future and the streams are made of. Not meant to be used by hand.
namespace detail {

/// One call as its typed ends share it. `method`'s texts live as long as this (generated code's are
/// literals).
struct StartedCall {
  /// Never fails: a call that can't be started has no `call`, and `status` says why. Does not wait.
  static std::shared_ptr<StartedCall> start(std::shared_ptr<Caller> caller, const MethodRef& method,
                                            std::optional<Payload> request, const CallOptions& options);

  /// The one reply of a call that has one. Waits for the end.
  [[nodiscard]] Result<Payload> reply();
  /// The final status; drops replies that were not read. Waits for it, the first time.
  Status finish();
  void cancel() const noexcept {
    if (call) call->cancel();
  }

  std::shared_ptr<Caller> caller;
  MethodRef method;
  std::unique_ptr<ClientCall> call;
  Status status;  ///< why there is no call, why reading stopped, or the final one
  bool finished = false;
};

/// The typed end that a call belongs to: cancels it on the way out unless it has ended or was handed on.
/// Move-only.
class CallOwner {
 public:
  CallOwner() = default;
  explicit CallOwner(std::shared_ptr<StartedCall> call) noexcept : call_(std::move(call)) {}
  CallOwner(CallOwner&& other) noexcept = default;
  CallOwner& operator=(CallOwner&& other) noexcept {
    if (this == &other) return *this;
    let_go();
    call_ = std::move(other.call_);
    handed_on_ = other.handed_on_;
    return *this;
  }
  ~CallOwner() { let_go(); }

  explicit operator bool() const noexcept { return call_ != nullptr; }
  StartedCall* operator->() const noexcept { return call_.get(); }
  [[nodiscard]] const std::shared_ptr<StartedCall>& shared() const noexcept { return call_; }
  /// The call is now the others' who share it.
  void hand_on() noexcept { handed_on_ = true; }

 private:
  void let_go() noexcept {
    // The destruction of the last that holds it cancels too, and takes fewer locks.
    if (call_ && !handed_on_ && call_.use_count() > 1) call_->cancel();
  }
  std::shared_ptr<StartedCall> call_;
  bool handed_on_ = false;
};

/// Something tried now, and again whenever its moment has come. One run, by whoever awaits it or takes a
/// callback.
class Step : public std::enable_shared_from_this<Step> {
 public:
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  virtual ~Step() = default;

  /// Tries. True once done; then not again.
  [[nodiscard]] virtual bool poll() = 0;
  /// Polls on threads of Leat's until done, and calls `done` there.
  void run(std::function<void()> done);
  /// Same, and resumes the coroutine there.
  void run(std::coroutine_handle<> waiting);
  /// The coroutine that waits is going away: nothing more is done for it.
  void forget() noexcept { forgotten_.store(true, std::memory_order_release); }

 protected:
  Step(std::shared_ptr<StartedCall> call, Moment moment) noexcept : call_(std::move(call)), moment_(moment) {}
  [[nodiscard]] StartedCall& started() const noexcept { return *call_; }

 private:
  void wait();
  void advance();

  const std::shared_ptr<StartedCall> call_;
  const Moment moment_;
  std::function<void()> done_;
  std::atomic<bool> forgotten_{false};
};

template <class T>
class ValueStep : public Step {
 public:
  using Step::Step;
  std::optional<T> value;  ///< once done
};

/// Awaits a step. A coroutine that is destroyed while it waits is not resumed.
template <class T>
class StepAwaiter {
 public:
  explicit StepAwaiter(std::shared_ptr<ValueStep<T>> step) noexcept : step_(std::move(step)) {}
  StepAwaiter(const StepAwaiter&) = delete;
  StepAwaiter& operator=(const StepAwaiter&) = delete;
  ~StepAwaiter() { step_->forget(); }

  bool await_ready() { return step_->poll(); }
  void await_suspend(std::coroutine_handle<> waiting) {
    // The coroutine may run on, and this be gone, before run() returns.
    const std::shared_ptr<Step> alive = step_;
    alive->run(waiting);
  }
  T await_resume() { return std::move(*step_->value); }

 private:
  std::shared_ptr<ValueStep<T>> step_;
};

template <class T, class Callback>
void call_back(const std::shared_ptr<ValueStep<T>>& step, Callback&& callback) {
  // std::function wants to copy, and callbacks need not be able to. The step outlives the call of `done`.
  auto kept = std::make_shared<std::decay_t<Callback>>(std::forward<Callback>(callback));
  step->run([raw = step.get(), kept = std::move(kept)] { std::move (*kept)(std::move(*raw->value)); });
}

/// kInternal, naming the method: a reply that can't be read is the server's fault.
[[nodiscard]] Status bad_reply(const MethodRef& method, const Status& why);

template <class T>
struct Reply;
template <>
struct Reply<Payload> {
  static Result<Payload> take(const MethodRef& /*method*/, Payload payload) { return payload; }
};
template <class View>
struct Reply<Message<View>> {
  static Result<Message<View>> take(const MethodRef& method, Payload payload) {
    Result<Message<View>> message = View::decode(std::move(payload));
    if (!message) return failure(bad_reply(method, message.error()));
    return message;
  }
};

}  // namespace detail

/// A step of a stream to come: what next_async(), write_async() and finish_async() give. Nothing happens
/// before it is awaited or given a callback, once:
///
///   std::optional<Message<FrameView>> frame = co_await frames.next_async();
///   frames.next_async().then([](std::optional<Message<FrameView>> frame) { ... });
///
/// The stream may be moved or destroyed meanwhile; destroying it cancels the call, and a callback is told.
template <class T>
class [[nodiscard]] Pending {
 public:
  explicit Pending(std::shared_ptr<detail::ValueStep<T>> step) noexcept : step_(std::move(step)) {}

  [[nodiscard]] auto operator co_await() && { return detail::StepAwaiter<T>(std::move(step_)); }
  /// Calls `callback` with the outcome, exactly once, on a thread of Leat's.
  template <class Callback>
  void then(Callback&& callback) && {
    const std::shared_ptr<detail::ValueStep<T>> step = std::move(step_);
    detail::call_back(step, std::forward<Callback>(callback));
  }

 private:
  std::shared_ptr<detail::ValueStep<T>> step_;
};

/// The outcome of a unary call to come; T is Message<View> or Payload. The call runs from the beginning,
/// whether or not somebody waits for it. Its outcome is taken once: by get(), by then() or by co_await.
///
/// Destroying a future whose outcome nobody has taken cancels the call. Move-only. One thread at a time,
/// except cancel(). An idempotent call is made again as a blocking one is, while somebody waits for it, has
/// given a callback, or asks ready(). CallOptions::received is not filled in.
template <class T>
class [[nodiscard]] Future {
 public:
  /// Of no call; valid() is false.
  Future() = default;
  explicit Future(std::shared_ptr<detail::StartedCall> call) noexcept : call_(std::move(call)) {}
  /// True while there is an outcome to take.
  [[nodiscard]] bool valid() const noexcept { return call_ && !taken_; }
  /// True if get() would not wait.
  [[nodiscard]] bool ready() const { return !call_ || !call_->call || call_->call->ended(); }
  /// Waits for the outcome; reads from the connection meanwhile, as a blocking call does. kFailedPrecondition
  /// if it was taken before.
  [[nodiscard]] Result<T> get() {
    if (!valid()) return failure(Code::kFailedPrecondition, "this future's outcome was taken before");
    taken_ = true;
    return outcome(*call_.shared());
  }
  /// Calls `callback` with the Result<T>, exactly once, on a thread of Leat's. The future may go: the call
  /// runs on. Does nothing if the outcome was taken before.
  template <class Callback>
  void then(Callback&& callback) {
    if (!valid()) return;
    call_.hand_on();
    detail::call_back<Result<T>>(step(), std::forward<Callback>(callback));
  }
  /// Gives the Result<T>. Destroying the coroutine while it waits cancels the call.
  [[nodiscard]] auto operator co_await() { return detail::StepAwaiter<Result<T>>(step()); }

  /// Ends the call as kCancelled unless it has ended. Does not wait. Any thread.
  void cancel() noexcept {
    if (call_) call_->cancel();
  }

 private:
  class Outcome final : public detail::ValueStep<Result<T>> {
   public:
    explicit Outcome(std::shared_ptr<detail::StartedCall> call)
        : detail::ValueStep<Result<T>>(std::move(call), Moment::kEnded) {}
    bool poll() override {
      detail::StartedCall& call = this->started();
      if (call.call && call.status.ok() && !call.call->ended()) return false;
      this->value = outcome(call);
      return true;
    }
  };
  class Taken final : public detail::ValueStep<Result<T>> {
   public:
    Taken() : detail::ValueStep<Result<T>>(nullptr, Moment::kEnded) {}
    bool poll() override {
      this->value = failure(Code::kFailedPrecondition, "this future's outcome was taken before");
      return true;
    }
  };

  static Result<T> outcome(detail::StartedCall& call) {
    Result<Payload> reply = call.reply();
    if (!reply) return failure(reply.error());
    return detail::Reply<T>::take(call.method, std::move(*reply));
  }
  std::shared_ptr<detail::ValueStep<Result<T>>> step() {
    if (!valid()) return std::make_shared<Taken>();
    taken_ = true;
    return std::make_shared<Outcome>(call_.shared());
  }

  detail::CallOwner call_;
  bool taken_ = false;
};

/// Starts a unary call without a schema, or with one that only the caller knows.
[[nodiscard]] inline Future<Payload> call_async(std::shared_ptr<Caller> caller, const MethodRef& method,
                                                Payload request, const CallOptions& options = {}) {
  return Future<Payload>(detail::StartedCall::start(std::move(caller), method, std::move(request), options));
}

}  // namespace leat
