// How much a reader should let be in flight: bandwidth times delay, measured as gRPC does it. A ping is sent
// while data arrives; what arrives until its answer is one round trip's worth of data. If that comes close to
// the window, the window may be what holds the writer back, and grows; it stops growing when more window
// brings no more bandwidth, since then the bytes only wait in buffers.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <leat/bytes.h>
#include <leat/context.h>

namespace leat::session {

class BandwidthDelay {
 public:
  /// Body of its pings, which tells their answers from others.
  static constexpr std::array<std::byte, 2> kMark = {std::byte{'b'}, std::byte{'w'}};

  BandwidthDelay(std::uint64_t window, std::uint64_t most) : window_(window), most_(std::max(window, most)) {}

  /// What a stream or channel may have in flight. Only grows.
  [[nodiscard]] std::uint64_t window() const noexcept { return window_; }

  void received(std::uint64_t bytes) noexcept { sample_ += bytes; }
  /// True if a ping should be sent now.
  [[nodiscard]] bool may_measure(TimePoint now) const noexcept {
    return !measuring_ && window_ < most_ && now >= not_before_;
  }
  /// The ping is queued, since `bytes` begin to arrive.
  void start(TimePoint now, std::uint64_t bytes) noexcept {
    measuring_ = true;
    started_ = now;
    sample_ = bytes;
  }
  /// Its answer is here; false if there was no ping. `grow`: bulk need not yield to anything now.
  bool finish(TimePoint now, bool grow) noexcept {
    if (!measuring_) return false;
    measuring_ = false;
    const double seconds = std::max(std::chrono::duration<double>(now - started_).count(), 1e-6);
    const double bandwidth = static_cast<double>(sample_) / seconds;
    if (grow && sample_ > window_ / 3 * 2 && bandwidth > bandwidth_) {
      window_ = std::min(2 * sample_, most_);
      bandwidth_ = bandwidth;
    } else {
      not_before_ = now + kPause;
    }
    return true;
  }

 private:
  // Between measurements that changed nothing.
  static constexpr Duration kPause = std::chrono::milliseconds(20);
  std::uint64_t window_;
  std::uint64_t most_;
  std::uint64_t sample_ = 0;
  double bandwidth_ = 0;
  TimePoint started_;
  TimePoint not_before_ = TimePoint::min();
  bool measuring_ = false;
};

}  // namespace leat::session
