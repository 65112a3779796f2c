// Writes values without a schema, one call per node, straight from whatever the caller walks: Python objects,
// a tree.
//
//   ValueWriter out;
//   out.begin_list(2);
//   out.integer(1);
//   out.text("two");
//   Payload payload = std::move(out).finish();
//
// The caller keeps the counts that it announces. What can't be written (a string above 4 GiB) gives a status
// and writes nothing; the caller knows the path to it.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include <leat/bytes.h>
#include <leat/message.h>
#include <leat/status.h>
#include <leat/tensor.h>

#include "schema/dynamic/value_format.h"
#include "schema/dynamic/value_msgpack.h"

namespace leat::values {

/// A growing head: what msgpack::packer writes to. finish() hands the memory over without a copy.
class HeadBuffer {
 public:
  void write(const char* bytes, std::size_t size) {
    if (size == 0) return;
    if (size > buffer_.size() - used_) grow(size);
    std::memcpy(buffer_.writable().data() + used_, bytes, size);
    used_ += size;
  }
  [[nodiscard]] std::size_t size() const noexcept { return used_; }
  Buffer finish() && { return buffer_.slice(0, used_); }

 private:
  void grow(std::size_t more);
  Buffer buffer_;
  std::size_t used_ = 0;
};

class ValueWriter {
 public:
  ValueWriter() : packer_(head_) {}
  ValueWriter(const ValueWriter&) = delete;
  ValueWriter& operator=(const ValueWriter&) = delete;

  void nil() { packer_.pack_nil(); }
  void boolean(bool value) { value ? packer_.pack_true() : packer_.pack_false(); }
  void integer(std::int64_t value) { packer_.pack_int64(value); }
  void unsigned_integer(std::uint64_t value) { packer_.pack_uint64(value); }
  /// Spelled out: msgpack-c's pack_double() writes 2.0 as the integer 2.
  void number(double value) {
    std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
    std::array<char, 9> packed{static_cast<char>(0xcb)};
    for (std::size_t i = 8; i != 0; --i, bits >>= 8U) packed[i] = static_cast<char>(bits & 0xffU);
    head_.write(packed.data(), packed.size());
  }
  /// Valid UTF-8; whoever reads it checks.
  Status text(std::string_view value);
  /// Copied into the head; bytes above kInlineBytes are better handed over with attached_bytes().
  Status bytes(Bytes value);
  Status attached_bytes(Buffer value);

  /// The `count` items follow.
  Status begin_list(std::uint64_t count);
  Status begin_tuple(std::uint64_t count);
  /// `count` times a key and a value follow.
  Status begin_map(std::uint64_t count);

  /// `data` holds exactly the elements in the order named, little-endian; it is shared as an attachment.
  Status array(DType dtype, Order order, std::span<const std::int64_t> shape, Buffer data);
  /// The same, copied into the head.
  Status inline_array(DType dtype, Order order, std::span<const std::int64_t> shape, Bytes data);
  /// One element of dtype_size(dtype) bytes, little-endian.
  void scalar(DType dtype, Bytes element);
  /// Stands in a call's arguments for the stream of the messages that follow them; once at most.
  void requests() { extension(Ext::kRequests, {}); }

  [[nodiscard]] std::size_t head_size() const noexcept { return head_.size(); }
  /// The message; the writer is empty afterwards.
  Payload finish() &&;

 private:
  void extension(Ext type, Bytes payload);
  Status array_head(const ArrayHeader& header, std::span<const std::int64_t> shape, std::size_t inline_size);
  Result<std::uint32_t> attach(Buffer data);

  HeadBuffer head_;
  msgpack::packer<HeadBuffer> packer_;
  std::vector<Buffer> attachments_;
};

/// The message that announces a stream of items in answer to a call that may return either.
[[nodiscard]] Payload items_follow();
/// True for that message.
[[nodiscard]] bool says_items_follow(const Payload& payload) noexcept;

}  // namespace leat::values
