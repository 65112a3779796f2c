// Decodes a schema message into whatever a Sink builds, guided by the table's description. The message is
// verified first, always. A template, so that Python objects are made directly.
//
//   struct PythonSink {
//     using Value = py::object;   // something finished
//     using Object = ...;         // a table's object in the making
//     using List = ...;           // a vector in the making
//     leat::Result<Object> begin(const Table& table);
//     // Called in the order of ids for every field that is not deprecated: set() with scalars (given or
//     default) and
//     // with what is there, absent() for strings, vectors, tables and tensors that are not in the message.
//     leat::Status set(Object& object, const Table& table, const Field& field, Value value);
//     leat::Status absent(Object& object, const Table& table, const Field& field);
//     leat::Result<Value> end(Object object, const Table& table);
//     leat::Result<Value> boolean(bool value);
//     leat::Result<Value> integer(std::int64_t value, const Enum* names);       // names: null unless an
//     enum's leat::Result<Value> unsigned_integer(std::uint64_t value, const Enum* names);
//     leat::Result<Value> real(double value);
//     leat::Result<Value> text(std::string_view value);                         // UTF-8, checked
//     leat::Result<Value> tensor(leat::Tensor value);
//     // A vector of scalars: packed little-endian elements that share the message's memory, in any
//     alignment. leat::Result<Value> scalars(BaseType element, const Enum* names, leat::Buffer packed);
//     leat::Result<List> begin_list(const Type& type, std::size_t size);        // of strings, tables or
//     tensors leat::Status push(List& list, Value value); leat::Result<Value> end_list(List list);
//   };
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>
#include <utility>

#include <leat/message.h>
#include <leat/schema/access.h>
#include <leat/schema/descriptor.h>
#include <leat/schema/encode.h>
#include <leat/schema/verify.h>
#include <leat/status.h>
#include <leat/tensor.h>

namespace leat::schema {

template <class K>
concept Sink = std::movable<typename K::Value> &&
               requires(K& sink, typename K::Object& object, typename K::List& list, typename K::Value value,
                        const Table& table, const Field& field, const Type& type, const Enum* names,
                        Tensor tensor, Buffer packed) {
                 { sink.begin(table) } -> std::same_as<Result<typename K::Object>>;
                 { sink.set(object, table, field, std::move(value)) } -> std::same_as<Status>;
                 { sink.absent(object, table, field) } -> std::same_as<Status>;
                 { sink.end(std::move(object), table) } -> std::same_as<Result<typename K::Value>>;
                 { sink.boolean(true) } -> std::same_as<Result<typename K::Value>>;
                 { sink.integer(std::int64_t{}, names) } -> std::same_as<Result<typename K::Value>>;
                 { sink.unsigned_integer(std::uint64_t{}, names) } -> std::same_as<Result<typename K::Value>>;
                 { sink.real(double{}) } -> std::same_as<Result<typename K::Value>>;
                 { sink.text(std::string_view()) } -> std::same_as<Result<typename K::Value>>;
                 { sink.tensor(std::move(tensor)) } -> std::same_as<Result<typename K::Value>>;
                 {
                   sink.scalars(BaseType::kNone, names, std::move(packed))
                 } -> std::same_as<Result<typename K::Value>>;
                 { sink.begin_list(type, std::size_t{}) } -> std::same_as<Result<typename K::List>>;
                 { sink.push(list, std::move(value)) } -> std::same_as<Status>;
                 { sink.end_list(std::move(list)) } -> std::same_as<Result<typename K::Value>>;
               };

namespace detail {

template <Sink K>
class Decoder {
 public:
  using Value = typename K::Value;
  Decoder(const Schema& schema, const Payload& payload, K& sink)
      : schema_(schema), payload_(payload), sink_(sink) {}

  Result<Value> run(const Table& table) {
    Result<Value> value = decode_table(table, follow(payload_.head.data()));
    if (!value) return failure(path_.finish(table.name, value.error()));
    return value;
  }

 private:
  Result<Value> decode_table(const Table& table, const std::byte* at) {
    if (table.is_tensor) return sink_.tensor(load_tensor(at, payload_.attachments, &payload_.head));
    Result<typename K::Object> object = sink_.begin(table);
    if (!object) return failure(object.error());
    for (const Field& field : table.fields) {
      if (field.deprecated) continue;
      if (Status status = decode_field(table, field, at, *object); !status.ok()) {
        return failure(path_.at(field.name, std::move(status)));
      }
    }
    return sink_.end(std::move(*object), table);
  }

  Status decode_field(const Table& table, const Field& field, const std::byte* at,
                      typename K::Object& object) {
    const std::byte* found = find_field(at, field.vtable_offset());
    if (found == nullptr && !is_scalar(field.type.base)) return sink_.absent(object, table, field);
    Result<Value> value = [&]() -> Result<Value> {
      if (found == nullptr) {
        const std::uint64_t bits = default_bits(field);
        return scalar(field.type.base, names_of(field.type), reinterpret_cast<const std::byte*>(&bits));
      }
      return decode_value(field.type, found);
    }();
    if (!value) return value.error();
    return sink_.set(object, table, field, std::move(*value));
  }

  Result<Value> decode_value(const Type& type, const std::byte* at) {
    if (is_scalar(type.base)) return scalar(type.base, names_of(type), at);
    at = follow(at);
    if (type.base == BaseType::kString) return sink_.text(load_text(at));
    if (type.base == BaseType::kTable) return decode_table(schema_.table_of(type), at);
    if (is_scalar(type.element)) {
      const Bytes packed = load_packed(at, inline_size(type.element));
      const auto offset = static_cast<std::size_t>(packed.data() - payload_.head.data());
      return sink_.scalars(type.element, names_of(type), payload_.head.slice(offset, packed.size()));
    }
    const std::size_t size = load_scalar<std::uint32_t>(at);
    Result<typename K::List> list = sink_.begin_list(type, size);
    if (!list) return failure(list.error());
    for (std::size_t i = 0; i < size; ++i) {
      const std::byte* element = follow(at + 4 + 4 * i);
      Result<Value> value = type.element == BaseType::kString ? sink_.text(load_text(element))
                                                              : decode_table(schema_.table_of(type), element);
      Status status = value ? sink_.push(*list, std::move(*value)) : value.error();
      if (!status.ok()) return failure(path_.at_index(i, std::move(status)));
    }
    return sink_.end_list(std::move(*list));
  }

  Result<Value> scalar(BaseType type, const Enum* names, const std::byte* at) {
    switch (type) {
      case BaseType::kBool: return sink_.boolean(load_scalar<bool>(at));
      case BaseType::kInt8: return sink_.integer(load_scalar<std::int8_t>(at), names);
      case BaseType::kUInt8: return sink_.integer(load_scalar<std::uint8_t>(at), names);
      case BaseType::kInt16: return sink_.integer(load_scalar<std::int16_t>(at), names);
      case BaseType::kUInt16: return sink_.integer(load_scalar<std::uint16_t>(at), names);
      case BaseType::kInt32: return sink_.integer(load_scalar<std::int32_t>(at), names);
      case BaseType::kUInt32: return sink_.integer(load_scalar<std::uint32_t>(at), names);
      case BaseType::kInt64: return sink_.integer(load_scalar<std::int64_t>(at), names);
      case BaseType::kUInt64: return sink_.unsigned_integer(load_scalar<std::uint64_t>(at), names);
      case BaseType::kFloat32: return sink_.real(static_cast<double>(load_scalar<float>(at)));
      default: return sink_.real(load_scalar<double>(at));
    }
  }

  const Enum* names_of(const Type& type) const { return type.is_enum() ? &schema_.enum_of(type) : nullptr; }

  const Schema& schema_;
  const Payload& payload_;
  K& sink_;
  ErrorPath path_;
};

}  // namespace detail

/// The message in `payload` as `sink` builds it. Verifies first (see verify()); fails otherwise only if the
/// sink does, with the field's path. Tensors and vectors of scalars share the payload's memory where
/// alignment permits.
template <Sink K>
[[nodiscard]] Result<typename K::Value> decode(const Schema& schema, const Table& table,
                                               const Payload& payload, K& sink, const Limits& limits = {}) {
  if (Status status = verify(schema, table, payload, limits); !status.ok()) return failure(std::move(status));
  return detail::Decoder<K>(schema, payload, sink).run(table);
}

}  // namespace leat::schema
