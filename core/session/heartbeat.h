// When to ask a silent peer whether it lives, and when to believe that it does not.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <leat/bytes.h>
#include <leat/context.h>

namespace leat::session {

/// Any byte received is a sign of life, noted by heard(), which costs one store: the timer is not moved with
/// each frame but set anew when it goes off. Silence of an interval is answered with a ping; the peer is dead
/// when a ping has had no sign of life for `timeout`, which is interval + timeout after the last one. A side
/// that was itself stopped (a debugger, a suspended machine) thus asks before it gives up. A ping that stands
/// behind what a slow link was given before can't be answered yet: as long as the link goes on taking bytes,
/// and only until the ping is among them, its time does not begin.
class Heartbeat {
 public:
  /// Without an interval or a timeout there is no heartbeat.
  Heartbeat(Duration interval, Duration timeout) : interval_(interval), timeout_(timeout) {}

  enum class Due : std::uint8_t { kNothing, kPing, kDead };

  void start(TimePoint now) noexcept;
  void stop() noexcept { next_ = kNever; }
  void heard(TimePoint now) noexcept { heard_ = now; }
  /// When to call on_timeout(); never later than something is due.
  [[nodiscard]] TimePoint next() const noexcept { return next_; }
  [[nodiscard]] Due on_timeout(TimePoint now) noexcept;
  /// The link took bytes. Those behind the ping are no sign of life: buffers on the way take them, too.
  void moved(TimePoint now) noexcept {
    if (held_) pinged_ = now;
  }
  /// The link was given the ping, as the next that it takes.
  void given(TimePoint now) noexcept {
    moved(now);
    held_ = false;
  }
  /// A ping is due that the link was not given yet.
  [[nodiscard]] bool held() const noexcept { return held_; }
  /// How long nothing was heard.
  [[nodiscard]] Duration silence(TimePoint now) const noexcept { return now - heard_; }

  /// The body of the ping that is due; it differs from those that others send for their own ends.
  [[nodiscard]] std::vector<std::byte> ping() const;
  /// True if the pong answers a ping of ours; takes its round trip.
  bool pong(Bytes body, TimePoint now) noexcept;
  [[nodiscard]] std::optional<Duration> round_trip() const noexcept { return round_trip_; }

 private:
  Duration interval_;
  Duration timeout_;
  TimePoint heard_;
  TimePoint next_ = kNever;
  TimePoint pinged_;  // after heard_: a ping waits for a sign of life; later than it was made, if it is held
  std::uint64_t pings_ = 0;
  bool held_ = false;        // the latest ping waits for what the link was given before
  bool unanswered_ = false;  // the latest ping has had no pong
  std::optional<Duration> round_trip_;
};

}  // namespace leat::session
