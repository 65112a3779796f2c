#include <leat/schema/generated.h>
#include <leat/schema/load.h>

namespace leat::schema {

const Schema& load_generated(Bytes bfbs) {
  Result<std::shared_ptr<const Schema>> schema = load(bfbs);
  // Leaked on purpose: other threads may decode messages while static objects are being destroyed.
  return *(schema ? new Schema(**schema) : new Schema());
}

Payload finish_message(Builder& out, std::uint32_t root) {
  Result<Payload> payload = out.finish(root);
  return payload ? std::move(*payload) : Payload{.codec = Codec::kFlatBuffers, .head = {}, .attachments = {}};
}

Status check_size(const Payload& message) {
  if (!message.head.empty()) return {};
  return {Code::kResourceExhausted,
          "the message is larger than 2 GiB, FlatBuffers' limit; send large arrays as leat.Tensor, which has "
          "no such "
          "limit"};
}

std::shared_ptr<leat::detail::StartedCall> start(const std::shared_ptr<Caller>& caller,
                                                 const MethodRef& method, std::optional<Payload> request,
                                                 const CallOptions& options) {
  if (request) {
    if (Status status = check_size(*request); !status.ok()) {
      auto failed = std::make_shared<leat::detail::StartedCall>();
      failed->caller = caller;
      failed->method = method;
      failed->status = std::move(status);
      return failed;
    }
  }
  return leat::detail::StartedCall::start(caller, method, std::move(request), options);
}

Status cannot_detach(const ServerCall& call) {
  return {Code::kUnimplemented, "method " + std::string(call.method()) +
                                    " is answered later, which this connection's calls don't permit"};
}

Status check_kind(const ServerCall& call, CallKind kind) {
  if (call.kind() == kind) return {};
  constexpr std::string_view kNames[] = {"unary", "server-streaming", "client-streaming", "bidirectional"};
  return {Code::kInvalidArgument,
          "method " + std::string(call.method()) + " is " +
              std::string(kNames[static_cast<std::size_t>(kind)]) +
              ", but was called as another kind; are both sides built from the same schema?"};
}

Result<Payload> read_request(ServerCall& call) {
  Result<std::optional<Payload>> request = call.read();
  if (!request) return failure(request.error());
  if (!*request) return failure(Code::kInvalidArgument, "the call ended without a request");
  return std::move(**request);
}

}  // namespace leat::schema
