// Little-endian integers, varints and length-prefixed text: what frame bodies are made of.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <leat/bytes.h>
#include <leat/metadata.h>

namespace leat::wire {

template <class T>
void store_le(std::byte* to, T value) noexcept {
  static_assert(std::is_unsigned_v<T>);
  if constexpr (std::endian::native == std::endian::big) {
    for (std::size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<std::byte>(value >> (8 * i));
  } else {
    std::memcpy(to, &value, sizeof value);
  }
}

template <class T>
[[nodiscard]] T load_le(const std::byte* from) noexcept {
  static_assert(std::is_unsigned_v<T>);
  T value = 0;
  if constexpr (std::endian::native == std::endian::big) {
    for (std::size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(static_cast<T>(from[i]) << (8 * i));
  } else {
    std::memcpy(&value, from, sizeof value);
  }
  return value;
}

/// Appends fields to a body.
class Writer {
 public:
  explicit Writer(std::vector<std::byte>& out) : out_(out) {}

  void u8(std::uint8_t value) { out_.push_back(static_cast<std::byte>(value)); }
  void u32(std::uint32_t value) { fixed(value); }
  void u64(std::uint64_t value) { fixed(value); }
  /// LEB128: seven bits a byte, least significant first.
  void varint(std::uint64_t value);
  void bytes(Bytes value) { out_.insert(out_.end(), value.begin(), value.end()); }
  /// A varint with the length, then the bytes.
  void text(std::string_view value) {
    varint(value.size());
    bytes(as_bytes(value));
  }
  void metadata(const Metadata& metadata);

 private:
  template <class T>
  void fixed(T value) {
    const std::size_t at = out_.size();
    out_.resize(at + sizeof(T));
    store_le(out_.data() + at, value);
  }
  std::vector<std::byte>& out_;
};

/// The text, cut between two characters if it is longer than kMaxReasonBytes.
[[nodiscard]] std::string_view clipped(std::string_view text) noexcept;

/// Reads fields from a body. After the first field that does not fit, ok() is false and every read gives
/// zero.
class Reader {
 public:
  explicit Reader(Bytes in) : in_(in) {}

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  /// True if all was read and all of it was good. Bodies may grow at their end in later versions, so a
  /// receiver asks this only of kinds that the specification closes.
  [[nodiscard]] bool done() const noexcept { return ok_ && in_.empty(); }
  [[nodiscard]] std::size_t left() const noexcept { return in_.size(); }

  std::uint8_t u8() { return fixed<std::uint8_t>(); }
  std::uint32_t u32() { return fixed<std::uint32_t>(); }
  std::uint64_t u64() { return fixed<std::uint64_t>(); }
  std::uint64_t varint();
  /// A view into the body.
  Bytes bytes(std::size_t size);
  /// Text of at most `limit` bytes; a view into the body.
  std::string_view text(std::size_t limit);
  void metadata(Metadata& into);

 private:
  template <class T>
  T fixed() {
    const Bytes raw = bytes(sizeof(T));
    return raw.empty() ? T{0} : load_le<T>(raw.data());
  }
  void fail() noexcept {
    ok_ = false;
    in_ = {};
  }
  Bytes in_;
  bool ok_ = true;
};

}  // namespace leat::wire
