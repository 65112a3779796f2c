// A client and a service in one thread, without a connection: for the tests of generated code.
#pragma once

#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <leat/service.h>

namespace leat::schema {

class LocalContext final : public Context {
 public:
  [[nodiscard]] TimePoint deadline() const noexcept override { return kNever; }
  [[nodiscard]] std::optional<Duration> remaining() const noexcept override { return std::nullopt; }
  [[nodiscard]] bool cancelled() const noexcept override { return false; }
  [[nodiscard]] const Metadata& metadata() const noexcept override { return metadata_; }
  [[nodiscard]] std::string_view peer_address() const noexcept override { return "local"; }

 private:
  Metadata metadata_;
};

/// What both ends of one call share.
struct LocalCall final : ServerCall {
  LocalCall(std::string_view method_name, CallKind call_kind) : name(method_name), opened_as(call_kind) {}

  [[nodiscard]] Context& context() noexcept override { return surroundings; }
  [[nodiscard]] std::string_view method() const noexcept override { return name; }
  [[nodiscard]] CallKind kind() const noexcept override { return opened_as; }
  Result<std::optional<Payload>> read() override {
    if (requests.empty()) return std::nullopt;
    Payload payload = std::move(requests.front());
    requests.pop_front();
    return payload;
  }
  Status write(Payload reply) override {
    replies.push_back(std::move(reply));
    return {};
  }
  std::optional<Payload> read_reply() {
    if (replies.empty()) return std::nullopt;
    Payload payload = std::move(replies.front());
    replies.pop_front();
    return payload;
  }
  /// Whoever made the call waits for the answer; nothing is told of an answer that never comes.
  std::shared_ptr<ServerCall> detach() override {
    detached = true;
    return {std::shared_ptr<void>(), this};
  }
  void finish(Status status) override { ended.set_value(std::move(status)); }
  Status send_initial_metadata(Metadata /*metadata*/) override { return {}; }
  void set_trailing_metadata(Metadata /*metadata*/) override {}

  std::string name;
  CallKind opened_as;
  LocalContext surroundings;
  std::deque<Payload> requests;
  std::deque<Payload> replies;
  bool detached = false;
  std::promise<Status> ended;
};

class LocalCaller final : public Caller {
 public:
  explicit LocalCaller(std::shared_ptr<leat::Service> service) : service_(std::move(service)) {}

  Result<Payload> call(const MethodRef& method, Payload request, const CallOptions& /*options*/) override {
    LocalCall call(method.method, method.kind);
    call.requests.push_back(std::move(request));
    if (Status status = run(call); !status.ok()) return failure(std::move(status));
    return std::move(call.replies.front());
  }
  Result<std::unique_ptr<ClientCall>> start(const MethodRef& method, std::optional<Payload> request,
                                            const CallOptions& /*options*/) override {
    auto call = std::make_unique<End>(*this, method.method, method.kind);
    if (request) {
      call->call.requests.push_back(std::move(*request));
      (void)call->half_close();
    }
    return call;
  }

 private:
  /// Collects requests until the half-close, and runs the handler then.
  struct End final : ClientCall {
    End(LocalCaller& owner, std::string_view method, CallKind kind) : caller(owner), call(method, kind) {}
    std::optional<Payload> read() override { return call.read_reply(); }
    Status write(Payload request) override {
      call.requests.push_back(std::move(request));
      return {};
    }
    Status half_close() override {
      status = caller.run(call);
      return {};
    }
    Status finish() override { return status; }
    void cancel() noexcept override {}
    const Metadata& initial_metadata() override { return metadata; }
    [[nodiscard]] const Metadata& trailing_metadata() const noexcept override { return metadata; }

    LocalCaller& caller;
    LocalCall call;
    Status status;
    Metadata metadata;
  };

  Status run(LocalCall& call) {
    const std::optional<std::size_t> method = service_->find_method(call.name);
    if (!method) return {Code::kUnimplemented, "no such method"};
    Status status = service_->handle_call(*method, call);
    return call.detached ? call.ended.get_future().get() : status;
  }

  std::shared_ptr<leat::Service> service_;
};

}  // namespace leat::schema
