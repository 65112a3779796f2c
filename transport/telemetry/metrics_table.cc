#include "transport/telemetry/metrics_table.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <tuple>
#include <utility>

#include "transport/runtime/clock.h"

namespace leat {
namespace {

constexpr std::array<double, 19> kBounds = {0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001,
                                            0.0025,  0.005,    0.01,    0.025,  0.05,    0.1,    0.25,
                                            0.5,     1,        2.5,     5,      10};
constexpr std::string_view kOther = "other";

std::size_t hash_of(Side side, std::string_view service, std::string_view method) noexcept {
  const std::hash<std::string_view> hash;
  return hash(service) * 31 + hash(method) * 2 + static_cast<std::size_t>(side);
}

}  // namespace

Metrics::Table::Table(MetricsOptions given)
    : clock(given.clock ? std::move(given.clock) : std::function<TimePoint()>(transport::now)),
      bounds(std::move(given.buckets)),
      most_(given.max_methods) {
  std::erase_if(bounds, [](double bound) { return !std::isfinite(bound) || bound <= 0; });
  if (bounds.empty()) bounds.assign(kBounds.begin(), kBounds.end());
  std::ranges::sort(bounds);
  bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
  if (bounds.size() > kMostBounds) bounds.resize(kMostBounds);
  for (const double bound : bounds) {
    bounds_ns.push_back(std::chrono::round<Duration>(std::chrono::duration<double>(bound)));
  }
}

Metrics::Table::~Table() {
  for (std::atomic<Cell*>& list : lists_) {
    for (Cell* cell = list.load(); cell != nullptr;) {
      const std::unique_ptr<Cell> dying(cell);
      cell = dying->next;
    }
  }
}

Metrics::Table::Cell& Metrics::Table::find(Side side, std::string_view service, std::string_view method) {
  std::atomic<Cell*>& list = lists_[hash_of(side, service, method) % lists_.size()];
  Cell* const head = list.load(std::memory_order_acquire);
  const auto look = [&](Cell* from, const Cell* until) -> Cell* {
    for (; from != until; from = from->next) {
      if (from->side == side && from->method == method && from->service == service) return from;
    }
    return nullptr;
  };
  if (Cell* const found = look(head, nullptr)) return *found;
  const bool is_other = service == kOther && method == kOther;
  if (!is_other && count_.fetch_add(1, std::memory_order_relaxed) >= most_) {
    count_.fetch_sub(1, std::memory_order_relaxed);
    return find(side, kOther, kOther);
  }
  auto made = std::make_unique<Cell>();
  made->side = side;
  made->service = service;
  made->method = method;
  made->next = head;
  Cell* searched = head;
  while (!list.compare_exchange_weak(made->next, made.get(), std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
    // Others came first, perhaps with this very method.
    if (Cell* const found = look(made->next, searched)) {
      if (!is_other) count_.fetch_sub(1, std::memory_order_relaxed);
      return *found;
    }
    searched = made->next;
  }
  return *made.release();
}

std::size_t Metrics::Table::bucket_of(Duration took) const noexcept {
  return static_cast<std::size_t>(std::ranges::lower_bound(bounds_ns, took) - bounds_ns.begin());
}

std::vector<const Metrics::Table::Cell*> Metrics::Table::cells() const {
  std::vector<const Cell*> all;
  for (const std::atomic<Cell*>& list : lists_) {
    for (const Cell* cell = list.load(std::memory_order_acquire); cell != nullptr; cell = cell->next)
      all.push_back(cell);
  }
  std::ranges::sort(all, [](const Cell* a, const Cell* b) {
    return std::tie(a->side, a->service, a->method) < std::tie(b->side, b->service, b->method);
  });
  return all;
}

MethodMetrics Metrics::Table::Cell::read() const {
  const auto get = [](const Count& count) { return count.load(std::memory_order_relaxed); };
  MethodMetrics read;
  read.side = side;
  read.service = service;
  read.method = method;
  // Ends before beginnings, so that no call has ended that has not begun.
  for (std::size_t code = 0; code < kCodes; ++code) {
    read.ended[code] = ended[code].load(std::memory_order_acquire);
    read.in_flight -= read.ended[code];
  }
  read.started = get(started);
  read.in_flight += read.started;
  read.messages_sent = get(messages_sent);
  read.messages_received = get(messages_received);
  read.bytes_sent = get(bytes_sent);
  read.bytes_received = get(bytes_received);
  read.latency = latency.summary();
  return read;
}

}  // namespace leat
