// Counters and latency histograms of calls, for each method and side.
//
//   auto metrics = std::make_shared<leat::Metrics>();
//   leat::ServerOptions options;
//   options.interceptors = {metrics};
//   ...
//   serve_over_http("/metrics", leat::Metrics::kContentType, metrics->prometheus());
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <leat/interceptor.h>
#include <leat/peer.h>

namespace leat {

struct MetricsOptions {
  /// Upper bounds of the histogram's buckets in seconds, ascending; at most 32. Empty: from 10 us to 10 s, in
  /// steps of 1, 2.5 and 5.
  std::vector<double> buckets{};
  /// Pairs of side and method that are counted apart; all others together, as service "other".
  std::size_t max_methods = 1000;
  /// Where the time comes from; empty: Leat's own clock.
  std::function<TimePoint()> clock{};
};

struct MethodMetrics {
  Side side = Side::kClient;
  std::string service;
  std::string method;
  std::uint64_t started = 0;
  std::array<std::uint64_t, 17> ended{};  ///< by status code
  std::uint64_t in_flight = 0;
  std::uint64_t messages_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t bytes_sent = 0;  ///< of messages, as Payload::byte_size() counts them
  std::uint64_t bytes_received = 0;
  LatencyStats latency;
};

/// An interceptor that several peers and servers may share. Counting is lock-free. The first in the list sees
/// what the user sees: refusals by those further in included.
class Metrics final : public Interceptor {
 public:
  explicit Metrics(MetricsOptions options = {});
  ~Metrics() override;

  [[nodiscard]] std::string_view name() const noexcept override { return "metrics"; }
  [[nodiscard]] std::unique_ptr<CallHooks> begin(CallDetails& call) override;

  /// All so far, ordered by side, service and method.
  [[nodiscard]] std::vector<MethodMetrics> methods() const;

  /// In Prometheus' text exposition format 0.0.4, labelled side, service and method:
  /// leat_calls_started_total, leat_calls_ended_total (and code), leat_calls_in_flight,
  /// leat_messages_{sent,received}_total, leat_message_{sent,received}_bytes_total, and the histogram
  /// leat_call_seconds.
  [[nodiscard]] std::string prometheus() const;
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct Table;
  const std::shared_ptr<Table> table_;
};

}  // namespace leat
