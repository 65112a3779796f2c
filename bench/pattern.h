// Bytes whose answers can be checked: every request differs from the one before, so that no stale answer
// passes for a right one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace bench {

/// A small message: compared byte by byte.
class Pattern {
 public:
  explicit Pattern(std::size_t size) : bytes_(std::max(size, sizeof(std::uint64_t))) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::byte>(i * 131 + 7);
  }
  std::span<const std::byte> request(std::uint64_t call) noexcept {
    std::memcpy(bytes_.data(), &call, sizeof call);
    return bytes_;
  }
  [[nodiscard]] bool matches(std::span<const std::byte> answer) const noexcept {
    return answer.size() == bytes_.size() && std::memcmp(answer.data(), bytes_.data(), bytes_.size()) == 0;
  }
  /// Whether `item` is what request(call) would give.
  [[nodiscard]] bool is(std::span<const std::byte> item, std::uint64_t call) noexcept {
    request(call);
    return matches(item);
  }

 private:
  std::vector<std::byte> bytes_;
};

inline constexpr std::size_t kStampStep = 64U << 10U;

/// A large array says in sampled places which one it is: checking every byte would measure the check.
/// `from` is where in the array these bytes begin, so that a reader may look at it piece by piece.
inline void stamp(std::span<std::byte> bytes, std::uint64_t number) noexcept {
  for (std::size_t at = 0; at + sizeof number <= bytes.size(); at += kStampStep) {
    std::memcpy(bytes.data() + at, &number, sizeof number);
  }
}
[[nodiscard]] inline bool stamped(std::span<const std::byte> bytes, std::uint64_t number,
                                  std::size_t from = 0) noexcept {
  const std::size_t first = (kStampStep - from % kStampStep) % kStampStep;
  for (std::size_t at = first; at + sizeof number <= bytes.size(); at += kStampStep) {
    if (std::memcmp(bytes.data() + at, &number, sizeof number) != 0) return false;
  }
  return true;
}
/// The answer to an array that was sent one way: its number and its size.
struct Receipt {
  std::uint64_t number = 0;
  std::uint64_t size = 0;
  friend bool operator==(const Receipt&, const Receipt&) = default;
};

}  // namespace bench
