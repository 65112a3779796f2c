// Writes one FlatBuffers message front to back: a table's fixed part first, then what it points to, then the
// offsets are filled in. Offsets in FlatBuffers point forward, so nothing has to be known before it is
// written.
#pragma once

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

namespace leat::schema {

static_assert(std::endian::native == std::endian::little,
              "Leat's codecs are written for little-endian machines");

struct EncodeOptions {
  /// Tensors of up to this many bytes stay inside the head; larger ones become attachments.
  std::size_t inline_tensor_bytes = 4096;
  /// All tensors stay inside the head, for readers that know nothing of attachments (stock flatc programs).
  bool inline_tensors = false;
};

/// One field of a table that is about to be written: its bits, or 4 bytes of offset to be pointed somewhere
/// later.
struct Slot {
  std::uint64_t bits = 0;
  std::uint32_t at = 0;   ///< set by Builder::table(): where the field stands, for Builder::point()
  std::uint8_t size = 0;  ///< 1, 2, 4 or 8; 0: the field is absent
};

/// Positions are bytes from the start of the message. Memory grows by doubling; the bytes given to finish()
/// are not copied again. Past 2 GiB, which FlatBuffers can't address, calls do nothing and finish() fails.
class Builder {
 public:
  explicit Builder(EncodeOptions options = {}, std::size_t size_hint = 512);

  /// A table with the slots as its fields; slots[i] has id i. Gives each present slot's position in Slot::at.
  std::uint32_t table(std::span<Slot> slots);
  std::uint32_t string(std::string_view text);
  /// A vector of `count` zeroed scalars of 1, 2, 4 or 8 bytes; fill it through elements() before the next
  /// call.
  std::uint32_t scalars(std::size_t element_size, std::size_t count) {
    return vector(element_size, count, element_size);
  }
  /// The same with its content: `packed` holds count * element_size bytes.
  std::uint32_t scalars(std::size_t element_size, Bytes packed);
  /// A vector of `count` offsets; point element(vector, i) at each string or table.
  std::uint32_t offsets(std::size_t count) { return vector(4, count, 4); }
  /// A leat.Tensor: the table, and the data inline or as an attachment.
  std::uint32_t tensor(const Tensor& tensor);

  /// The first byte of a vector's elements. Invalid after the next call that writes; null past the size
  /// limit.
  [[nodiscard]] std::byte* elements(std::uint32_t vector) noexcept {
    return overflow_ ? nullptr : data_ + vector + 4;
  }
  /// The position of the i-th offset of a vector made by offsets().
  [[nodiscard]] static std::uint32_t element(std::uint32_t vector, std::size_t i) noexcept {
    return vector + 4 + static_cast<std::uint32_t>(4 * i);
  }
  /// Makes the offset at `slot` point at `target`, which lies behind it.
  void point(std::uint32_t slot, std::uint32_t target) noexcept {
    if (overflow_) return;
    const std::uint32_t distance = target - slot;
    std::memcpy(data_ + slot, &distance, 4);
  }

  [[nodiscard]] const EncodeOptions& options() const noexcept { return options_; }

  /// The message whose root is the table at `root`. kResourceExhausted past 2 GiB. Ends the builder.
  Result<Payload> finish(std::uint32_t root);

 private:
  std::uint32_t vector(std::size_t element_size, std::size_t count, std::size_t alignment);
  /// Room for `size` zeroed bytes such that the byte `offset` behind their start is aligned. Gives their
  /// position.
  std::uint32_t reserve(std::size_t size, std::size_t alignment, std::size_t offset);
  std::uint32_t vtable(std::span<const std::uint16_t> entries);

  EncodeOptions options_;
  Buffer buffer_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  bool overflow_ = false;
  std::vector<std::uint32_t>
      vtables_;  ///< positions of those written, to be shared by tables with the same layout
  std::vector<std::uint16_t> entries_;  ///< scratch of table()
  std::vector<Buffer> attachments_;
};

}  // namespace leat::schema
