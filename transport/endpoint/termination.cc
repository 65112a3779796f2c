#include "transport/endpoint/termination.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <poll.h>
#include <unistd.h>
#include <utility>

#include "transport/runtime/clock.h"

namespace leat::transport {
namespace {

// What the signal handler reads: descriptors to ring plus one, 0 where there is none. A fixed table, since a
// handler may touch nothing that a lock guards.
constexpr std::size_t kMost = 16;
std::array<std::atomic<int>, kMost> rung_by_signal{};
std::atomic<bool> signalled{false};

std::mutex mutex;
std::size_t watches = 0;
bool installed = false;
struct sigaction before{};

extern "C" void on_sigterm(int /*signal*/) {
  const int error = errno;
  signalled.store(true);
  for (const std::atomic<int>& slot : rung_by_signal) {
    const int fd = slot.load() - 1;
    const std::uint64_t one = 1;
    if (fd >= 0) [[maybe_unused]]
      const ssize_t written = ::write(fd, &one, sizeof one);
  }
  errno = error;
}

}  // namespace

TerminationWatch::TerminationWatch(bool sigterm) : sigterm_(sigterm) {
  if (!sigterm_) return;
  const std::lock_guard lock(mutex);
  for (std::atomic<int>& slot : rung_by_signal) {
    int none = 0;
    if (slot.compare_exchange_strong(none, wakeup_.descriptor() + 1)) break;
  }
  if (watches++ > 0) return;
  signalled = false;
  struct sigaction now_set{};
  ::sigaction(SIGTERM, nullptr, &now_set);
  if ((now_set.sa_flags & SA_SIGINFO) != 0 || now_set.sa_handler != SIG_DFL)
    return;  // the program's own affair
  struct sigaction ours{};
  ours.sa_handler = &on_sigterm;
  ours.sa_flags = SA_RESTART;
  ::sigemptyset(&ours.sa_mask);
  installed = ::sigaction(SIGTERM, &ours, &before) == 0;
}

TerminationWatch::~TerminationWatch() {
  if (!sigterm_) return;
  const std::lock_guard lock(mutex);
  if (--watches == 0 && std::exchange(installed, false)) ::sigaction(SIGTERM, &before, nullptr);
  for (std::atomic<int>& slot : rung_by_signal) {
    int mine = wakeup_.descriptor() + 1;
    if (slot.compare_exchange_strong(mine, 0)) break;
  }
}

bool TerminationWatch::wait(TimePoint until) {
  pollfd wanted{wakeup_.descriptor(), POLLIN, 0};
  const auto told = [this] { return sigterm_ && signalled; };
  if (!told()) ::poll(&wanted, 1, poll_timeout(until, now()));
  wakeup_.clear();
  return told();
}

}  // namespace leat::transport
