// Checkers of what the wire shows: credit, progress, fairness.
#pragma once

#include <array>
#include <map>
#include <set>
#include <unordered_map>

#include "core/wire/call_frames.h"
#include "tests/sim/checker.h"

namespace leat::sim {

/// Nobody writes beyond the credit that has reached it, and at the end none has leaked: what was granted is
/// what was taken and a window, and a call that needs all of a budget gets it (World adds such calls).
class CreditKept final : public Checker {
 public:
  explicit CreditKept(Bench& bench) : Checker(bench, "CreditKept") {}
  void on_frame_sent(const Frame& frame) override;
  void on_call_ended(const CallPlan& plan, const Status& status) override;
  void on_idle() override;
};

/// The message that was announced first of those under way to an end goes on as long as the link does and the
/// budget has room for it.
class OldestFinishes final : public Checker {
 public:
  explicit OldestFinishes(Bench& bench) : Checker(bench, "OldestFinishes") {}
  void on_end_closed(EndKey end) override { ends_.erase(end); }
  void on_frame_sent(const Frame& frame) override;
  void on_frame_arrived(const Frame& frame) override;
  void on_stream_gone(EndKey at, wire::StreamId stream) override;
  void on_tick() override;

 private:
  struct Message {
    std::uint64_t order = 0;
    std::uint64_t size = 0;
    Duration idle{};  ///< without progress, while nothing kept it
  };
  struct Incoming {
    std::map<wire::StreamId, Message> messages;
    TimePoint seen{};
  };
  /// At most what all sessions of the node may have taken of its budget.
  [[nodiscard]] std::uint64_t held_by(std::uint32_t node) const;

  std::map<EndKey, Incoming> ends_;  ///< by receiver
  std::uint64_t next_order_ = 0;
};

/// A channel that has something to send, and the credit for it, gets its turn within a bounded number of
/// other channels' bytes on the same lane.
class NoChannelStarves final : public Checker {
 public:
  explicit NoChannelStarves(Bench& bench) : Checker(bench, "NoChannelStarves") {}
  void on_end_closed(EndKey end) override { ends_.erase(end); }
  void on_frame_sent(const Frame& frame) override;
  void on_frame_arrived(const Frame& frame) override;
  void on_queued(const Flow& flow, std::uint64_t prologue, std::uint64_t size) override;
  void on_stream_gone(EndKey at, wire::StreamId stream) override;

 private:
  struct Waiting {
    std::set<wire::StreamId> streams;  ///< that have something to send and the stream's credit for it
    std::uint64_t others = 0;
  };
  void refresh(const Flow& flow);
  [[nodiscard]] bool ready(EndKey sender, Channel channel, const Waiting& waiting) const;

  std::map<EndKey, std::array<Waiting, kChannelCount>> ends_;  ///< by sender
};

}  // namespace leat::sim
