// Reads values without a schema and calls a sink for each node, with no tree in between. Bytes come from
// strangers: everything is checked before the sink hears of it, and a sink may trust what it is told.
//
// A sink has these, each returning false to stop (its error() then says why):
//
//   bool nil();
//   bool boolean(bool);
//   bool integer(std::int64_t);              // everything that fits
//   bool unsigned_integer(std::uint64_t);    // 2^63 and above
//   bool number(double);
//   bool text(std::string_view);             // valid UTF-8
//   bool bytes(Bytes);                       // lives as long as the payload
//   bool attached_bytes(const Buffer&);
//   bool array(const ArrayView&);
//   bool scalar(DType, Bytes element);
//   bool begin_list(std::uint32_t count);    // `count` items follow, then end()
//   bool begin_tuple(std::uint32_t count);
//   bool begin_map(std::uint32_t count);     // `count` times key, value; then end()
//   bool end();
//   Status error();
//
// A sink that reads the arguments of calls may also have this; to others such a value is malformed.
//
//   bool requests();                         // the stream of the messages that follow
//
// The sum of all counts announced so far never exceeds the bytes of the head, so a sink may reserve what it
// is told.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <leat/bytes.h>
#include <leat/message.h>
#include <leat/status.h>

#include "schema/dynamic/value_format.h"
#include "schema/dynamic/value_msgpack.h"

namespace leat::values {

/// Checks an array's payload (without the type byte) against the attachments. `shape` is where the view's
/// shape lives.
Status read_array(Bytes payload, std::span<const Buffer> attachments, std::span<std::int64_t, kMaxRank> shape,
                  ArrayView& view);
/// Checks the number of an attachment.
Result<const Buffer*> read_attached_bytes(Bytes payload, std::span<const Buffer> attachments);
/// Checks the size of a scalar.
Status read_scalar(Bytes payload, DType& dtype, Bytes& element);
bool is_text(std::string_view text) noexcept;

namespace detail {

Status malformed(std::string_view why);
Status unexpected_extension(int type);

/// What msgpack-c calls while it parses.
template <class Sink>
class Visitor {
 public:
  Visitor(Sink& sink, const Payload& payload)
      : sink_(sink), payload_(payload), budget_(payload.head.size()) {}
  [[nodiscard]] Status take_status() { return std::move(status_); }
  [[nodiscard]] bool failed() const noexcept { return !status_.ok(); }

  // NOLINTBEGIN(readability-named-parameter)
  void init() {}
  bool visit_nil() { return settle() && told(sink_.nil()); }
  bool visit_boolean(bool value) { return settle() && told(sink_.boolean(value)); }
  bool visit_positive_integer(std::uint64_t value) {
    if (!settle()) return false;
    if (value <= static_cast<std::uint64_t>(INT64_MAX))
      return told(sink_.integer(static_cast<std::int64_t>(value)));
    return told(sink_.unsigned_integer(value));
  }
  bool visit_negative_integer(std::int64_t value) { return settle() && told(sink_.integer(value)); }
  bool visit_float32(float value) { return settle() && told(sink_.number(static_cast<double>(value))); }
  bool visit_float64(double value) { return settle() && told(sink_.number(value)); }
  bool visit_str(const char* data, std::uint32_t size) {
    const std::string_view text(data, size);
    if (!is_text(text)) return fail(malformed("a text is not valid UTF-8"));
    return settle() && told(sink_.text(text));
  }
  bool visit_bin(const char* data, std::uint32_t size) {
    return settle() && told(sink_.bytes(as_bytes(std::string_view(data, size))));
  }
  bool visit_ext(const char* data, std::uint32_t size) {
    return extension(static_cast<std::int8_t>(*data), as_bytes(std::string_view(data + 1, size - 1)));
  }

  bool start_array(std::uint32_t count) {
    if (!settle() || !open(count)) return false;
    pending_ = true;  // a list or a tuple: the first item tells
    pending_count_ = count;
    return true;
  }
  bool start_array_item() { return true; }
  bool end_array_item() { return true; }
  bool end_array() { return close(); }
  bool start_map(std::uint32_t count) {
    return settle() && open(std::uint64_t{2} * count) && told(sink_.begin_map(count));
  }
  bool start_map_key() { return true; }
  bool end_map_key() { return true; }
  bool start_map_value() { return true; }
  bool end_map_value() { return true; }
  bool end_map() { return close(); }
  void parse_error(std::size_t, std::size_t) { fail(malformed("a byte that begins no value")); }
  void insufficient_bytes(std::size_t, std::size_t) { fail(malformed("the value ends early")); }
  // NOLINTEND(readability-named-parameter)

 private:
  bool fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
    return false;
  }
  bool told(bool go_on) { return go_on || fail(sink_.error()); }

  /// An array whose first item has come, or which has none, is a list.
  bool settle() {
    if (!pending_) return true;
    pending_ = false;
    return told(sink_.begin_list(pending_count_));
  }
  bool open(std::uint64_t items) {
    if (depth_ == kMaxDepth) return fail(malformed("more than 512 levels of nesting"));
    if (items > budget_)
      return fail(malformed("a container announces more items than the message has bytes"));
    budget_ -= items;
    ++depth_;
    return true;
  }
  bool close() {
    --depth_;
    return settle() && told(sink_.end());
  }

  bool extension(std::int8_t type, Bytes payload) {
    switch (static_cast<Ext>(type)) {
      case Ext::kTuple:
        if (!pending_ || !payload.empty())
          return fail(malformed("a tuple's marker stands where none may be"));
        pending_ = false;
        return told(sink_.begin_tuple(pending_count_ - 1));
      case Ext::kArray: {
        ArrayView view;
        std::array<std::int64_t, kMaxRank> shape{};
        if (Status status = read_array(payload, payload_.attachments, shape, view); !status.ok())
          return fail(std::move(status));
        return settle() && told(sink_.array(view));
      }
      case Ext::kAttachedBytes: {
        Result<const Buffer*> bytes = read_attached_bytes(payload, payload_.attachments);
        if (!bytes) return fail(bytes.error());
        return settle() && told(sink_.attached_bytes(**bytes));
      }
      case Ext::kScalar: {
        DType dtype{};
        Bytes element;
        if (Status status = read_scalar(payload, dtype, element); !status.ok())
          return fail(std::move(status));
        return settle() && told(sink_.scalar(dtype, element));
      }
      case Ext::kRequests:
        if constexpr (requires { sink_.requests(); }) {
          if (payload.empty()) return settle() && told(sink_.requests());
        }
        break;
      case Ext::kItemsFollow: break;
    }
    return fail(unexpected_extension(type));
  }

  Sink& sink_;
  const Payload& payload_;
  std::uint64_t budget_;
  std::size_t depth_ = 0;
  std::uint32_t pending_count_ = 0;
  bool pending_ = false;
  Status status_;
};

}  // namespace detail

/// Reads the one value that the payload holds. kInvalidArgument for bytes that are none, and whatever the
/// sink says. The sink may have been told of nodes before the failure.
template <class Sink>
Status read_value(const Payload& payload, Sink& sink) {
  if (payload.codec != Codec::kMessagePack) return detail::malformed("the message is in another codec");
  detail::Visitor<Sink> visitor(sink, payload);
  const std::string_view head = payload.head.text();
  std::size_t offset = 0;
  const bool parsed = msgpack::parse(head.data(), head.size(), offset, visitor);
  if (visitor.failed()) return visitor.take_status();
  if (!parsed) return detail::malformed("the value ends early");
  if (offset != head.size()) return detail::malformed("there are bytes behind the value");
  return {};
}

}  // namespace leat::values
