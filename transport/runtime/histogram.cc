#include "transport/runtime/histogram.h"

#include <algorithm>
#include <cmath>

namespace leat::transport {

LatencyStats Histogram::summary() const noexcept {
  std::array<std::uint64_t, kBuckets> counts{};
  LatencyStats stats;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    counts[i] = buckets_[i].load(std::memory_order_relaxed);
    stats.count += counts[i];
  }
  stats.sum = Duration(static_cast<Duration::rep>(sum_ns_.load(std::memory_order_relaxed)));
  const auto percentile = [&](double share) {
    if (stats.count == 0) return Duration::zero();
    const auto rank = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(stats.count))));
    std::uint64_t seen = 0;
    std::size_t at = 0;
    while (at + 1 < kBuckets && (seen += counts[at]) < rank) ++at;
    const std::uint64_t begin = begin_of(at);
    const std::uint64_t end = at + 1 < kBuckets ? begin_of(at + 1) : begin;
    return Duration(static_cast<Duration::rep>(begin + (end - begin) / 2));
  };
  stats.p50 = percentile(0.5);
  stats.p90 = percentile(0.9);
  stats.p99 = percentile(0.99);
  stats.p999 = percentile(0.999);
  return stats;
}

}  // namespace leat::transport
