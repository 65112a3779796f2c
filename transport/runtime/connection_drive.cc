// A connection driven by a thread that waits for something on it, and handed to the keeper and back.
#include <array>
#include <cerrno>
#include <poll.h>

#include "transport/runtime/clock.h"
#include "transport/runtime/connection.h"
#include "transport/runtime/keeper.h"

namespace leat::transport {
namespace {

// Longer than this, and the thread is waiting for something that takes time: the keeper need not look every
// tick.
constexpr Duration kLongOwned = std::chrono::milliseconds(5);
constexpr Duration kIdleBeforeKeeper = std::chrono::milliseconds(1);

}  // namespace

Status Connection::drive(Lock& lock, const std::function<bool()>& satisfied) {
  owned_ = true;
  owned_since_ = now_;
  if (adopted_) {
    adopted_ = false;
    keeper_->reactor().remove(source_id_.exchange(0));
  }
  Status status;
  while (!satisfied() && !over_) {
    if (!has_unreported()) {
      // Wait. Others may send meanwhile; what they need of us they ring for.
      TimePoint until = calls_.next_timeout();
      TimePoint at = now_;
      if (options_.interrupted || until != kNever) at = now();
      if (options_.interrupted) until = std::min(until, at + kInterruptSlice);
      std::array<pollfd, 2> fds{};
      fds[0] = {link_->descriptor(), POLLIN, 0};
      if (wants_write_.load(std::memory_order_relaxed)) fds[0].events |= POLLOUT;
      fds[1] = {wakeup_.descriptor(), POLLIN, 0};
      parked_ = true;
      parked_until_ = until;
      parked_for_write_ = (fds[0].events & POLLOUT) != 0;
      lock.unlock();
      const int count = ::poll(fds.data(), fds.size(), poll_timeout(until, at));
      const int error = errno;
      lock.lock();
      parked_ = false;
      if (fds[1].revents != 0) wakeup_.clear();
      const bool nothing = count <= 0;
      if (nothing && (count == 0 || error == EINTR) && asked_to_stop(lock)) {
        status = Status(Code::kCancelled, "interrupted");
        break;
      }
    }
    pump(now());
    run_tasks(lock);
  }
  leave_ownership();
  return status;
}

bool Connection::keeper_tick(TimePoint at) {
  const Lock lock(mutex_);
  if (over_) {
    on_keeper_list_ = false;
    return true;
  }
  if (owned_) {
    // Its owner notes it again when it leaves.
    if (at - owned_since_ < kLongOwned) return false;
    on_keeper_list_ = false;
    return true;
  }
  if (at - last_driven_ < kIdleBeforeKeeper) return false;
  on_keeper_list_ = false;
  adopted_ = true;
  source_id_ = keeper_->reactor().add(shared_from_this());
  return true;
}

Status Connection::wait_ready() {
  Lock lock(mutex_);
  Status waited = wait(lock, *readiness_, [this] { return open() || over_; });
  if (!waited.ok()) return waited;
  if (over_) return closed_status_;
  return {};
}

void Connection::close(Code code, std::string reason) {
  if (process_.forked()) return;
  Lock lock(mutex_);
  now_ = now();
  calls_.session().close(code, std::move(reason));
  handle_events(now_);
  send_queued(now_);
  close_link();
  over_ = true;
  open_.store(false, std::memory_order_release);
  wakeup_.ring();
  for (CallState* follower : followers_) follower->changed.notify_all();
  run_tasks(lock);
}

wire::Terms Connection::remote_terms() {
  const Lock lock(mutex_);
  return calls_.session().remote();
}

bool Connection::saw_garbage() {
  const Lock lock(mutex_);
  return calls_.session().saw_garbage();
}

PeerStats Connection::stats() {
  const Lock lock(mutex_);
  PeerStats stats;
  stats.bytes_sent = bytes_sent_;
  stats.bytes_received = bytes_received_;
  stats.calls_started = calls_started_;
  stats.calls_failed = calls_failed_;
  stats.calls_in_flight = states_.size();
  return stats;
}

}  // namespace leat::transport
