#include "transport/intercept/client.h"

#include <deque>
#include <mutex>
#include <utility>

#include <leat/blocking.h>

#include "transport/intercept/chain.h"
#include "transport/intercept/retried_write.h"

namespace leat::transport {
namespace {

/// Hooks of one call run one after another, and a hook may want what another thread that waits for its turn
/// holds: Python's lock, which such a thread lets go of when it is told.
class Turns {
 public:
  void lock() {
    if (mutex_.try_lock()) return;
    BeforeBlocking::tell();
    mutex_.lock();
  }
  void unlock() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

Status wrong_count(std::size_t count) {
  return {Code::kInternal,
          "an interceptor answered a call that takes one reply with " + std::to_string(count) + " messages"};
}

bool one_reply(CallKind kind) noexcept { return kind == CallKind::kUnary || kind == CallKind::kClientStream; }

/// One call on its way through the interceptors: what both ways of calling share.
struct Passage {
  Passage(const Interceptors& interceptors, const MethodRef& method, const CallOptions& given,
          std::string_view peer)
      : options(given),
        details{Side::kClient,
                method.service,
                method.method,
                method.kind,
                peer,
                options.metadata,
                given.timeout ? given.timeout : method.deadline,
                given.parent},
        chain(interceptors, Side::kClient) {
    options.received = nullptr;
  }
  Passage(const Passage&) = delete;
  Passage& operator=(const Passage&) = delete;

  /// The decision of the interceptors, who have seen the request, too, if it proceeds.
  Decision start(std::optional<Payload>& request) {
    Decision decision = chain.start(details);
    options.timeout = details.timeout;
    if (decision.proceeds() && request) {
      if (Status sent = chain.send(*request); !sent.ok()) decision = Decision::refuse(std::move(sent));
    }
    if (decision.status().ok() && !decision.proceeds() && one_reply(details.kind) &&
        decision.replies().size() != 1) {
      decision = Decision::refuse(wrong_count(decision.replies().size()));
    }
    return decision;
  }

  /// A call that has not left this side.
  Status refuse(Status status) {
    Metadata trailing;
    status.mark_not_started();
    return chain.end(std::move(status), trailing);
  }

  CallOptions options;
  CallDetails details;
  HookChain chain;
};

/// One thread may write while another reads. The hooks take turns: turn_ is held while they run, and never
/// while the call waits. What it guards is changed by the reading thread alone (but for failed_), which
/// therefore looks at it without.
class InterceptedCall final : public ClientCall {
 public:
  /// For one that proceeds and for one that is answered; the texts of `method` need not live on.
  InterceptedCall(std::shared_ptr<void> alive, const Interceptors& interceptors, const MethodRef& method,
                  const CallOptions& options, std::string_view peer)
      : alive_(std::move(alive)),
        service_(method.service),
        method_(method.method),
        passage_(interceptors, named(method), options, peer) {}
  ~InterceptedCall() override {
    cancel();
    settle();
  }

  /// Fails if the call has ended before it left.
  Status begin(Caller& inner, const MethodRef& method, std::optional<Payload> request) {
    Decision decision = passage_.start(request);
    if (!decision.proceeds()) {
      if (!decision.status().ok()) return ended_with(passage_.refuse(decision.status()));
      for (Payload& reply : decision.replies()) answers_.push_back(std::move(reply));
      return {};
    }
    auto started = inner.start(method, std::move(request), passage_.options);
    if (!started) return ended_with(passage_.chain.end(std::move(started.error()), trailing_));
    inner_ = std::move(*started);
    return {};
  }

  std::optional<Payload> read() override { return seen(settled_ ? std::nullopt : next()); }
  Polled try_read() override {
    if (settled_ || !inner_) return {false, read()};
    Polled polled = inner_->try_read();
    if (polled.pending) return polled;
    return {false, seen(std::move(polled.message))};
  }

  Status write(Payload request) override {
    {
      const std::lock_guard turn(turns_);
      if (Status passed = open_for_writing(); !passed.ok()) return passed;
      if (Status passed =
              retried_.pass(request, [this](Payload& message) { return passage_.chain.send(message); });
          !passed.ok())
        return fail(std::move(passed));
    }
    return inner_->write(std::move(request));
  }
  Result<bool> try_write(Payload& request) override {
    const std::lock_guard turn(turns_);
    if (Status passed = open_for_writing(); !passed.ok()) return failure(std::move(passed));
    Result<bool> written = retried_.attempt(
        request, [this](Payload& message) { return passage_.chain.send(message); },
        [this](Payload& message) { return inner_->try_write(message); });
    if (!written && retried_.refused()) return failure(fail(written.error()));
    return written;
  }
  Status half_close() override {
    const std::lock_guard turn(turns_);
    return inner_ && !settled_ ? inner_->half_close() : Status();
  }

  Status finish() override {
    settle();
    return status_;
  }
  bool ended() override { return settled_ || !inner_ || inner_->ended(); }
  bool wait(Moment moment, Duration limit) override {
    return settled_ || !inner_ || inner_->wait(moment, limit);
  }
  void cancel() noexcept override {
    if (inner_) inner_->cancel();
  }
  void when(Moment moment, std::function<void()> notify) override {
    if (inner_) return inner_->when(moment, std::move(notify));
    notify();
  }

  const Metadata& initial_metadata() override {
    see_headers();
    return headers_;
  }
  [[nodiscard]] const Metadata& trailing_metadata() const noexcept override { return trailing_; }

 private:
  MethodRef named(MethodRef method) const {
    method.service = service_;
    method.method = method_;
    return method;
  }

  std::optional<Payload> next() {
    if (inner_) return inner_->read();
    if (answers_.empty()) return std::nullopt;
    Payload reply = std::move(answers_.front());
    answers_.pop_front();
    return reply;
  }

  /// What has come, as the user is to see it; at the end of the replies the call is over.
  std::optional<Payload> seen(std::optional<Payload> message) {
    if (settled_) return std::nullopt;
    if (message) {
      see_headers();
      if (settled_) return std::nullopt;
      const std::lock_guard turn(turns_);
      Status passed = passage_.chain.receive(*message);
      if (passed.ok()) return message;
      static_cast<void>(fail(std::move(passed)));
    }
    settle();
    return std::nullopt;
  }

  void see_headers() {
    if (std::exchange(headers_seen_, true) || !inner_) return;
    headers_ = inner_->initial_metadata();
    {
      const std::lock_guard turn(turns_);
      Status passed = passage_.chain.headers(headers_);
      if (passed.ok()) return;
      static_cast<void>(fail(std::move(passed)));
    }
    settle();
  }

  // In turn.

  Status open_for_writing() const {
    if (settled_ && !status_.ok()) return status_;
    if (settled_ || !inner_) return {Code::kCancelled, "the call was answered before all was sent"};
    return failed_;
  }

  /// The first failure of a hook is what the call ends with.
  Status fail(Status why) {
    if (failed_.ok()) failed_ = std::move(why);
    cancel();
    return failed_;
  }
  Status ended_with(Status status) {
    settled_ = true;
    status_ = status.ok() ? Status(Code::kInternal,
                                   "an interceptor replaced the failure of a call that has "
                                   "no answer by ok")
                          : std::move(status);
    return status_;
  }

  // Not in turn.

  /// The final status, as the interceptors leave it. Waits for it.
  void settle() {
    if (settled_) return;
    Status status = inner_ ? inner_->finish() : Status();
    const std::lock_guard turn(turns_);
    if (inner_) {
      if (!std::exchange(headers_seen_, true)) {
        headers_ = inner_->initial_metadata();
        if (Status passed = passage_.chain.headers(headers_); !passed.ok() && failed_.ok())
          failed_ = std::move(passed);
      }
      trailing_ = inner_->trailing_metadata();
    }
    if (!failed_.ok()) status = failed_;
    status_ = passage_.chain.end(std::move(status), trailing_);
    settled_ = true;
  }

  std::shared_ptr<void> alive_;
  const std::string service_;
  const std::string method_;
  std::unique_ptr<ClientCall> inner_;  // none: answered by an interceptor
  std::deque<Payload> answers_;
  bool headers_seen_ = false;
  Metadata headers_;

  Turns turns_;
  Passage passage_;
  RetriedWrite retried_;
  bool settled_ = false;
  Status failed_;
  Status status_;
  Metadata trailing_;
};

class InterceptingCaller final : public Caller, public std::enable_shared_from_this<InterceptingCaller> {
 public:
  InterceptingCaller(std::shared_ptr<Caller> inner, Interceptors interceptors, std::string peer)
      : inner_(std::move(inner)), interceptors_(std::move(interceptors)), peer_(std::move(peer)) {}

  Result<Payload> call(const MethodRef& method, Payload request, const CallOptions& options) override {
    Passage passage(interceptors_, method, options, peer_);
    std::optional<Payload> sent(std::move(request));
    Decision decision = passage.start(sent);
    ReceivedMetadata received;
    Result<Payload> reply = [&]() -> Result<Payload> {
      if (!decision.status().ok()) return failure(decision.status());
      if (!decision.proceeds()) return std::move(decision.replies().front());
      passage.options.received = &received;
      return inner_->call(method, std::move(*sent), passage.options);
    }();
    Status status = reply ? Status() : reply.error();
    if (!decision.status().ok()) status.mark_not_started();
    if (decision.proceeds()) {
      Status passed = passage.chain.headers(received.initial);
      if (status.ok()) status = std::move(passed);
    }
    if (status.ok()) status = passage.chain.receive(*reply);
    const bool had_reply = reply.has_value();
    status = passage.chain.end(std::move(status), received.trailing);
    if (options.received != nullptr) *options.received = std::move(received);
    if (!status.ok()) return failure(std::move(status));
    if (!had_reply) {
      return failure(Code::kInternal,
                     "an interceptor replaced the failure of a call that has no answer by ok");
    }
    return reply;
  }

  Result<std::unique_ptr<ClientCall>> start(const MethodRef& method, std::optional<Payload> request,
                                            const CallOptions& options) override {
    auto call = std::make_unique<InterceptedCall>(shared_from_this(), interceptors_, method, options, peer_);
    if (Status begun = call->begin(*inner_, method, std::move(request)); !begun.ok())
      return failure(std::move(begun));
    return call;
  }

  void post(std::function<void()> work) override { inner_->post(std::move(work)); }

 private:
  const std::shared_ptr<Caller> inner_;
  const Interceptors interceptors_;
  const std::string peer_;
};

}  // namespace

std::shared_ptr<Caller> intercept_caller(std::shared_ptr<Caller> inner, const Interceptors& interceptors,
                                         std::string peer) {
  if (interceptors.empty()) return inner;
  return std::make_shared<InterceptingCaller>(std::move(inner), interceptors, std::move(peer));
}

}  // namespace leat::transport
