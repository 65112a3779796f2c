#include "schema/model/attributes.h"

#include <array>
#include <charconv>
#include <string>

namespace leat::schema {
namespace {

Status invalid(std::string_view attribute, std::string_view value, std::string_view expected) {
  return {Code::kInvalidArgument, "attribute '" + std::string(attribute) + "' must be " +
                                      std::string(expected) + ", not \"" + std::string(value) + "\""};
}

Status apply_kind(Method& method, std::string_view value) {
  if (value == "none") {
    method.kind = CallKind::kUnary;
  } else if (value == "server") {
    method.kind = CallKind::kServerStream;
  } else if (value == "client") {
    method.kind = CallKind::kClientStream;
  } else if (value == "bidi") {
    method.kind = CallKind::kBidi;
  } else {
    return invalid("streaming", value, R"("none", "server", "client" or "bidi")");
  }
  return {};
}

Status apply_channel(Method& method, std::string_view value) {
  if (value == "stream") {
    method.channel = Channel::kStream;
  } else if (value == "rpc") {
    method.channel = Channel::kRpc;
  } else if (value == "bulk") {
    method.channel = Channel::kBulk;
  } else {
    return invalid("channel", value, R"("stream", "rpc" or "bulk")");
  }
  return {};
}

Status parse_count(std::string_view name, std::string_view value, std::uint32_t& to) {
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), to);
  if (error != std::errc() || end != value.data() + value.size() || to == 0) {
    return invalid(name, value, "a whole number from 1 to 4294967295");
  }
  return {};
}

struct TensorField {
  std::string_view name;
  BaseType base;
  BaseType element;
};
constexpr std::array<TensorField, 6> kTensorFields = {{{"dtype", BaseType::kUInt8, BaseType::kNone},
                                                       {"shape", BaseType::kVector, BaseType::kInt64},
                                                       {"order", BaseType::kUInt8, BaseType::kNone},
                                                       {"strides", BaseType::kVector, BaseType::kInt64},
                                                       {"data", BaseType::kVector, BaseType::kUInt8},
                                                       {"attachment", BaseType::kUInt32, BaseType::kNone}}};

}  // namespace

Status apply_attributes(Method& method) {
  for (const auto& [name, value] : method.attributes) {
    Status status;
    std::uint32_t count = 0;
    if (name == "streaming") {
      status = apply_kind(method, value);
    } else if (name == "channel") {
      status = apply_channel(method, value);
    } else if (name == "idempotent") {
      method.idempotent = true;
    } else if (name == "deadline_ms") {
      status = parse_count(name, value, count);
      method.deadline_ms = count;
    } else if (name == "max_inflight") {
      status = parse_count(name, value, count);
      method.max_inflight = count;
    } else if (name == "inline") {
      method.run_inline = true;
    } else if (name == "compress") {
      if (value != "auto" && value != "never") status = invalid(name, value, R"("auto" or "never")");
    }
    if (!status.ok()) return status;
  }
  if (method.idempotent && (method.kind == CallKind::kClientStream || method.kind == CallKind::kBidi)) {
    return {
        Code::kInvalidArgument,
        "attribute 'idempotent' permits a retry, which can't be had for a method that streams its requests"};
  }
  if (method.run_inline && method.kind != CallKind::kUnary) {
    return {Code::kInvalidArgument,
            "attribute 'inline' is for handlers that never wait, which one that streams does"};
  }
  return {};
}

Status check_tensor_declaration(const Schema& schema, const Table& table) {
  bool same = table.fields.size() == kTensorFields.size();
  for (std::size_t i = 0; same && i < kTensorFields.size(); ++i) {
    const Field& field = table.fields[i];
    const TensorField& wanted = kTensorFields[i];
    same = field.name == wanted.name && field.type.base == wanted.base &&
           field.type.element == wanted.element && field.default_integer == 0 && !field.required &&
           !field.deprecated;
  }
  if (same && schema.find_enum("leat.DType") != nullptr) return {};
  return {Code::kInvalidArgument,
          "table leat.Tensor is built in and must be declared by include \"leat/leat.fbs\", not otherwise"};
}

}  // namespace leat::schema
