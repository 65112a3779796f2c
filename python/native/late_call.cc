#include "late_call.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace leat::python {
namespace {

constexpr std::array kMoments = {Moment::kReadable, Moment::kWritable, Moment::kEnded};

/// What the call and the thread that starts it share.
class Start {
 public:
  /// The started call, or why it could not be.
  void settle(Result<std::unique_ptr<ClientCall>> started) {
    std::array<std::function<void()>, kMoments.size()> watchers;
    {
      const std::lock_guard lock(mutex_);
      if (settled_) return;  // cancelled meanwhile; what was started ends with this
      settled_ = true;
      if (started) {
        call_ = std::move(*started);
        if (half_closed_) (void)call_->half_close();
      } else {
        failure_ = started.error();
      }
      std::swap(watchers, watchers_);
    }
    changed_.notify_all();
    for (const Moment moment : kMoments) {
      std::function<void()>& notify = watchers[static_cast<std::size_t>(moment)];
      if (notify) when(moment, std::move(notify));
    }
  }

  [[nodiscard]] bool settled() const {
    const std::lock_guard lock(mutex_);
    return settled_;
  }
  /// Null if it could not be started.
  ClientCall* wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return settled_; });
    return call_.get();
  }
  bool wait_for(Duration limit) {
    std::unique_lock lock(mutex_);
    if (limit > std::chrono::hours(24)) return changed_.wait(lock, [this] { return settled_; }), true;
    return changed_.wait_for(lock, limit, [this] { return settled_; });
  }
  [[nodiscard]] const Status& failure() const noexcept { return failure_; }  ///< once settled
  void half_close() {
    std::unique_lock lock(mutex_);
    half_closed_ = true;
    if (!call_) return;
    lock.unlock();
    (void)call_->half_close();
  }
  void when(Moment moment, std::function<void()> notify) {
    {
      const std::lock_guard lock(mutex_);
      if (!settled_) {
        watchers_[static_cast<std::size_t>(moment)] = std::move(notify);
        return;
      }
    }
    if (call_) return call_->when(moment, std::move(notify));
    notify();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool settled_ = false;  // from then on the two below stay as they are
  std::unique_ptr<ClientCall> call_;
  Status failure_;
  bool half_closed_ = false;
  std::array<std::function<void()>, kMoments.size()> watchers_;
};

class LateCall final : public ClientCall {
 public:
  explicit LateCall(std::shared_ptr<Start> start) : start_(std::move(start)) {}
  LateCall(const LateCall&) = delete;
  LateCall& operator=(const LateCall&) = delete;
  ~LateCall() override { cancel(); }

  std::optional<Payload> read() override {
    ClientCall* call = start_->wait();
    return call == nullptr ? std::nullopt : call->read();
  }
  Status write(Payload request) override {
    ClientCall* call = start_->wait();
    return call == nullptr ? start_->failure() : call->write(std::move(request));
  }
  Status half_close() override {
    start_->half_close();
    return {};
  }
  Status finish() override {
    ClientCall* call = start_->wait();
    return call == nullptr ? start_->failure() : call->finish();
  }
  void cancel() noexcept override {
    start_->settle(leat::failure(Code::kCancelled, "the call was cancelled before it could begin"));
    if (ClientCall* call = start_->wait()) call->cancel();
  }
  const Metadata& initial_metadata() override {
    ClientCall* call = start_->wait();
    return call == nullptr ? none_ : call->initial_metadata();
  }
  [[nodiscard]] const Metadata& trailing_metadata() const noexcept override {
    const ClientCall* call = start_->wait();
    return call == nullptr ? none_ : call->trailing_metadata();
  }

  Polled try_read() override {
    if (!start_->settled()) return {true, std::nullopt};
    ClientCall* call = start_->wait();
    return call == nullptr ? Polled() : call->try_read();
  }
  Result<bool> try_write(Payload& request) override {
    if (!start_->settled()) return false;
    ClientCall* call = start_->wait();
    if (call == nullptr) return leat::failure(start_->failure());
    return call->try_write(request);
  }
  [[nodiscard]] bool ended() override {
    if (!start_->settled()) return false;
    ClientCall* call = start_->wait();
    return call == nullptr || call->ended();
  }
  bool wait(Moment moment, Duration limit) override {
    const auto began = std::chrono::steady_clock::now();
    if (!start_->wait_for(limit)) return false;
    ClientCall* call = start_->wait();
    if (call == nullptr) return true;
    const Duration spent = std::chrono::steady_clock::now() - began;
    return call->wait(moment, limit == Duration::max() ? limit : std::max(limit - spent, Duration::zero()));
  }
  void when(Moment moment, std::function<void()> notify) override { start_->when(moment, std::move(notify)); }

 private:
  std::shared_ptr<Start> start_;
  Metadata none_;
};

}  // namespace

Result<std::unique_ptr<ClientCall>> start_without_waiting(const Target& target, const MethodRef& method,
                                                          std::optional<Payload> first,
                                                          const CallOptions& options) {
  // Unary calls wait without a thread by themselves.
  if (!options.wait_for_ready || method.kind == CallKind::kUnary)
    return target.caller->start(method, std::move(first), options);
  CallOptions at_once = options;
  at_once.wait_for_ready = false;
  Result<std::unique_ptr<ClientCall>> started = target.caller->start(method, first, at_once);
  if (started || started.error().code() != Code::kUnavailable) return started;

  CallOptions later = options;
  if (later.parent != nullptr) {  // which need not live so long
    const std::optional<Duration> left = later.parent->remaining();
    if (left) later.timeout = std::min(later.timeout.value_or(method.deadline.value_or(*left)), *left);
    later.parent = nullptr;
  }
  auto start = std::make_shared<Start>();
  std::thread([start, target, kind = method.kind, first = std::move(first),
               later = std::move(later)]() mutable {
    MethodRef late = target.method->ref();
    late.kind = kind;
    method_being_called() = target.method.get();
    start->settle(target.caller->start(late, std::move(first), later));
  }).detach();
  return std::make_unique<LateCall>(std::move(start));
}

}  // namespace leat::python
