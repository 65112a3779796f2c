// How values without a schema are laid out; docs/values.md is the specification, and these are its numbers.
//
// A value is one MessagePack object. What MessagePack has no word for is an extension type of the range 0 to
// 63, which is Leat's; 64 to 127 are free for users, negative types are MessagePack's own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include <leat/bytes.h>
#include <leat/tensor.h>

namespace leat::values {

enum class Ext : std::int8_t {
  // Markers: empty, and the first item of an array, whose other items they give a meaning.
  kTuple = 1,
  // Values with a payload of their own.
  kArray = 16,          ///< ArrayHeader, shape, and the elements if they are inline
  kAttachedBytes = 17,  ///< number of the attachment that holds them, u32
  kScalar = 18,         ///< dtype u8, then one little-endian element: a number of a numpy type
  // Only inside the arguments of a call.
  kRequests = 19,  ///< empty: an iterator of what the call's further messages hold
  // Never inside a value: a whole message of its own.
  kItemsFollow = 32,  ///< the answer is a stream, whose items are the messages after this one
};

/// The head of a message that says "items follow": ext 8, no payload, type 32.
inline constexpr std::array<std::byte, 3> kItemsFollowHead = {std::byte{0xc7}, std::byte{0x00},
                                                              std::byte{0x20}};

/// Levels of lists, tuples and maps inside each other, the outermost included.
inline constexpr std::size_t kMaxDepth = 512;
/// Dimensions of an array; numpy's limit.
inline constexpr std::size_t kMaxRank = 64;
/// Arrays of at most this many bytes travel inside the head, larger ones as attachments.
inline constexpr std::size_t kInlineArrayBytes = 512;
/// Byte strings above this travel as attachments.
inline constexpr std::size_t kInlineBytes = 64U << 10U;
/// What MessagePack's lengths can count.
inline constexpr std::uint64_t kMaxLength = 0xffffffffU;

/// What stands at the front of an array's payload; the shape follows as i64 each. All little-endian.
struct ArrayHeader {
  static constexpr std::size_t kSize = 8;
  DType dtype = DType::kUInt8;
  Order order = Order::kRowMajor;
  std::uint8_t rank = 0;
  std::uint32_t attachment = 0;  ///< from 1; 0: the elements follow the shape
};

/// An array as a reader hands it out: a view of the head, and of an attachment or the bytes inline.
struct ArrayView {
  DType dtype = DType::kUInt8;
  Order order = Order::kRowMajor;
  std::span<const std::int64_t> shape;
  std::uint32_t attachment = 0;  ///< 0: `data` lies in the head, unaligned
  Bytes data;                    ///< exactly the elements
};

inline void store_u32(std::byte* to, std::uint32_t value) noexcept {
  for (unsigned i = 0; i < 4; ++i) to[i] = static_cast<std::byte>(value >> (8U * i));
}
inline void store_i64(std::byte* to, std::int64_t value) noexcept {
  const auto bits = static_cast<std::uint64_t>(value);
  for (unsigned i = 0; i < 8; ++i) to[i] = static_cast<std::byte>(bits >> (8U * i));
}
inline std::uint32_t load_u32(const std::byte* from) noexcept {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) value |= static_cast<std::uint32_t>(from[i]) << (8U * i);
  return value;
}
inline std::int64_t load_i64(const std::byte* from) noexcept {
  std::uint64_t bits = 0;
  for (unsigned i = 0; i < 8; ++i) bits |= static_cast<std::uint64_t>(from[i]) << (8U * i);
  return static_cast<std::int64_t>(bits);
}

}  // namespace leat::values
