#include "transport/intercept/server.h"

#include <string>
#include <utility>

#include "transport/intercept/chain.h"
#include "transport/intercept/retried_write.h"

namespace leat::transport {
namespace {

/// Used by one thread at a time, as the call that it wraps.
class InterceptedCall final : public ServerCall, public std::enable_shared_from_this<InterceptedCall> {
 public:
  InterceptedCall(const Interceptors& interceptors, std::string_view service, Metadata& metadata,
                  ServerCall& inner)
      : inner_(&inner),
        details_{Side::kServer,
                 service,
                 inner.method(),
                 inner.kind(),
                 inner.context().peer_address(),
                 metadata,
                 inner.context().remaining(),
                 &inner.context()},
        chain_(interceptors, Side::kServer) {}
  /// Only a call that was detached and let go of has not ended by now.
  ~InterceptedCall() override {
    if (detached_ && !ended_) finish(let_go_);
  }

  Status run(const std::function<Handled(ServerCall&)>& handler) {
    Decision decision = chain_.start(details_);
    if (!decision.status().ok()) return end(decision.status());
    if (decision.proceeds()) {
      Handled handled = handler(*this);
      if (!detached_) return end(std::move(handled.status));
      if (handled.raised) let_go_ = handled.status;
      return handled.status;
    }
    for (Payload& reply : decision.replies()) {
      if (Status sent = write(std::move(reply)); !sent.ok()) return end(std::move(sent));
    }
    return end({});
  }

  [[nodiscard]] Context& context() noexcept override { return inner_->context(); }
  [[nodiscard]] std::string_view method() const noexcept override { return inner_->method(); }
  [[nodiscard]] CallKind kind() const noexcept override { return inner_->kind(); }

  Result<std::optional<Payload>> read() override {
    if (!failed_.ok()) return failure(failed_);
    Result<std::optional<Payload>> request = inner_->read();
    if (!request || !*request) return request;
    if (Status passed = chain_.receive(**request); !passed.ok()) return failure(fail(std::move(passed)));
    return request;
  }
  Result<Polled> try_read() override {
    if (!failed_.ok()) return failure(failed_);
    Result<Polled> polled = inner_->try_read();
    if (!polled || !polled->message) return polled;
    if (Status passed = chain_.receive(*polled->message); !passed.ok())
      return failure(fail(std::move(passed)));
    return polled;
  }
  Status write(Payload reply) override {
    if (Status passed = pass(reply); !passed.ok()) return passed;
    return inner_->write(std::move(reply));
  }
  Status write_last(Payload reply) override {
    if (Status passed = pass(reply); !passed.ok()) return passed;
    return inner_->write_last(std::move(reply));
  }
  Result<bool> try_write(Payload& reply) override {
    if (!failed_.ok()) return failure(failed_);
    Result<bool> written = retried_.attempt(
        reply, [this](Payload& message) { return chain_.send(message); },
        [this](Payload& message) { return inner_->try_write(message); });
    if (!written && retried_.refused()) return failure(fail(written.error()));
    return written;
  }

  Status send_initial_metadata(Metadata metadata) override {
    if (!failed_.ok()) return failed_;
    if (Status passed = chain_.headers(metadata); !passed.ok()) return fail(std::move(passed));
    return inner_->send_initial_metadata(std::move(metadata));
  }
  void set_trailing_metadata(Metadata metadata) override { trailing_ = std::move(metadata); }
  void when(Moment moment, std::function<void()> notify) override { inner_->when(moment, std::move(notify)); }

  [[nodiscard]] std::shared_ptr<ServerCall> detach() override {
    keeps_ = inner_->detach();
    if (!keeps_) return nullptr;
    inner_ = keeps_.get();
    detached_ = true;
    return shared_from_this();
  }
  void finish(Status status) override {
    Status final_status = end(std::move(status));
    inner_->finish(std::move(final_status));
  }

 private:
  Status pass(Payload& reply) {
    if (!failed_.ok()) return failed_;
    Status passed = retried_.pass(reply, [this](Payload& message) { return chain_.send(message); });
    return passed.ok() ? passed : fail(std::move(passed));
  }
  Status fail(Status why) {
    if (failed_.ok()) failed_ = std::move(why);
    return failed_;
  }
  Status end(Status status) {
    if (std::exchange(ended_, true)) return status;
    if (!failed_.ok()) status = failed_;
    // Nobody gets the answer: what the interceptors are told is what the caller has.
    if (Status gone = context().cancel_reason(); !gone.ok()) status = std::move(gone);
    status = chain_.end(std::move(status), trailing_);
    if (!trailing_.empty()) inner_->set_trailing_metadata(std::move(trailing_));
    return status;
  }

  ServerCall* inner_;
  std::shared_ptr<ServerCall> keeps_;  // once detached
  CallDetails details_;
  HookChain chain_;
  RetriedWrite retried_;
  bool detached_ = false;
  bool ended_ = false;
  Status let_go_{Code::kInternal, "the call was let go of without an answer"};
  Status failed_;
  Metadata trailing_;
};

}  // namespace

Status handle_intercepted(const Interceptors& interceptors, std::string_view service, Metadata& metadata,
                          ServerCall& call, const std::function<Handled(ServerCall&)>& handler) {
  return std::make_shared<InterceptedCall>(interceptors, service, metadata, call)->run(handler);
}

}  // namespace leat::transport
