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

Status bad_reply(const MethodRef& method, const Status& why) {
  return {Code::kInternal, "the reply of " + std::string(method.service) + "." + std::string(method.method) +
                               " can't be read: " + why.message()};
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
