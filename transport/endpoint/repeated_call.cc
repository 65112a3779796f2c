#include "transport/endpoint/repeated_call.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <utility>

#include "transport/runtime/client_call.h"
#include "transport/runtime/clock.h"
#include "transport/runtime/parent.h"

namespace leat::transport {
namespace {

/// All attempts together. Thread-safe; its lock is taken before a connection's, and not held where anything
/// is called back.
class Attempts final : public Retried, public std::enable_shared_from_this<Attempts> {
 public:
  using Lock = std::unique_lock<std::mutex>;
  using Notify = std::function<void()>;

  Attempts(std::shared_ptr<Client> client, std::shared_ptr<void> alive, const MethodRef& method,
           std::optional<Payload> request, const CallOptions& options)
      : client_(std::move(client)),
        alive_(std::move(alive)),
        service_(method.service),
        name_(method.method),
        method_(method),
        request_(std::move(request)),
        options_(options) {
    method_.service = service_;
    method_.method = name_;
    failed_.idempotent = client_->may_repeat(method, options);
    failed_.attempts = 0;
    failed_.deadline = call::deadline_of(method, options, now());
    if (const Context* parent = parent_of(options); parent != nullptr) {
      failed_.deadline = std::min(failed_.deadline, parent->deadline());
    }
  }

  void begin(Context* parent) {
    progress();
    auto* const handler = dynamic_cast<Parent*>(parent);
    if (handler == nullptr) return;
    handler->add_child([weak = weak_from_this()](const Status& why) {
      const std::shared_ptr<Attempts> self = weak.lock();
      if (!self) return false;
      if (!why.ok()) self->cancel({why.code(), "the handler that made this call was cancelled"});
      return !self->over();
    });
  }

  void look_again() override {
    {
      const Lock lock(mutex_);
      looks_ = false;
    }
    progress();
  }

  /// Moves on as far as that needs no waiting.
  void progress() {
    std::array<Notify, 3> told;
    std::shared_ptr<ClientCall> watched;
    std::shared_ptr<ClientCall> opened;
    {
      Lock lock(mutex_);
      move_on();
      watched = to_watch(lock);
      if (settled_) told = std::exchange(watching_, {});
      opened = opened_;
    }
    if (watched) watch(*watched);
    for (std::size_t moment = 0; moment < told.size(); ++moment) {
      if (!told[moment]) continue;
      if (opened) {
        opened->when(static_cast<Moment>(moment), std::move(told[moment]));
      } else {
        told[moment]();
      }
    }
  }

  bool settled() {
    progress();
    const Lock lock(mutex_);
    return settled_;
  }

  /// Nothing will change any more.
  bool over() {
    if (!settled()) return false;
    return !opened_ || opened_->ended();
  }
  /// Of a settled call: what it has become, unless it was answered or failed here.
  [[nodiscard]] ClientCall* opened() const noexcept { return opened_.get(); }

  /// False if the limit has passed or the wait was interrupted.
  bool wait(TimePoint until) {
    while (!settled()) {
      Lock lock(mutex_);
      const std::shared_ptr<ClientCall> current = current_;
      const TimePoint again = again_;
      const bool for_connection = waits_for_connection_;
      lock.unlock();
      if (current) {
        if (!current->wait(Moment::kEnded, until == kNever ? Duration::max() : until - now())) {
          return settled();
        }
      } else {
        if (now() >= until) return false;
        if (!client_->pause(std::min(until, again), for_connection, cancelled_)) return settled();
      }
    }
    return true;
  }

  void cancel(Status why) noexcept {
    std::shared_ptr<ClientCall> current;
    {
      const Lock lock(mutex_);
      if (!settled_ && cancelled_) return;
      if (settled_ && !opened_) return;
      why_ = std::move(why);
      cancelled_ = true;
      current = settled_ ? opened_ : current_;
    }
    if (current) current->cancel();
    client_->wake();
    progress();
  }

  void when(Moment moment, Notify notify) {
    {
      const Lock lock(mutex_);
      const bool come = settled_ || (one_reply_ && moment == Moment::kWritable);
      if (!come) {
        watching_[static_cast<std::size_t>(moment)] = std::exchange(notify, nullptr);
        told_ = true;
      }
    }
    if (!notify) return progress();
    if (opened_) return opened_->when(moment, std::move(notify));
    notify();
  }

  /// For a call that takes more requests: no more will come.
  void half_close() {
    const Lock lock(mutex_);
    half_closed_ = true;
    if (opened_) static_cast<void>(opened_->half_close());
  }

  // Of a settled call.
  std::optional<Payload> take_reply() {
    const Lock lock(mutex_);
    return std::exchange(reply_, std::nullopt);
  }
  const Status& status() const noexcept { return status_; }
  const Metadata& headers() const noexcept { return headers_; }
  const Metadata& trailing() const noexcept { return trailing_; }

 private:
  void move_on() {
    while (!settled_) {
      if (current_) {
        if (!current_->ended()) return;
        collect();
      } else if (cancelled_) {
        settle(may_have_run_ ? why_ : Status(why_).mark_not_started());
      } else if ((now() < again_ && !waits_for_connection_) || !attempt()) {
        return;
      }
    }
  }

  /// The attempt that runs has ended: a unary one.
  void collect() {
    const std::shared_ptr<ClientCall> done = std::exchange(current_, nullptr);
    watched_ = false;
    reply_ = done->try_read().message;
    const bool more = reply_ && done->try_read().message;
    Status status = done->finish();
    if (status.ok() && (!reply_ || more)) {
      status = Status(Code::kInternal, reply_ ? "the server answered a unary call with more than one message"
                                              : "the server answered a unary call without a message");
    }
    headers_ = done->initial_metadata();
    trailing_ = done->trailing_metadata();
    ended(std::move(status));
  }

  /// False if there is nothing to do but to wait for a connection.
  bool attempt() {
    const Result<std::shared_ptr<Connection>> connection = client_->connection_now();
    const bool hopeless = client_->state() == PeerState::kClosed;
    if (!connection && options_.wait_for_ready && !hopeless && now() < failed_.deadline) {
      waits_for_connection_ = true;
      again_ = failed_.deadline;
      return false;
    }
    waits_for_connection_ = false;
    again_ = TimePoint();
    ++failed_.attempts;
    if (!connection) {
      Status status = connection.error();
      if (options_.wait_for_ready && !hopeless) {
        status = Status(Code::kDeadlineExceeded, status.message());
        status.mark_not_started();
      }
      ended(std::move(status));
      return true;
    }
    CallOptions left = options_;
    left.parent = nullptr;
    if (failed_.deadline != kNever) left.timeout = std::max(failed_.deadline - now(), Duration::zero());
    auto started = start_call(*connection, alive_, method_, request_, left, Ancestry::kNone);
    if (started && !one_reply_) {
      opened_ = std::move(*started);
      if (half_closed_) static_cast<void>(opened_->half_close());
      settled_ = true;
    } else if (started) {
      current_ = std::move(*started);
    } else {
      ended(std::move(started.error()));
    }
    return true;
  }

  void ended(Status status) {
    may_have_run_ = may_have_run_ || !status.not_started();
    if (cancelled_ && status.code() == Code::kCancelled) status = why_;
    const std::optional<Duration> delay =
        cancelled_ ? std::nullopt : client_->delay_before_next(failed_, status);
    if (delay) {
      reply_.reset();
      again_ = now() + *delay;
      return;
    }
    settle(std::move(status));
  }

  void settle(Status status) {
    if (may_have_run_ && status.not_started()) status.mark_not_started(false).mark_outcome_unknown();
    status_ = std::move(status);
    if (!status_.ok()) reply_.reset();
    settled_ = true;
  }

  /// What must be watched since somebody wants to be told; schedules the next look where time decides.
  std::shared_ptr<ClientCall> to_watch(const Lock& /*held*/) {
    if (settled_ || !told_) return nullptr;
    if (current_) return std::exchange(watched_, true) ? nullptr : current_;
    if (!looks_ || again_ < looks_at_) {
      looks_ = true;
      looks_at_ = again_;
      client_->look_later(weak_from_this(), again_, waits_for_connection_);
    }
    return nullptr;
  }

  void watch(ClientCall& call) {
    call.when(Moment::kEnded, [self = shared_from_this()]() mutable {
      // Starting anew takes time; the last reference must not be dropped where the connection is read.
      const std::shared_ptr<Client> client = self->client_;
      client->post([self = std::move(self)] { self->progress(); });
    });
  }

  const std::shared_ptr<Client> client_;
  const std::shared_ptr<void> alive_;
  const std::string service_;
  const std::string name_;
  MethodRef method_;
  const std::optional<Payload> request_;
  const CallOptions options_;
  const bool one_reply_ = method_.kind == CallKind::kUnary;

  std::mutex mutex_;
  call::FailedAttempt failed_;
  std::shared_ptr<ClientCall> current_;
  TimePoint again_{};  // not before this, while no attempt runs
  bool waits_for_connection_ = false;
  bool watched_ = false;  // of the attempt that runs
  bool looks_ = false;    // the client has promised to look again
  TimePoint looks_at_{};  // then
  bool told_ = false;
  bool half_closed_ = false;
  std::shared_ptr<ClientCall>
      opened_;  // of a stream: from then on this is only in between; does not change again
  bool may_have_run_ = false;
  std::atomic<bool> cancelled_{false};
  Status why_;
  std::array<Notify, 3> watching_;
  bool settled_ = false;
  std::optional<Payload> reply_;
  Status status_;
  Metadata headers_;
  Metadata trailing_;
};

class RepeatedCall final : public ClientCall {
 public:
  explicit RepeatedCall(std::shared_ptr<Attempts> attempts) : attempts_(std::move(attempts)) {}
  RepeatedCall(const RepeatedCall&) = delete;
  RepeatedCall& operator=(const RepeatedCall&) = delete;
  ~RepeatedCall() override { cancel(); }

  std::optional<Payload> read() override {
    ClientCall* const call = opened();
    return call != nullptr ? call->read() : attempts_->take_reply();
  }
  Polled try_read() override {
    if (!attempts_->settled()) return {true, std::nullopt};
    ClientCall* const call = attempts_->opened();
    return call != nullptr ? call->try_read() : Polled{false, attempts_->take_reply()};
  }
  Status write(Payload request) override {
    ClientCall* const call = opened();
    return call != nullptr ? call->write(std::move(request)) : takes_none();
  }
  Result<bool> try_write(Payload& request) override {
    if (!attempts_->settled()) return false;
    ClientCall* const call = attempts_->opened();
    return call != nullptr ? call->try_write(request) : failure(takes_none());
  }
  Status half_close() override {
    attempts_->half_close();
    return {};
  }
  Status finish() override {
    ClientCall* const call = opened();
    return call != nullptr ? call->finish() : attempts_->status();
  }
  bool ended() override { return attempts_->over(); }
  bool wait(Moment moment, Duration limit) override {
    const TimePoint until = after(limit);
    if (!attempts_->wait(until)) return false;
    ClientCall* const call = attempts_->opened();
    return call == nullptr || call->wait(moment, until == kNever ? Duration::max() : until - now());
  }
  void when(Moment moment, std::function<void()> notify) override {
    attempts_->when(moment, std::move(notify));
  }
  void cancel() noexcept override { attempts_->cancel({Code::kCancelled, "cancelled by the caller"}); }
  const Metadata& initial_metadata() override {
    ClientCall* const call = opened();
    return call != nullptr ? call->initial_metadata() : attempts_->headers();
  }
  [[nodiscard]] const Metadata& trailing_metadata() const noexcept override {
    const ClientCall* const call = attempts_->opened();
    return call != nullptr ? call->trailing_metadata() : attempts_->trailing();
  }

 private:
  [[nodiscard]] Status takes_none() const {
    if (!attempts_->status().ok()) return attempts_->status();
    return {Code::kFailedPrecondition, "a unary call has one request"};
  }
  /// Waits until the call is settled.
  ClientCall* opened() {
    while (!attempts_->wait(kNever)) attempts_->cancel({Code::kCancelled, "the caller was interrupted"});
    return attempts_->opened();
  }

  const std::shared_ptr<Attempts> attempts_;
};

}  // namespace

std::unique_ptr<ClientCall> start_repeated(std::shared_ptr<Client> client, std::shared_ptr<void> alive,
                                           const MethodRef& method, std::optional<Payload> request,
                                           const CallOptions& options) {
  auto attempts =
      std::make_shared<Attempts>(std::move(client), std::move(alive), method, std::move(request), options);
  attempts->begin(parent_of(options));
  return std::make_unique<RepeatedCall>(std::move(attempts));
}

}  // namespace leat::transport
