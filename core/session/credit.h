// Byte credit of one direction of a stream, as two counters at each end. Positions are absolute and only
// grow, so a credit frame that is repeated, late or overtaken does no harm (as QUIC's MAX_STREAM_DATA, RFC
// 9000 section 4.1).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace leat::session {

/// The writer's end: what the reader has allowed, and what was used of it.
class SendCredit {
 public:
  explicit SendCredit(std::uint64_t window) : limit_(window) {}
  [[nodiscard]] std::uint64_t available() const noexcept { return limit_ - used_; }
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
  explicit ReceiveCredit(std::uint64_t window) : window_(window), limit_(window) {}

  /// False if the writer went beyond its credit.
  [[nodiscard]] bool receive(std::uint64_t bytes) noexcept {
    if (bytes > limit_ - received_) return false;
    received_ += bytes;
    return true;
  }
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

  /// Streams of large messages get a window that holds two of them, so that the writer need not wait for the
  /// reader between any two; up to a bound that keeps unread bytes small.
  void fit(std::uint64_t message_bytes) noexcept {
    constexpr std::uint64_t kLargestWindow = 4U << 20U;
    window_ = std::max(window_, std::min(2 * message_bytes, kLargestWindow));
  }

 private:
  std::uint64_t window_;
  std::uint64_t limit_;
  std::uint64_t received_ = 0;
  std::uint64_t consumed_ = 0;
};

}  // namespace leat::session
