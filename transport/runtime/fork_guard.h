#pragma once

#include <atomic>
#include <pthread.h>

namespace leat::transport {

/// Remembers the process that made it. A forked child has copies of our objects but none of our threads, and
/// shares our sockets: whatever it would send or close there is the parent's.
class ForkGuard {
 public:
  [[nodiscard]] bool forked() const noexcept {
    return forks().load(std::memory_order_relaxed) != made_after_;
  }

 private:
  /// How many forks this process is away from the first one. Cheaper than asking for the process's number,
  /// which is a system call.
  static std::atomic<unsigned>& forks() noexcept {
    static std::atomic<unsigned> count{0};
    [[maybe_unused]] static const int kWatched = ::pthread_atfork(nullptr, nullptr, [] { ++count; });
    return count;
  }
  unsigned made_after_ = forks().load(std::memory_order_relaxed);
};

}  // namespace leat::transport
