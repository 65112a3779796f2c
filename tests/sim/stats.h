// What runs add up to.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <leat/context.h>
#include <leat/service.h>

#include "tests/sim/observer.h"

namespace leat::sim {

inline constexpr std::size_t kKinds = 4;
inline constexpr std::size_t kCodes = 17;

struct Stats {
  std::uint64_t links = 0;  ///< connections; each has two sessions
  std::uint64_t calls = 0;
  std::array<std::uint64_t, kKinds> by_kind{};
  std::array<std::uint64_t, kCodes> by_code{};
  std::uint64_t attempts = 0;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;  ///< on the wire, both directions
  std::uint64_t frames = 0;
  std::uint64_t losses = 0;
  std::uint64_t closes = 0;
  std::uint64_t drains = 0;
  std::uint64_t lanes = 0;  ///< second ones
  std::uint64_t stalls = 0;
  std::uint64_t steps = 0;
  std::uint64_t most_memory = 0;  ///< of any one session
  Duration time{};                ///< simulated

  /// Adds up; of `most_memory` the greater.
  Stats& operator+=(const Stats& run) noexcept;
  /// The lesser of each.
  void keep_least(const Stats& run) noexcept;
};

/// A table: in all, and the least of any seed.
[[nodiscard]] std::string to_text(const Stats& total, const Stats& least);

/// Counts while a run goes on.
class Counter final : public Observer {
 public:
  explicit Counter(Stats& stats) : stats_(&stats) {}
  void on_frame_sent(const Frame& frame) override;
  void on_call_started(const CallPlan& plan, TimePoint deadline) override;
  void on_call_ended(const CallPlan& plan, const Status& status) override;
  void on_attempt_started(const Attempt& attempt) override;
  void on_item(const Attempt& attempt, Direction direction, const Payload& payload) override;

 private:
  Stats* stats_;
};

}  // namespace leat::sim
