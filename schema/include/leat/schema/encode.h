// Encodes whatever a Source can show as a schema message, guided by the table's description. A template, so
// that Python objects (or any tree) are read where they are, without a copy in between.
//
// A Source is a set of small functions over values that it defines itself:
//
//   struct PythonSource {
//     using Value = py::handle;
//     // The field's value, or nullopt if the object has none (the default is then meant).
//     leat::Result<std::optional<Value>> field(Value object, const Table& table, const Field& field);
//     leat::Result<bool> boolean(Value value);
//     // `names` is the enum's description if the field is an enum's, for sources that accept names; else
//     null. leat::Result<std::int64_t> integer(Value value, const Enum* names); leat::Result<std::uint64_t>
//     unsigned_integer(Value value, const Enum* names);   // uint64 alone leat::Result<double> real(Value
//     value); leat::Result<std::string_view> text(Value value);       // UTF-8, valid until encode() returns
//     leat::Result<std::size_t> size(Value vector);
//     leat::Result<Value> element(Value vector, std::size_t i);
//     // A vector of scalars as packed little-endian elements of exactly that type, valid until encode()
//     returns;
//     // nullopt: not available like that, take it element by element.
//     leat::Result<std::optional<leat::Bytes>> packed(Value vector, BaseType element);
//     leat::Result<leat::Tensor> tensor(Value value);
//   };
//
// Errors say what is wrong with the value ("expected a number, got str"); the encoder puts the field's path
// before.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <leat/schema/builder.h>
#include <leat/schema/descriptor.h>
#include <leat/status.h>
#include <leat/tensor.h>

namespace leat::schema {

template <class S>
concept Source = std::movable<typename S::Value> &&
                 requires(S& source, const typename S::Value& value, const Table& table, const Field& field,
                          const Enum* names, BaseType element, std::size_t i) {
                   {
                     source.field(value, table, field)
                   } -> std::same_as<Result<std::optional<typename S::Value>>>;
                   { source.boolean(value) } -> std::same_as<Result<bool>>;
                   { source.integer(value, names) } -> std::same_as<Result<std::int64_t>>;
                   { source.unsigned_integer(value, names) } -> std::same_as<Result<std::uint64_t>>;
                   { source.real(value) } -> std::same_as<Result<double>>;
                   { source.text(value) } -> std::same_as<Result<std::string_view>>;
                   { source.size(value) } -> std::same_as<Result<std::size_t>>;
                   { source.element(value, i) } -> std::same_as<Result<typename S::Value>>;
                   { source.packed(value, element) } -> std::same_as<Result<std::optional<Bytes>>>;
                   { source.tensor(value) } -> std::same_as<Result<Tensor>>;
                 };

/// Nesting beyond this is refused on both sides; it also ends the walk over an object that contains itself.
inline constexpr std::size_t kDepthLimit = 64;

namespace detail {

/// kOk if the integer fits the type, else an error naming both.
[[nodiscard]] Status check_range(std::int64_t value, BaseType type);
/// The bits that a table or vector holds for a float32 or float64.
[[nodiscard]] std::uint64_t real_bits(double value, BaseType type) noexcept;
/// The bits of a scalar field's default.
[[nodiscard]] std::uint64_t default_bits(const Field& field) noexcept;
/// The low inline_size(type) bytes of an integer.
[[nodiscard]] std::uint64_t integer_bits(std::int64_t value, BaseType type) noexcept;
/// kInvalidArgument for text that is not UTF-8.
[[nodiscard]] Status check_text(std::string_view text);

/// The path to what is wrong, put together from the inside out while an error travels up.
class ErrorPath {
 public:
  Status at(std::string_view segment, Status error) {
    if (!path_.empty() && path_.front() != '[') path_.insert(0, ".");
    path_.insert(0, segment);
    return error;
  }
  Status at_index(std::size_t i, Status error) { return at("[" + std::to_string(i) + "]", std::move(error)); }
  /// The error with "imaging.Frame.path: " before its message.
  [[nodiscard]] Status finish(std::string_view table, Status error) const {
    std::string where(table);
    if (!path_.empty() && path_.front() != '[') where += '.';
    where += path_;
    return error.with_context(where);
  }

 private:
  std::string path_;
};

template <Source S>
class Encoder {
 public:
  using Value = typename S::Value;
  Encoder(const Schema& schema, S& source, const EncodeOptions& options)
      : schema_(schema), source_(source), out_(options) {}

  Result<Payload> run(const Table& table, const Value& value) {
    Result<std::uint32_t> root = encode_table(table, value, 1);
    if (!root) return failure(path_.finish(table.name, root.error()));
    return out_.finish(*root);
  }

 private:
  /// A field whose content is written behind the table.
  struct Pending {
    Value value;
    std::size_t field;
    std::string_view text;
  };

  Result<std::uint32_t> encode_table(const Table& table, const Value& value, std::size_t depth) {
    if (depth > kDepthLimit) {
      return failure(Code::kInvalidArgument, "tables are nested deeper than " + std::to_string(kDepthLimit) +
                                                 " (does an object contain itself?)");
    }
    if (table.is_tensor) {
      Result<Tensor> tensor = source_.tensor(value);
      if (!tensor) return failure(tensor.error());
      return out_.tensor(*tensor);
    }
    // One stack for the slots and one for what is pending, shared by all tables under way: no allocation per
    // table.
    const std::size_t first_slot = slots_.size();
    const std::size_t first_pending = pending_.size();
    slots_.resize(first_slot + table.fields.size());
    for (std::size_t i = 0; i < table.fields.size(); ++i) {
      if (Status status = prepare(table, value, i, slots_[first_slot + i]); !status.ok()) {
        return failure(path_.at(table.fields[i].name, std::move(status)));
      }
    }
    const std::uint32_t at = out_.table(std::span(slots_).subspan(first_slot));
    for (std::size_t i = first_pending; i < pending_.size(); ++i) {
      const Pending pending = std::move(pending_[i]);
      Result<std::uint32_t> target = encode_content(table.fields[pending.field].type, pending, depth);
      if (!target) return failure(path_.at(table.fields[pending.field].name, target.error()));
      out_.point(slots_[first_slot + pending.field].at, *target);
    }
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(first_pending), pending_.end());
    slots_.resize(first_slot);
    return at;
  }

  /// Fills in a field's slot: a scalar's bits, or an offset with its content left pending.
  Status prepare(const Table& table, const Value& object, std::size_t index, Slot& slot) {
    const Field& field = table.fields[index];
    if (field.deprecated) return {};
    Result<std::optional<Value>> value = source_.field(object, table, field);
    if (!value) return value.error();
    if (!*value)
      return field.required ? Status(Code::kInvalidArgument, "a required field is missing") : Status();
    if (is_scalar(field.type.base)) {
      Result<std::uint64_t> bits = scalar(**value, field.type.base, names_of(field.type));
      if (!bits) return bits.error();
      if (*bits == default_bits(field)) return {};
      slot.bits = *bits;
      slot.size = static_cast<std::uint8_t>(inline_size(field.type.base));
      return {};
    }
    std::string_view text;
    bool empty = false;
    if (field.type.base == BaseType::kString) {
      Result<std::string_view> content = source_.text(**value);
      if (!content) return content.error();
      if (Status status = check_text(*content); !status.ok()) return status;
      text = *content;
      empty = text.empty();
    } else if (field.type.base == BaseType::kVector) {
      Result<std::size_t> size = source_.size(**value);
      if (!size) return size.error();
      empty = *size == 0;
    }
    if (empty && !field.required) return {};
    slot.size = 4;
    pending_.push_back({std::move(**value), index, text});
    return {};
  }

  Result<std::uint32_t> encode_content(const Type& type, const Pending& pending, std::size_t depth) {
    if (type.base == BaseType::kString) return out_.string(pending.text);
    if (type.base == BaseType::kTable) return encode_table(schema_.table_of(type), pending.value, depth + 1);
    return is_scalar(type.element) ? encode_scalars(type, pending.value)
                                   : encode_offsets(type, pending.value, depth);
  }

  Result<std::uint32_t> encode_scalars(const Type& type, const Value& vector) {
    const std::size_t size = inline_size(type.element);
    Result<std::optional<Bytes>> packed = source_.packed(vector, type.element);
    if (!packed) return failure(packed.error());
    if (*packed) return out_.scalars(size, **packed);
    Result<std::size_t> count = source_.size(vector);
    if (!count) return failure(count.error());
    const std::uint32_t at = out_.scalars(size, *count);
    std::byte* to = out_.elements(at);
    for (std::size_t i = 0; i < *count && to != nullptr; ++i, to += size) {
      Result<Value> element = source_.element(vector, i);
      if (!element) return failure(path_.at_index(i, element.error()));
      Result<std::uint64_t> bits = scalar(*element, type.element, names_of(type));
      if (!bits) return failure(path_.at_index(i, bits.error()));
      std::memcpy(to, &*bits, size);
    }
    return at;
  }

  Result<std::uint32_t> encode_offsets(const Type& type, const Value& vector, std::size_t depth) {
    Result<std::size_t> count = source_.size(vector);
    if (!count) return failure(count.error());
    const std::uint32_t at = out_.offsets(*count);
    for (std::size_t i = 0; i < *count; ++i) {
      Result<Value> element = source_.element(vector, i);
      if (!element) return failure(path_.at_index(i, element.error()));
      Result<std::uint32_t> target = type.element == BaseType::kString
                                         ? encode_text(*element)
                                         : encode_table(schema_.table_of(type), *element, depth + 1);
      if (!target) return failure(path_.at_index(i, target.error()));
      out_.point(Builder::element(at, i), *target);
    }
    return at;
  }

  Result<std::uint32_t> encode_text(const Value& value) {
    Result<std::string_view> text = source_.text(value);
    if (!text) return failure(text.error());
    if (Status status = check_text(*text); !status.ok()) return failure(std::move(status));
    return out_.string(*text);
  }

  Result<std::uint64_t> scalar(const Value& value, BaseType type, const Enum* names) {
    if (type == BaseType::kBool) {
      Result<bool> truth = source_.boolean(value);
      if (!truth) return failure(truth.error());
      return *truth ? 1 : 0;
    }
    if (is_float(type)) {
      Result<double> real = source_.real(value);
      if (!real) return failure(real.error());
      return real_bits(*real, type);
    }
    if (type == BaseType::kUInt64) return source_.unsigned_integer(value, names);
    Result<std::int64_t> integer = source_.integer(value, names);
    if (!integer) return failure(integer.error());
    if (Status status = check_range(*integer, type); !status.ok()) return failure(std::move(status));
    return integer_bits(*integer, type);
  }

  const Enum* names_of(const Type& type) const { return type.is_enum() ? &schema_.enum_of(type) : nullptr; }

  const Schema& schema_;
  S& source_;
  Builder out_;
  std::vector<Slot> slots_;
  std::vector<Pending> pending_;
  ErrorPath path_;
};

}  // namespace detail

/// `value`, as `source` shows it, as a message of `table`, which belongs to `schema`. Large tensors become
/// attachments. kInvalidArgument with the path of the value that does not fit; kResourceExhausted past 2 GiB.
template <Source S>
[[nodiscard]] Result<Payload> encode(const Schema& schema, const Table& table, S& source,
                                     const typename S::Value& value, const EncodeOptions& options = {}) {
  return detail::Encoder<S>(schema, source, options).run(table, value);
}

}  // namespace leat::schema
