#include <algorithm>
#include <cstdint>
#include <string>

#include <leat/schema/access.h>
#include <leat/schema/encode.h>
#include <leat/schema/verify.h>

#include "core/base/utf8.h"
#include "schema/dynamic/tensor_table.h"

namespace leat::schema {
namespace {

// Offsets to vtables are signed 32-bit numbers, so FlatBuffers ends here.
constexpr std::size_t kLargestMessage = 0x7fffffff;

/// Walks the message once. Positions are bytes from the start of the head, 64 bits wide, so sums can't
/// overflow.
class Verifier {
 public:
  Verifier(const Schema& schema, const Payload& payload, const Limits& limits)
      : schema_(schema),
        payload_(payload),
        data_(payload.head.data()),
        size_(payload.head.size()),
        limits_(limits),
        visits_left_(std::max<std::uint64_t>(limits.visited_at_least,
                                             std::uint64_t{limits.visited_per_byte} * payload.head.size())) {}

  Status run(const Table& table) {
    Status status = root(table);
    if (status.ok()) return status;
    return path_.finish(table.name, std::move(status));
  }

 private:
  using Position = std::uint64_t;

  static Status invalid(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }

  template <class T>
  [[nodiscard]] T load(Position at) const {
    return load_scalar<T>(data_ + at);
  }
  [[nodiscard]] bool inside(Position at, std::uint64_t size) const {
    return at <= size_ && size <= size_ - at;
  }

  Status visit(std::uint64_t bytes) {
    if (bytes > visits_left_) {
      return {Code::kResourceExhausted,
              "the message refers to the same bytes so often that reading it would not end"};
    }
    visits_left_ -= bytes;
    return {};
  }

  Status root(const Table& table) {
    if (size_ < 8) return invalid("a message of " + std::to_string(size_) + " bytes is truncated");
    if (size_ > kLargestMessage) return invalid("a message of more than 2 GiB");
    return verify_table(table, load<std::uint32_t>(0), 1);
  }

  /// The position that the offset at `at` points to.
  Status pointee(Position at, Position& target) const {
    target = at + load<std::uint32_t>(at);
    if (target == at || !inside(target, 4)) return invalid("an offset points outside of the message");
    if (target % 4 != 0) return invalid("an offset points to a place that is not aligned");
    return {};
  }

  Status verify_table(const Table& table, Position at, std::size_t depth) {
    if (depth > limits_.depth) {
      return {Code::kResourceExhausted, "tables are nested deeper than " + std::to_string(limits_.depth)};
    }
    if (++tables_ > limits_.tables) {
      return {Code::kResourceExhausted,
              "the message has more than " + std::to_string(limits_.tables) + " tables"};
    }
    if (at % 4 != 0 || !inside(at, 4)) return invalid("the table lies outside of the message");
    const std::int64_t vtable = static_cast<std::int64_t>(at) - load<std::int32_t>(at);
    if (vtable < 0 || vtable % 2 != 0 || !inside(static_cast<Position>(vtable), 4)) {
      return invalid("the table's vtable lies outside of the message");
    }
    const auto vtable_at = static_cast<Position>(vtable);
    const auto vtable_size = load<std::uint16_t>(vtable_at);
    const auto table_size = load<std::uint16_t>(vtable_at + 2);
    if (vtable_size < 4 || vtable_size % 2 != 0 || !inside(vtable_at, vtable_size)) {
      return invalid("the table's vtable is truncated");
    }
    if (table_size < 4 || !inside(at, table_size)) return invalid("the table is truncated");
    if (Status status = visit(std::uint64_t{table_size} + vtable_size); !status.ok()) return status;

    for (const Field& field : table.fields) {
      const std::uint16_t entry = field.vtable_offset();
      const std::uint16_t offset =
          entry < vtable_size ? load<std::uint16_t>(vtable_at + entry) : std::uint16_t{0};
      Status status;
      if (offset == 0) {
        if (field.required) status = invalid("a required field is missing");
      } else {
        const std::size_t size = inline_size(field.type.base);
        if (offset < 4 || offset + size > table_size) {
          status = invalid("the field lies outside of its table");
        } else if ((at + offset) % size != 0) {
          status = invalid("the field is not aligned");
        } else if (!is_scalar(field.type.base)) {
          status = verify_content(field.type, at + offset, depth);
        }
      }
      if (!status.ok()) return path_.at(field.name, std::move(status));
    }
    return table.is_tensor ? check_tensor(data_ + at, payload_.attachments) : Status();
  }

  Status verify_content(const Type& type, Position slot, std::size_t depth) {
    Position at = 0;
    if (Status status = pointee(slot, at); !status.ok()) return status;
    if (type.base == BaseType::kString) return verify_string(at);
    if (type.base == BaseType::kTable) return verify_table(schema_.table_of(type), at, depth + 1);
    return verify_vector(type, at, depth);
  }

  Status verify_string(Position at) {
    const std::uint64_t length = load<std::uint32_t>(at);
    if (!inside(at + 4, length + 1)) return invalid("the string is truncated");
    if (load<std::uint8_t>(at + 4 + length) != 0) return invalid("the string is not terminated");
    if (Status status = visit(4 + length + 1); !status.ok()) return status;
    if (!is_utf8(load_text(data_ + at))) return invalid("the string is not valid UTF-8");
    return {};
  }

  Status verify_vector(const Type& type, Position at, std::size_t depth) {
    const std::uint64_t count = load<std::uint32_t>(at);
    const std::size_t size = inline_size(type.element);
    if (!inside(at + 4, count * size)) {
      return invalid("a vector of " + std::to_string(count) + " elements is truncated");
    }
    // An empty vector has no elements to align; flatc aligns it to the elements all the same, others may not.
    if (count != 0 && (at + 4) % size != 0) return invalid("the vector's elements are not aligned");
    if (Status status = visit(4 + count * size); !status.ok()) return status;
    if (is_scalar(type.element)) return {};
    for (std::uint64_t i = 0; i < count; ++i) {
      Position target = 0;
      Status status = pointee(at + 4 + 4 * i, target);
      if (status.ok()) {
        status = type.element == BaseType::kString ? verify_string(target)
                                                   : verify_table(schema_.table_of(type), target, depth + 1);
      }
      if (!status.ok()) return path_.at_index(i, std::move(status));
    }
    return {};
  }

  const Schema& schema_;
  const Payload& payload_;
  const std::byte* data_;
  std::uint64_t size_;
  const Limits& limits_;
  std::uint64_t visits_left_;
  std::size_t tables_ = 0;
  detail::ErrorPath path_;
};

}  // namespace

Status verify(const Schema& schema, const Table& table, const Payload& payload, const Limits& limits) {
  if (payload.codec != Codec::kFlatBuffers) {
    return {Code::kInvalidArgument, table.name + ": the message is not encoded by a schema (codec " +
                                        std::to_string(static_cast<unsigned>(payload.codec)) + ")"};
  }
  return Verifier(schema, payload, limits).run(table);
}

}  // namespace leat::schema
