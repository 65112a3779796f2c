// Counters by side, service and method, found and counted without a lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <leat/metrics.h>

#include "transport/runtime/histogram.h"

namespace leat {

struct Metrics::Table {
  static constexpr std::size_t kMostBounds = 32;
  static constexpr std::size_t kCodes = 17;
  using Count = std::atomic<std::uint64_t>;

  /// Of one method on one side. Lives as long as the table; in a list of those with the same hash.
  struct Cell {
    Side side;
    std::string service;
    std::string method;
    Cell* next = nullptr;

    Count started{0};
    std::array<Count, kCodes> ended{};
    Count messages_sent{0};
    Count messages_received{0};
    Count bytes_sent{0};
    Count bytes_received{0};
    transport::Histogram latency;
    std::array<Count, kMostBounds + 1> buckets{};  // of the exposition; the last is beyond all bounds
    Count sum_ns{0};

    [[nodiscard]] MethodMetrics read() const;
  };

  explicit Table(MetricsOptions given);
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  /// The cell of that method, made if it is new; the one for all others beyond max_methods.
  Cell& find(Side side, std::string_view service, std::string_view method);
  /// Where a duration is counted in Cell::buckets.
  [[nodiscard]] std::size_t bucket_of(Duration took) const noexcept;
  /// Ordered by side, service and method.
  [[nodiscard]] std::vector<const Cell*> cells() const;

  std::function<TimePoint()> clock;
  std::vector<double> bounds;  // in seconds
  std::vector<Duration> bounds_ns;

 private:
  const std::size_t most_;
  std::array<std::atomic<Cell*>, 512> lists_{};
  std::atomic<std::size_t> count_{0};
};

}  // namespace leat
