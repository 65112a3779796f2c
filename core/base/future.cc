#include <string>
#include <utility>

#include <leat/future.h>
#include <leat/stream.h>

#include "core/base/pool.h"

namespace leat::detail {

std::shared_ptr<StartedCall> StartedCall::start(std::shared_ptr<Caller> caller, const MethodRef& method,
                                                std::optional<Payload> request, const CallOptions& options) {
  auto started = std::allocate_shared<StartedCall>(PoolAllocator<StartedCall>());
  started->caller = std::move(caller);
  started->method = method;
  Result<std::unique_ptr<ClientCall>> call = started->caller->start(method, std::move(request), options);
  if (call) {
    started->call = std::move(*call);
  } else {
    started->status = std::move(call.error());
  }
  return started;
}

Result<Payload> StartedCall::reply() {
  if (!call || !status.ok()) return failure(status);
  Result<std::optional<Payload>> reply = call->only_reply();
  finished = true;
  if (!reply) {
    status = reply.error();
    return failure(status);
  }
  if (!*reply) return failure(bad_reply(method, {Code::kInternal, "the call ended without one"}));
  return std::move(**reply);
}

Status StartedCall::finish() {
  if (call && status.ok() && !std::exchange(finished, true)) status = call->finish();
  return status;
}

Status bad_reply(const MethodRef& method, const Status& why) {
  return {Code::kInternal, "the reply of " + std::string(method.service) + "." + std::string(method.method) +
                               " can't be read: " + why.message()};
}

void Step::run(std::function<void()> done) {
  done_ = std::move(done);
  wait();
}

void Step::run(std::coroutine_handle<> waiting) {
  run([waiting] { waiting.resume(); });
}

void Step::wait() {
  // What runs meanwhile may let go of all that this step holds, but not of this copy.
  const std::shared_ptr<StartedCall> alive = call_;
  auto notify = [self = shared_from_this()]() mutable {
    // The one reference moves along: the last must not be dropped here, on the thread that reads the
    // connection.
    Caller& caller = *self->call_->caller;
    caller.post([self = std::move(self)] { self->advance(); });
  };
  if (alive->call) {
    alive->call->when(moment_, std::move(notify));
  } else {
    notify();
  }
}

void Step::advance() {
  if (forgotten_.load(std::memory_order_acquire)) return;
  if (!poll()) {
    wait();
    return;
  }
  // Moved out first: it may be the end of what holds this step.
  const std::function<void()> done = std::move(done_);
  done();
}

namespace {

class Write final : public ValueStep<Status> {
 public:
  Write(std::shared_ptr<StartedCall> call, Payload payload)
      : ValueStep(std::move(call), Moment::kWritable), payload_(std::move(payload)) {}
  bool poll() override {
    if (!started().call) {
      value = started().status;
      return true;
    }
    const Result<bool> sent = started().call->try_write(payload_);
    if (sent && !*sent) return false;
    value = sent ? Status() : sent.error();
    return true;
  }

 private:
  Payload payload_;
};

/// Reads to the end, so that what nobody wants any more does not hold the other side back.
class Finish final : public ValueStep<Status> {
 public:
  explicit Finish(std::shared_ptr<StartedCall> call) : ValueStep(std::move(call), Moment::kReadable) {}
  bool poll() override {
    StartedCall& of = started();
    while (of.call && of.status.ok() && !of.finished) {
      const Polled polled = of.call->try_read();
      if (polled.pending) return false;
      if (!polled.message) break;
    }
    value = of.finish();
    return true;
  }
};

}  // namespace

Pending<Status> write_later(std::shared_ptr<StartedCall> call, Payload payload) {
  return Pending<Status>(std::make_shared<Write>(std::move(call), std::move(payload)));
}

Pending<Status> finish_later(std::shared_ptr<StartedCall> call) {
  return Pending<Status>(std::make_shared<Finish>(std::move(call)));
}

}  // namespace leat::detail
