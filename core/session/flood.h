// How often something cheap to send may happen before it counts as an attack.
#pragma once

#include <algorithm>
#include <cstdint>

#include <leat/context.h>

namespace leat::session {

/// Holds up to `burst` tokens and gains `rate` of them a second. A rate of 0: no limit.
class TokenBucket {
 public:
  TokenBucket(std::uint32_t rate, std::uint32_t burst)
      : rate_(rate), burst_(std::max(rate, burst)), tokens_(burst_) {}

  /// False if there is no token left.
  [[nodiscard]] bool take(TimePoint now) noexcept {
    if (rate_ == 0) return true;
    const std::chrono::duration<double> since = now - filled_;
    filled_ = now;
    tokens_ = std::min(tokens_ + rate_ * since.count(), burst_);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double rate_;
  double burst_;
  double tokens_;  // starts full
  TimePoint filled_{};
};

}  // namespace leat::session
