#pragma once

#include <chrono>

#include <leat/context.h>

namespace leat::transport {

/// The one place where Leat reads a clock; everything below the runtime is told the time.
[[nodiscard]] inline TimePoint now() noexcept { return std::chrono::steady_clock::now(); }

/// Milliseconds for poll and epoll until `when`, rounded up so that nobody wakes a moment too early; -1:
/// forever.
[[nodiscard]] inline int poll_timeout(TimePoint when, TimePoint at) noexcept {
  if (when == kNever) return -1;
  if (when <= at) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - at).count();
  constexpr long long kMost = 3'600'000;
  return static_cast<int>(left < kMost ? left : kMost);
}

}  // namespace leat::transport
