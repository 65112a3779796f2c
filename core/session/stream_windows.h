// The sum of the windows that the other side may fill: what can lie unread in this process because readers
// are slow. Counted are the directions in which the other side may send any number of messages; where there
// is one message at most, max_streams and the budgets of messages bound it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace leat::session {

/// Below half of the total, streams start at their full window and may grow. Above, they start at the least
/// that is sound, and none grows. When not even that is left, none is opened. So the sum stays within the
/// total, but for streams that the other side opened before it had heard of the smaller window.
class StreamWindows {
 public:
  /// The largest prologue of a message is a quarter of it.
  static constexpr std::uint32_t kLeast = 64U << 10U;

  StreamWindows(std::uint64_t total, std::uint32_t window) : total_(total), window_(window) {}

  [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  /// What a stream starts with now.
  [[nodiscard]] std::uint32_t fresh() const noexcept { return small_ ? kLeast : window_; }
  /// The least that the other side may believe a stream starts with, and the most.
  [[nodiscard]] std::uint32_t least_told() const noexcept { return announced_ ? kLeast : window_; }
  [[nodiscard]] std::uint32_t most_told() const noexcept { return window_; }
  [[nodiscard]] bool full() const noexcept { return total_ - std::min(taken_, total_) < kLeast; }

  void take(std::uint64_t bytes) noexcept { taken_ += bytes; }
  void give_back(std::uint64_t bytes) noexcept { taken_ -= bytes; }
  /// Takes more for a stream that has some already, if there is plenty.
  [[nodiscard]] bool grow(std::uint64_t bytes) noexcept {
    if (taken_ + bytes > total_ / 2) return false;
    taken_ += bytes;
    return true;
  }
  /// To be asked after each change: the window of new streams, if the other side has to be told. It changes
  /// back only when a quarter is left, so that it does not swing with every stream.
  std::optional<std::uint32_t> news() noexcept {
    if (window_ <= kLeast) return std::nullopt;
    if (small_ ? taken_ > total_ / 4 : taken_ <= total_ / 2) return std::nullopt;
    small_ = !small_;
    announced_ = true;
    return fresh();
  }

 private:
  std::uint64_t total_;
  std::uint32_t window_;
  std::uint64_t taken_ = 0;
  bool small_ = false;
  bool announced_ = false;
};

}  // namespace leat::session
