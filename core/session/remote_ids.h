// Which streams of the other side's were opened already. Ids grow per channel; on bulk, the OPENs of two
// lanes may be in flight together, so an id below the newest is not always gone.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "core/base/lane.h"
#include "core/wire/frame.h"

namespace leat::session {

/// The opener sends its bulk OPENs on lane 0 until lane 1 is there and only on lane 1 from then on, in order
/// on each: so lane 0's sequences are all below lane 1's first. Sequences may be left out (calls that were
/// given up before they were sent).
class RemoteIds {
 public:
  /// An OPEN has arrived. False if it can't have been the opener's next one on this lane.
  [[nodiscard]] bool open(wire::StreamId id, Lane lane) noexcept {
    const std::uint64_t sequence = id.sequence();
    std::uint64_t& next = next_[static_cast<std::size_t>(id.channel())];
    if (lane == Lane::kMain) {
      if (sequence < next || (id.channel() == Channel::kBulk && sequence >= first_on_lane_)) return false;
      next = sequence + 1;
      return true;
    }
    if (sequence < std::max(next, next_on_lane_)) return false;
    first_on_lane_ = std::min(first_on_lane_, sequence);
    next_on_lane_ = sequence + 1;
    return true;
  }

  /// True if the OPEN of this id may still come: what is said of it is early. Else it is late.
  [[nodiscard]] bool may_come(wire::StreamId id) const noexcept {
    const std::uint64_t sequence = id.sequence();
    const bool on_lane = id.channel() == Channel::kBulk && sequence >= first_on_lane_;
    return sequence >= (on_lane ? next_on_lane_ : next_[static_cast<std::size_t>(id.channel())]);
  }

  /// The sequence behind the highest that has arrived; 0 if none has.
  [[nodiscard]] std::uint64_t next(Channel channel) const noexcept {
    const std::uint64_t main = next_[static_cast<std::size_t>(channel)];
    return channel == Channel::kBulk ? std::max(main, next_on_lane_) : main;
  }

 private:
  std::array<std::uint64_t, kChannelCount> next_{};
  std::uint64_t first_on_lane_ = std::numeric_limits<std::uint64_t>::max();  // lane 1's, of bulk
  std::uint64_t next_on_lane_ = 0;
};

}  // namespace leat::session
