#include "core/wire/codec.h"

#include <limits>

#include "core/wire/limits.h"

namespace leat::wire {

void Writer::varint(std::uint64_t value) {
  while (value >= 0x80) {
    u8(static_cast<std::uint8_t>(value | 0x80U));
    value >>= 7U;
  }
  u8(static_cast<std::uint8_t>(value));
}

void Writer::metadata(const Metadata& metadata) {
  varint(metadata.entries().size());
  for (const auto& [key, value] : metadata.entries()) {
    text(key);
    text(value);
  }
}

std::string_view clipped(std::string_view text) noexcept {
  if (text.size() <= kMaxReasonBytes) return text;
  std::size_t end = kMaxReasonBytes;
  // Not in the middle of a character: continuation bytes begin with the bits 10.
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return text.substr(0, end);
}

std::uint64_t Reader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t next = u8();
    if (!ok_) return 0;
    const std::uint64_t bits = next & 0x7fU;
    if (shift == 63 && bits > 1) break;  // the tenth byte has room for one bit
    value |= bits << shift;
    if ((next & 0x80U) == 0) return value;
  }
  fail();
  return 0;
}

Bytes Reader::bytes(std::size_t size) {
  if (size > in_.size()) {
    fail();
    return {};
  }
  const Bytes taken = in_.first(size);
  in_ = in_.subspan(size);
  return taken;
}

std::string_view Reader::text(std::size_t limit) {
  const std::uint64_t size = varint();
  if (size > limit || size > in_.size()) {
    fail();
    return {};
  }
  return as_text(bytes(static_cast<std::size_t>(size)));
}

void Reader::metadata(Metadata& into) {
  const std::uint64_t count = varint();
  // Each entry takes two bytes at least, so a false count can't make us loop for long.
  if (count > in_.size()) fail();
  for (std::uint64_t i = 0; ok_ && i < count; ++i) {
    const std::string_view key = text(std::numeric_limits<std::size_t>::max());
    const std::string_view value = text(std::numeric_limits<std::size_t>::max());
    if (ok_) into.add(std::string(key), std::string(value));
  }
}

}  // namespace leat::wire
