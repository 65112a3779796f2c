// Random numbers that are the same with every compiler and library: xoshiro256** (Blackman and Vigna, 2018),
// seeded by SplitMix64. The standard's engines would do, its distributions would not.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <leat/context.h>

namespace leat::sim {

/// SplitMix64's step: a good hash of 64 bits.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t value) noexcept {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31U);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) word = seed = mix(seed);
  }

  std::uint64_t next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// 0 to bound - 1; 0 if bound is 0. The bias of the remainder is of no account here.
  std::uint64_t below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }
  /// Both ends included.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept {
    return low + below(high - low + 1);
  }
  Duration between(Duration low, Duration high) noexcept {
    const auto width = static_cast<std::uint64_t>((high - low).count());
    return low + Duration(static_cast<Duration::rep>(below(width + 1)));
  }
  /// 0 to below 1.
  double fraction() noexcept { return static_cast<double>(next() >> 11U) * 0x1p-53; }
  bool chance(unsigned percent) noexcept { return below(100) < percent; }
  /// As many small ones as large ones, by their number of bits: what sizes and durations are like.
  std::uint64_t skewed(std::uint64_t low, std::uint64_t high) noexcept {
    const auto least = static_cast<unsigned>(std::bit_width(low));
    const auto most = static_cast<unsigned>(std::bit_width(high));
    const std::uint64_t bits = between(least, most);
    const std::uint64_t from = bits == 0 ? 0 : std::uint64_t{1} << (bits - 1);
    const std::uint64_t value = from + below(from);
    return value < low ? low : value > high ? high : value;
  }
  Duration skewed(Duration low, Duration high) noexcept {
    return Duration(static_cast<Duration::rep>(
        skewed(static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count()))));
  }
  template <class T, std::size_t N>
  const T& pick(const std::array<T, N>& values) noexcept {
    return values[below(N)];
  }
  /// A generator of its own, so that what one part of the simulation draws does not shift another's numbers.
  Random fork(std::uint64_t purpose) noexcept { return Random(mix(next() ^ purpose)); }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace leat::sim
