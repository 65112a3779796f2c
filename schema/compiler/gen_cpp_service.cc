#include "schema/compiler/gen_cpp_service.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace leat::schema {
namespace {

// In the order of CallKind.
constexpr std::array<std::string_view, 4> kKinds = {"kUnary", "kServerStream", "kClientStream", "kBidi"};
constexpr std::array<std::string_view, 4> kServe = {"serve_unary", "serve_server_stream",
                                                    "serve_client_stream", "serve_bidi"};
// In the order of Channel.
constexpr std::array<std::string_view, 4> kChannels = {"kControl", "kStream", "kRpc", "kBulk"};

struct MethodNames {
  std::string name;
  std::string request;
  std::string request_view;
  std::string response;
  std::string response_view;
};

MethodNames names_of(const Schema& schema, const Method& method, const CppTypes& types) {
  const std::string& request = schema.tables[static_cast<std::size_t>(method.request)].name;
  const std::string& response = schema.tables[static_cast<std::size_t>(method.response)].name;
  return {.name = types.namer().method(method.name),
          .request = types.type(request),
          .request_view = types.type(request, "View"),
          .response = types.type(response),
          .response_view = types.type(response, "View")};
}

void emit_client(const Schema& schema, const Service& service, const std::string& info, Emitter& out,
                 const CppTypes& types) {
  const std::string name = types.type(service.name);
  out.need("#include <memory>");
  out.gap();
  out.doc("///", service.doc);
  out.line("/// The client's side. Cheap to copy; thread-safe.");
  out.line("class {} {{", name);
  out.line(" public:");
  out.indent();
  out.line("explicit {}(std::shared_ptr<leat::Caller> caller) noexcept : caller_(std::move(caller)) {{}}",
           name);
  out.line("[[nodiscard]] static const leat::ServiceInfo& service_info() noexcept {{ return {}; }}", info);
  for (std::size_t i = 0; i < service.methods.size(); ++i) {
    const Method& method = service.methods[i];
    const MethodNames names = names_of(schema, method, types);
    out.gap();
    out.doc("///", method.doc);
    const std::string ref = fmt::format("leat::schema::method_ref(service_info(), {})", i);
    const auto with_request = [&](std::string_view result, std::string_view call,
                                  std::string_view suffix = {}) {
      out.line("[[nodiscard]] {} {}{}(const {}& request = {{}},", result, names.name, suffix, names.request);
      out.line("    const leat::CallOptions& options = {{}}) const {{");
      out.line("  return leat::schema::{}<{}>({}caller_, {}, encode(request),", call, names.response_view,
               call == "call_unary" ? "*" : "", ref);
      out.line("      options);");
    };
    const auto with_requests = [&](std::string_view result, std::string_view call) {
      out.line("[[nodiscard]] {}<{}, {}> {}(", result, names.request, names.response_view, names.name);
      out.line("    const leat::CallOptions& options = {{}}) const {{");
      out.line("  return leat::schema::{}<{}, {}>(caller_,", call, names.request, names.response_view);
      out.line("      {}, options);", ref);
    };
    switch (method.kind) {
      case CallKind::kUnary:
        with_request("leat::Result<leat::Message<" + names.response_view + ">>", "call_unary");
        out.line("}}");
        with_request("leat::Future<leat::Message<" + names.response_view + ">>", "call_unary_async",
                     "_async");
        break;
      case CallKind::kServerStream:
        with_request("leat::Reader<" + names.response_view + ">", "call_server_stream");
        break;
      case CallKind::kClientStream: with_requests("leat::Upload", "call_client_stream"); break;
      case CallKind::kBidi: with_requests("leat::Exchange", "call_bidi"); break;
    }
    out.line("}}");
  }
  out.dedent();
  out.gap();
  out.line(" private:");
  out.line("  std::shared_ptr<leat::Caller> caller_;");
  out.line("}};");
  out.gap();
}

/// "leat::Context& context, FrameView request, leat::Writer<Frame>& out".
std::string parameters(const Method& method, const MethodNames& names) {
  const bool streams_requests = method.kind == CallKind::kClientStream || method.kind == CallKind::kBidi;
  const bool streams_replies = method.kind == CallKind::kServerStream || method.kind == CallKind::kBidi;
  std::string declared = "leat::Context& context, ";
  declared += streams_requests ? "leat::RequestReader<" + names.request_view + ">& requests"
                               : names.request_view + " request";
  if (streams_replies) {
    declared += ", leat::Writer<" + names.response + ">& out";
  }
  return declared;
}

/// `later`: the base whose unary methods may be answered after they have returned.
void emit_base(const Schema& schema, const Service& service, const std::string& info, bool later,
               Emitter& out, const CppTypes& types) {
  out.gap();
  out.doc("///", service.doc);
  if (later) {
    out.line(
        "/// The server's side for handlers that answer unary calls later, from any thread: each owns its "
        "request and");
    out.line("/// owes the answer to the responder. To answer at once is fine too. Streams are as in {}.",
             types.type(service.name, "Service"));
  } else {
    out.line(
        "/// The server's side: derive from it and give it to a server. Handlers run on several threads at "
        "once; views");
    out.line("/// of requests are valid until the handler returns.");
  }
  out.line("class {} : public leat::Service {{",
           types.type(service.name, later ? "AsyncService" : "Service"));
  out.line(" public:");
  out.indent();
  for (const Method& method : service.methods) {
    const MethodNames names = names_of(schema, method, types);
    const bool one_reply = method.kind == CallKind::kUnary || method.kind == CallKind::kClientStream;
    out.doc("///", method.doc);
    if (later && method.kind == CallKind::kUnary) {
      out.line("virtual void {}(", names.name);
      out.line("    leat::Message<{}> request, leat::Responder<{}> responder) = 0;", names.request_view,
               names.response);
      continue;
    }
    out.line("virtual {} {}(",
             one_reply ? "leat::Result<" + names.response + ">" : std::string("leat::Status"), names.name);
    out.line("    {}) = 0;", parameters(method, names));
  }
  out.gap();
  out.line("[[nodiscard]] const leat::ServiceInfo& service_info() const noexcept final {{ return {}; }}",
           info);
  const bool empty = service.methods.empty();
  out.line("leat::Status handle_call({}std::size_t method, {}leat::ServerCall& call) final {{",
           empty ? "[[maybe_unused]] " : "", empty ? "[[maybe_unused]] " : "");
  out.need("#include <cstddef>");
  out.indent();
  if (!empty) out.line("switch (method) {{");
  for (std::size_t i = 0; i < service.methods.size(); ++i) {
    const Method& method = service.methods[i];
    const MethodNames names = names_of(schema, method, types);
    const bool streams_replies = method.kind == CallKind::kServerStream || method.kind == CallKind::kBidi;
    out.line("  case {}:", i);
    if (later && method.kind == CallKind::kUnary) {
      out.line("    return leat::schema::serve_unary_async<{}, {}>(call,", names.request_view,
               names.response);
      out.line("        [this](auto&& request, auto&& responder) {{");
      out.line(
          "          {}(std::forward<decltype(request)>(request), "
          "std::forward<decltype(responder)>(responder));",
          names.name);
      out.line("        }});");
      continue;
    }
    out.line("    return leat::schema::{}<{}{}>(call,", kServe[static_cast<std::size_t>(method.kind)],
             names.request_view, streams_replies ? ", " + names.response : std::string());
    out.line("        [this](leat::Context& context, auto&&... rest) {{ return {}(context, rest...); }});",
             names.name);
  }
  if (!empty) {
    out.line("  default: break;");
    out.line("}}");
  }
  out.line("return {{leat::Code::kUnimplemented, \"{} has no such method\"}};", service.name);
  out.dedent();
  out.line("}}");
  out.dedent();
  out.line("}};");
  out.gap();
}

}  // namespace

void emit_cpp_service_info(const Schema& schema, const Service& service, const std::string& generated,
                           Emitter& out, const CppTypes& types) {
  const std::string name = types.namer().type(service.name);
  out.need("#include <chrono>");
  out.need("#include <leat/service.h>");
  out.need("#include <leat/stream.h>");
  out.gap();
  out.line("namespace {} {{", generated);
  out.gap();
  out.line("inline constexpr std::array<leat::MethodInfo, {}> k{}Methods = {{{{", service.methods.size(),
           name);
  for (const Method& method : service.methods) {
    out.line("    {{.name = \"{}\", .kind = leat::CallKind::{}, .idempotent = {},", method.name,
             kKinds[static_cast<std::size_t>(method.kind)], method.idempotent);
    std::string row;
    row += method.channel ? fmt::format(".channel = leat::Channel::{}",
                                        kChannels[static_cast<std::size_t>(*method.channel)])
                          : std::string(".channel = {}");
    row += method.deadline_ms
               ? fmt::format(", .deadline = std::chrono::milliseconds({})", *method.deadline_ms)
               : std::string(", .deadline = {}");
    if (method.max_inflight) row += fmt::format(", .max_inflight = {}", *method.max_inflight);
    if (method.run_inline) row += ", .run_inline = true";
    out.line("     {}}},", row);
  }
  out.line("}}}};");
  std::string bytes;
  for (const std::uint8_t byte : fingerprint(schema, service).bytes) bytes += fmt::format("0x{:02x}, ", byte);
  bytes.resize(bytes.size() - 2);
  out.line("inline constexpr leat::ServiceInfo k{} = {{", name);
  out.line("    .name = \"{}\",", service.name);
  out.line("    .methods = k{}Methods,", name);
  out.line("    .fingerprint = {{{{{}}}}},", bytes);
  out.line("}};");
  out.gap();
  out.line("}}  // namespace {}", generated);
  out.gap();
}

void emit_cpp_service(const Schema& schema, const Service& service, const std::string& generated,
                      Emitter& out, const CppTypes& types) {
  const std::string info = fmt::format("::{}::k{}", generated, types.namer().type(service.name));
  emit_client(schema, service, info, out, types);
  emit_base(schema, service, info, false, out, types);
  const bool unary = std::ranges::any_of(
      service.methods, [](const Method& method) { return method.kind == CallKind::kUnary; });
  if (unary) emit_base(schema, service, info, true, out, types);
}

}  // namespace leat::schema
