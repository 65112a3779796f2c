#include "transport/runtime/signal.h"

#include <climits>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "transport/runtime/clock.h"

namespace leat::transport {
namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value,
           const timespec* timeout) noexcept {
  return ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation, value, timeout, nullptr, 0);
}

}  // namespace

void Signal::wait(Lock& lock, TimePoint until) {
  const std::uint32_t seen = notified_.load(std::memory_order_relaxed);
  ++waiting_;
  lock.unlock();
  if (until == kNever) {
    futex(notified_, FUTEX_WAIT_PRIVATE, seen, nullptr);
  } else if (const int left = poll_timeout(until, now()); left > 0) {
    const timespec relative{left / 1000, left % 1000 * 1'000'000L};
    futex(notified_, FUTEX_WAIT_PRIVATE, seen, &relative);
  }
  lock.lock();
  --waiting_;
}

bool Signal::notify_all() noexcept {
  if (waiting_ == 0) return false;
  notified_.fetch_add(1, std::memory_order_relaxed);
  futex(notified_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr);
  return true;
}

}  // namespace leat::transport
