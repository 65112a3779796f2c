// Channel credit: bounds what is in flight on a channel, in each direction, all streams together. It is
// returned as soon as the receiving session has seen the bytes, whether anybody reads them or not; what is
// unread is bounded by the credit of the streams. Both ends count the bodies of all MESSAGE frames by the
// channel in their header, also of streams that are gone, so no position can be lost with a stream.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/wire/flow_frames.h"

namespace leat::session {

/// The writer's end.
class ChannelSend {
 public:
  /// The other side's window; once, before anything is sent.
  void start(std::uint64_t window) noexcept { limit_ = window; }
  [[nodiscard]] std::uint64_t room() const noexcept { return limit_ - sent_; }
  [[nodiscard]] std::uint64_t in_flight() const noexcept { return sent_ - returned_; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }
  void use(std::uint64_t bytes) noexcept { sent_ += bytes; }
  /// True if the credit allows more than before; only if `returned` is no more than was sent.
  bool raise(const wire::ChannelCredit& credit) noexcept {
    const bool more = credit.returned > returned_ || credit.limit > limit_;
    returned_ = std::max(returned_, credit.returned);
    limit_ = std::max(limit_, credit.limit);
    return more;
  }

 private:
  std::uint64_t limit_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t returned_ = 0;
};

/// The reader's end. What it owes is returned in steps, so that small messages don't cost a frame each.
class ChannelReceive {
 public:
  /// What may be kept back at most, whatever the window: a writer that holds itself to less than its limit
  /// relies on it.
  static constexpr std::uint64_t kLargestStep = 256U << 10U;
  /// Below this a message with the largest prologue could wait for ever.
  static constexpr std::uint32_t kLeastWindow = 64U << 10U;

  explicit ChannelReceive(std::uint64_t window) : window_(window), limit_(window) {}

  /// False if the writer went beyond its credit.
  [[nodiscard]] bool receive(std::uint64_t bytes) noexcept {
    if (bytes > limit_ - received_) return false;
    received_ += bytes;
    return true;
  }
  /// What to tell the writer, if it is time. `window`: what it may have in flight from now on; it never
  /// shrinks.
  std::optional<wire::ChannelCredit> settle(Channel channel, std::uint64_t window) noexcept {
    if (received_ - returned_ < std::min(kLargestStep, window_ / 16)) return std::nullopt;
    window_ = std::max(window_, window);
    returned_ = received_;
    limit_ = received_ + window_;
    return wire::ChannelCredit{channel, returned_, limit_};
  }
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }

 private:
  std::uint64_t window_;
  std::uint64_t limit_;
  std::uint64_t received_ = 0;
  std::uint64_t returned_ = 0;
};

}  // namespace leat::session
