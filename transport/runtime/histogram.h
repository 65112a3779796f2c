// How long things took, in buckets. Counting is lock-free and costs two atomic additions.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <leat/peer.h>

namespace leat::transport {

/// Buckets of an eighth of an octave from 256 ns to 137 s (2^8 to 2^37 ns), so that a percentile is right to
/// within 7 %. Thread-safe.
class Histogram {
 public:
  void record(Duration took) noexcept {
    const auto ns = static_cast<std::uint64_t>(took.count() > 0 ? took.count() : 0);
    buckets_[bucket_of(ns)].fetch_add(1, std::memory_order_relaxed);
    sum_ns_.fetch_add(ns, std::memory_order_relaxed);
  }
  [[nodiscard]] LatencyStats summary() const noexcept;

  static constexpr std::size_t bucket_of(std::uint64_t ns) noexcept {
    if (ns < std::uint64_t{1} << kFirstBit) return 0;
    const auto octave = static_cast<std::size_t>(std::bit_width(ns)) - 1;
    if (octave >= kLastBit) return kBuckets - 1;
    const std::size_t part = (ns >> (octave - kPartBits)) & ((1U << kPartBits) - 1);
    return 1 + ((octave - kFirstBit) << kPartBits) + part;
  }
  /// The first value of a bucket, in nanoseconds.
  static constexpr std::uint64_t begin_of(std::size_t bucket) noexcept {
    if (bucket == 0) return 0;
    const std::size_t octave = kFirstBit + ((bucket - 1) >> kPartBits);
    const std::uint64_t part = (bucket - 1) & ((1U << kPartBits) - 1);
    return ((std::uint64_t{1} << kPartBits) + part) << (octave - kPartBits);
  }

 private:
  static constexpr std::size_t kFirstBit = 8;
  static constexpr std::size_t kLastBit = 37;
  static constexpr std::size_t kPartBits = 3;
  static constexpr std::size_t kBuckets = 2 + ((kLastBit - kFirstBit) << kPartBits);

  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
  std::atomic<std::uint64_t> sum_ns_{0};
};

}  // namespace leat::transport
