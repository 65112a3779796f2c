// What waiting threads of a connection sleep on, and the lock that they share.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>

#include <leat/blocking.h>
#include <leat/context.h>

namespace leat::transport {

/// A mutex that knows whether somebody wants it. A thread that takes it again and again to move bulk would
/// win it each time, since whoever waits has to wake up first; so between two turns it asks wanted() and
/// gives way.
class SharedLock {
 public:
  void lock() {
    if (mutex_.try_lock()) return;
    BeforeBlocking::tell();
    wanted_.fetch_add(1, std::memory_order_relaxed);
    mutex_.lock();
    wanted_.fetch_sub(1, std::memory_order_relaxed);
  }
  bool try_lock() { return mutex_.try_lock(); }
  void unlock() { mutex_.unlock(); }

  /// Lets those who want the lock have it; to be called without it. Returns soon in any case.
  void give_way() noexcept {
    // A thread that was woken needs some microseconds to get here; many yields are as long as a time slice.
    for (int i = 0; i < kMostYields && wanted_.load(std::memory_order_relaxed) > 0; ++i)
      std::this_thread::yield();
  }

 private:
  static constexpr int kMostYields = 64;
  std::mutex mutex_;
  std::atomic<std::uint32_t> wanted_{0};
};

/// A condition variable for SharedLock, as a futex of our own: notify_all() costs nothing while nobody waits.
class Signal {
 public:
  using Lock = std::unique_lock<SharedLock>;

  /// Waits until notified, or until `until`; may return for no reason, so ask again. The lock is held before
  /// and after.
  void wait(Lock& lock, TimePoint until);
  /// With the lock held. True if somebody waits.
  bool notify_all() noexcept;

 private:
  std::atomic<std::uint32_t> notified_{0};
  std::uint32_t waiting_ = 0;  // guarded by the lock
};

}  // namespace leat::transport
