#include "tests/sim/pattern.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "tests/sim/random.h"

namespace leat::sim {
namespace {

// One part of a message has at most this many bytes.
constexpr std::size_t kLargest = 8U << 20U;
// Where parts may begin; so two parts begin alike with a chance of one in eight million.
constexpr std::size_t kOffsets = 8U << 20U;

Bytes noise() {
  static const std::vector<std::byte> kNoise = [] {
    Random random(0x1ea7);
    std::vector<std::byte> bytes(kLargest + kOffsets);
    for (std::size_t i = 0; i < bytes.size(); i += sizeof(std::uint64_t)) {
      const std::uint64_t word = random.next();
      for (std::size_t j = 0; j < sizeof word; ++j) bytes[i + j] = static_cast<std::byte>(word >> (8 * j));
    }
    return bytes;
  }();
  return kNoise;
}

std::uint64_t key(ItemName name) noexcept {
  return mix(mix(name.call) ^ (std::uint64_t{name.index} << 1U) ^ static_cast<std::uint64_t>(name.direction));
}

Bytes part(ItemName name, std::uint64_t number, std::uint64_t size) {
  return noise().subspan(mix(key(name) + number) % kOffsets, static_cast<std::size_t>(size));
}

/// Sizes of the head and the attachments, which add up to `size`.
std::vector<std::uint64_t> split(ItemName name, std::uint64_t size) {
  Random random(key(name) ^ size);
  if (size < 8 || !random.chance(35)) return {size};
  std::vector<std::uint64_t> parts;
  std::uint64_t left = size;
  for (std::uint64_t more = random.between(1, 5); more > 0; --more) {
    // Empty parts are a case of their own.
    const std::uint64_t one = random.chance(10) ? 0 : random.below(left);
    parts.push_back(one);
    left -= one;
  }
  parts.push_back(left);
  return parts;
}

}  // namespace

Payload make_item(ItemName name, std::uint64_t size) {
  Payload item;
  const std::vector<std::uint64_t> parts = split(name, size);
  item.codec = key(name) % 2 == 0 ? Codec::kRaw : Codec::kMessagePack;
  item.head = Buffer::borrow_static(part(name, 0, parts[0]));
  for (std::size_t i = 1; i < parts.size(); ++i)
    item.attachments.push_back(Buffer::borrow_static(part(name, i, parts[i])));
  return item;
}

std::optional<std::string> wrong_with(const Payload& item, ItemName name, std::uint64_t size) {
  const std::vector<std::uint64_t> parts = split(name, size);
  if (item.byte_size() != size) return fmt::format("it has {} bytes instead of {}", item.byte_size(), size);
  if (item.attachments.size() + 1 != parts.size())
    return fmt::format("it has {} attachments instead of {}", item.attachments.size(), parts.size() - 1);
  if (item.codec != (key(name) % 2 == 0 ? Codec::kRaw : Codec::kMessagePack)) return "its codec is another";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Buffer& got = i == 0 ? item.head : item.attachments[i - 1];
    const Bytes want = part(name, i, parts[i]);
    if (got.size() != want.size())
      return fmt::format("its part {} has {} bytes instead of {}", i, got.size(), want.size());
    if (want.empty()) continue;
    if (std::memcmp(got.data(), want.data(), want.size()) != 0) {
      const auto at = std::ranges::mismatch(got.bytes(), want).in1 - got.bytes().begin();
      return fmt::format("its part {} differs at byte {} of {}", i, at, want.size());
    }
  }
  return std::nullopt;
}

}  // namespace leat::sim
