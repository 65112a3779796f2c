// How fast a link takes what it is given, from bytes and times alone.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <leat/context.h>

namespace leat::session {

/// Measured only while the link is the bottleneck: from one turn that left something behind to the next.
class SendRate {
 public:
  /// A turn: `bytes` are handed down at `now`, and `more` is waiting.
  void sent(std::size_t bytes, TimePoint now, bool more) noexcept {
    if (!busy_) {
      since_ = now;
      bytes_ = 0;
    } else if (now - since_ >= kLeastSpan) {
      const double seconds = std::chrono::duration<double>(now - since_).count();
      const double sample = static_cast<double>(bytes_) / seconds;
      rate_ = rate_ == 0 ? sample : rate_ + (sample - rate_) / 4;
      since_ = now;
      bytes_ = 0;
    }
    bytes_ += bytes;
    busy_ = more;
  }
  /// Bytes a second; 0: not known yet.
  [[nodiscard]] double rate() const noexcept { return rate_; }
  /// What the link takes in `time`, within bounds; the largest while the rate is not known.
  [[nodiscard]] std::size_t in(Duration time, std::size_t least, std::size_t most) const noexcept {
    if (rate_ == 0) return most;
    const double bytes = rate_ * std::chrono::duration<double>(time).count();
    return bytes >= static_cast<double>(most) ? most : std::max(least, static_cast<std::size_t>(bytes));
  }

 private:
  // Shorter spans measure how fast a buffer is filled, not how fast it drains.
  static constexpr Duration kLeastSpan = std::chrono::milliseconds(1);
  TimePoint since_;
  std::size_t bytes_ = 0;
  double rate_ = 0;
  bool busy_ = false;
};

}  // namespace leat::session
