#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>

#include <leat/context.h>

namespace leat::transport {

/// The time that a test set (leat::testing::ManualClock), as nanoseconds of the steady clock; kRealTime: none
/// did.
extern std::atomic<TimePoint::rep> manual_time;
inline constexpr TimePoint::rep kRealTime = std::numeric_limits<TimePoint::rep>::min();
[[nodiscard]] inline bool time_is_manual() noexcept {
  return manual_time.load(std::memory_order_relaxed) != kRealTime;
}

/// The clock on the wall, whatever a test says: for what is about threads and processors, not about peers.
[[nodiscard]] inline TimePoint real_now() noexcept { return std::chrono::steady_clock::now(); }

/// real_now() as it was last read around the tasks that this thread runs one after another: where one ends
/// the next one begins, and a clock read costs as much as a twentieth of a small call.
[[nodiscard]] inline TimePoint& task_clock() noexcept {
  thread_local TimePoint at{};
  return at;
}

/// The one place where Leat reads a clock; everything below the runtime is told the time.
[[nodiscard]] inline TimePoint now() noexcept {
  // Acquired, so that who sees the time of a test sees what the test did before it moved the clock.
  const TimePoint::rep manual = manual_time.load(std::memory_order_acquire);
  if (manual == kRealTime) [[likely]]
    return real_now();
  return TimePoint(Duration(manual));
}

/// `limit` from now; kNever if that is beyond time.
[[nodiscard]] inline TimePoint after(Duration limit) noexcept {
  const TimePoint at = now();
  return limit >= kNever - at ? kNever : at + limit;
}

/// Nobody rings when a test moves its clock, so who waits for a time looks at it this often.
inline constexpr std::chrono::milliseconds kManualStep{1};

/// Waits until notified, or until `until`; may return for no reason, so ask again.
inline void wait_on(std::condition_variable& condition, std::unique_lock<std::mutex>& lock, TimePoint until) {
  if (until == kNever) {
    condition.wait(lock);
  } else if (time_is_manual()) {
    if (now() < until) condition.wait_for(lock, kManualStep);
  } else {
    condition.wait_until(lock, until);
  }
}

/// Milliseconds for poll and epoll until `when`, rounded up so that nobody wakes a moment too early; -1:
/// forever.
[[nodiscard]] inline int poll_timeout(TimePoint when, TimePoint at) noexcept {
  if (when == kNever) return -1;
  if (when <= at) return 0;
  if (time_is_manual()) return static_cast<int>(kManualStep.count());
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - at).count();
  constexpr long long kMost = 3'600'000;
  return static_cast<int>(left < kMost ? left : kMost);
}

}  // namespace leat::transport
