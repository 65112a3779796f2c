// All that code written by `leatc --cpp` needs at run time. Not meant to be used by hand; what of it shows up
// in generated signatures is documented where it is declared: VectorView, Future, RequestReader, Upload,
// Exchange, Responder, Box.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <leat/future.h>
#include <leat/message.h>
#include <leat/schema/access.h>
#include <leat/schema/descriptor.h>
#include <leat/schema/fields.h>
#include <leat/schema/request_streams.h>
#include <leat/schema/responder.h>
#include <leat/schema/verify.h>
#include <leat/schema/views.h>
#include <leat/service.h>
#include <leat/status.h>
#include <leat/stream.h>

namespace leat::schema {

/// The schema that generated code carries. It was written by leatc, so a failure to load means that the
/// program was built from mismatched parts: it is reported on the first use by a schema without tables. Never
/// destroyed.
[[nodiscard]] const Schema& load_generated(Bytes bfbs);

/// Checks and wraps a received message.
template <class View>
[[nodiscard]] Result<Message<View>> decode_view(const Schema& schema, std::string_view table,
                                                Payload payload) {
  const Table* description = schema.find_table(table);
  if (description == nullptr) {
    return failure(Code::kInternal,
                   std::string(table) + ": generated code and the linked Leat do not fit together");
  }
  if (Status status = verify(schema, *description, payload); !status.ok()) return failure(std::move(status));
  const View view(TableView::root(payload));
  return Message<View>(std::move(payload), view);
}

/// The i-th method of a service, as a client calls it.
[[nodiscard]] constexpr MethodRef method_ref(const ServiceInfo& service, std::size_t i) {
  const MethodInfo& method = service.methods[i];
  return {.service = service.name,
          .method = method.name,
          .kind = method.kind,
          .idempotent = method.idempotent,
          .channel = method.channel,
          .deadline = method.deadline};
}

/// Starts a call whose typed end is given out at once; a request that finish_message() gave up on fails
/// there.
[[nodiscard]] std::shared_ptr<leat::detail::StartedCall> start(const std::shared_ptr<Caller>& caller,
                                                               const MethodRef& method,
                                                               std::optional<Payload> request,
                                                               const CallOptions& options);
/// kInvalidArgument unless the call was opened as the method's kind.
[[nodiscard]] Status check_kind(const ServerCall& call, CallKind kind);
/// For a stand-in whose calls must be answered when the handler returns.
[[nodiscard]] Status cannot_detach(const ServerCall& call);
/// The request of a call that has exactly one.
[[nodiscard]] Result<Payload> read_request(ServerCall& call);

/// Client side.
template <class View>
[[nodiscard]] Result<Message<View>> call_unary(Caller& caller, const MethodRef& method, Payload request,
                                               const CallOptions& options) {
  if (Status status = check_size(request); !status.ok()) return failure(std::move(status));
  Result<Payload> reply = caller.call(method, std::move(request), options);
  if (!reply) return failure(reply.error());
  Result<Message<View>> message = View::decode(std::move(*reply));
  if (!message) return failure(leat::detail::bad_reply(method, message.error()));
  return message;
}
template <class View>
[[nodiscard]] Future<Message<View>> call_unary_async(const std::shared_ptr<Caller>& caller,
                                                     const MethodRef& method, Payload request,
                                                     const CallOptions& options) {
  return Future<Message<View>>(start(caller, method, std::move(request), options));
}
template <class View>
[[nodiscard]] Reader<View> call_server_stream(const std::shared_ptr<Caller>& caller, const MethodRef& method,
                                              Payload request, const CallOptions& options) {
  return Reader<View>(start(caller, method, std::move(request), options));
}
template <class M, class View>
[[nodiscard]] Upload<M, View> call_client_stream(const std::shared_ptr<Caller>& caller,
                                                 const MethodRef& method, const CallOptions& options) {
  return Upload<M, View>(start(caller, method, std::nullopt, options));
}
template <class M, class View>
[[nodiscard]] Exchange<M, View> call_bidi(const std::shared_ptr<Caller>& caller, const MethodRef& method,
                                          const CallOptions& options) {
  return Exchange<M, View>(start(caller, method, std::nullopt, options));
}

/// Server side: each reads what the kind of call gives, runs the handler and sends what it returns.
template <class View, class Handler>
Status serve_unary(ServerCall& call, Handler&& handler) {
  if (Status status = check_kind(call, CallKind::kUnary); !status.ok()) return status;
  Result<Payload> request = read_request(call);
  if (!request) return request.error();
  Result<Message<View>> message = View::decode(std::move(*request));
  if (!message) return message.error();
  auto reply = std::forward<Handler>(handler)(call.context(), message->view());
  if (!reply) return reply.error();
  Payload payload = encode(*reply);
  if (Status status = check_size(payload); !status.ok()) return status;
  return call.write(std::move(payload));
}
/// The same for a handler that takes its request and a Responder, and may answer later.
template <class View, class M, class Handler>
Status serve_unary_async(ServerCall& call, Handler&& handler) {
  if (Status status = check_kind(call, CallKind::kUnary); !status.ok()) return status;
  Result<Payload> request = read_request(call);
  if (!request) return request.error();
  Result<Message<View>> message = View::decode(std::move(*request));
  if (!message) return message.error();
  std::shared_ptr<ServerCall> later = call.detach();
  if (!later) return cannot_detach(call);
  std::forward<Handler>(handler)(std::move(*message), Responder<M>(std::move(later)));
  return {};
}
template <class View, class M, class Handler>
Status serve_server_stream(ServerCall& call, Handler&& handler) {
  if (Status status = check_kind(call, CallKind::kServerStream); !status.ok()) return status;
  Result<Payload> request = read_request(call);
  if (!request) return request.error();
  Result<Message<View>> message = View::decode(std::move(*request));
  if (!message) return message.error();
  Writer<M> out(call);
  return std::forward<Handler>(handler)(call.context(), message->view(), out);
}
template <class View, class Handler>
Status serve_client_stream(ServerCall& call, Handler&& handler) {
  if (Status status = check_kind(call, CallKind::kClientStream); !status.ok()) return status;
  RequestReader<View> requests(call);
  auto reply = std::forward<Handler>(handler)(call.context(), requests);
  if (!reply) return reply.error();
  Payload payload = encode(*reply);
  if (Status status = check_size(payload); !status.ok()) return status;
  return call.write(std::move(payload));
}
template <class View, class M, class Handler>
Status serve_bidi(ServerCall& call, Handler&& handler) {
  if (Status status = check_kind(call, CallKind::kBidi); !status.ok()) return status;
  RequestReader<View> requests(call);
  Writer<M> out(call);
  return std::forward<Handler>(handler)(call.context(), requests, out);
}

}  // namespace leat::schema
