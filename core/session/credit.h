// Byte credit of one direction of a stream, as two counters at each end. Positions are absolute and only
// grow, so a credit frame that is repeated, late or overtaken does no harm (as QUIC's MAX_STREAM_DATA, RFC
// 9000 section 4.1).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/base/canary.h"

namespace leat::session {

/// The writer's end: what the reader has allowed, and what was used of it.
class SendCredit {
 public:
  explicit SendCredit(std::uint64_t window) : limit_(window) {}
  [[nodiscard]] std::uint64_t available() const noexcept {
    return canary::has(canary::Bug::kIgnoreCredit) ? 1U << 30U : limit_ - used_;
  }
  [[nodiscard]] std::uint64_t used() const noexcept { return used_; }
  [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }
  void use(std::uint64_t bytes) noexcept { used_ += bytes; }
  /// True if the new limit allows more than before.
  bool raise(std::uint64_t limit) noexcept {
    if (limit <= limit_) return false;
    limit_ = limit;
    return true;
  }

 private:
  std::uint64_t limit_;
  std::uint64_t used_ = 0;
};

/// The reader's end. Credit is returned only past half the window, so that a stream of small items does not
/// cost a credit frame each (as h2's flow control).
class ReceiveCredit {
 public:
  /// The writer was told of `told` bytes at least, and perhaps of up to `allowed`.
  ReceiveCredit(std::uint64_t window, std::uint64_t told, std::uint64_t allowed)
      : window_(window), limit_(told), allowed_(allowed) {}
  explicit ReceiveCredit(std::uint64_t window) : ReceiveCredit(window, window, window) {}

  /// False if the writer went beyond its credit.
  [[nodiscard]] bool receive(std::uint64_t bytes) noexcept {
    if (bytes > std::max(limit_, allowed_) - received_) return false;
    received_ += bytes;
    return true;
  }
  [[nodiscard]] std::uint64_t window() const noexcept { return window_; }
  [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }
  void grow(std::uint64_t window) noexcept { window_ = window; }
  /// Before the writer has sent anything: it may know of no more than `told`.
  void doubt(std::uint64_t told) noexcept { limit_ = std::min(limit_, told); }
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }

  /// A message that ends at `position` was admitted: its writer may send it whole. Returns the limit to tell.
  std::optional<std::uint64_t> admit(std::uint64_t position) noexcept {
    if (position <= limit_) return std::nullopt;
    limit_ = position;
    return limit_;
  }

  /// The application took `bytes`. Returns the limit to tell, if it is time.
  std::optional<std::uint64_t> consume(std::uint64_t bytes) noexcept {
    consumed_ += bytes;
    const std::uint64_t target = consumed_ + window_;
    if (target <= limit_ || target - limit_ < window_ / 2) return std::nullopt;
    limit_ = target;
    return limit_;
  }

 private:
  std::uint64_t window_;
  std::uint64_t limit_;    // what the writer surely knows of
  std::uint64_t allowed_;  // at first it may know of more
  std::uint64_t received_ = 0;
  std::uint64_t consumed_ = 0;
};

}  // namespace leat::session
