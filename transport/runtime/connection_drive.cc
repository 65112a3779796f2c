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
// The same while a thread is busy with calls on the connection: it will read when it has to wait, and two
// threads at one lock are slower than one.
constexpr Duration kUnreadBeforeKeeper = std::chrono::milliseconds(20);

}  // namespace

Status Connection::drive(Lock& lock, const std::function<bool()>& satisfied, TimePoint give_up) {
  owned_ = true;
  owned_since_ = now_;
  take_from_keeper();
  Status status;
  while (!satisfied() && !over_) {
    Lanes readable = kMainLane | kBulkLane;
    if (!has_unreported()) {
      // Wait. Others may send meanwhile; what they need of us they ring for.
      TimePoint until = std::min(give_up, calls_.next_timeout());
      TimePoint at = now_;
      if (options_.interrupted || until != kNever) at = now();
      if (options_.interrupted) until = std::min(until, at + kInterruptSlice);
      const bool two_lanes = bulk_ && !bulk_->closed();
      parked_ = true;
      parked_until_ = until;
      parked_for_write_ = main_.wants_write();
      parked_for_bulk_write_ = two_lanes && bulk_->wants_write();
      const auto events = [](bool write) { return static_cast<short>(write ? POLLIN | POLLOUT : POLLIN); };
      std::array<pollfd, 3> fds{};
      fds[0] = {main_.descriptor(), events(parked_for_write_), 0};
      fds[1] = {wakeup_.descriptor(), POLLIN, 0};
      if (two_lanes) fds[2] = {bulk_->descriptor(), events(parked_for_bulk_write_), 0};
      const bool yield = two_lanes && take_yield();
      lock.unlock();
      if (yield) std::this_thread::yield();
      const int count = ::poll(fds.data(), two_lanes ? 3 : 2, poll_timeout(until, at));
      const int error = errno;
      if (fds[2].revents != 0) mutex_.give_way();
      lock.lock();
      parked_ = false;
      if (fds[1].revents != 0) wakeup_.clear();
      readable = (fds[0].revents != 0 ? kMainLane : 0U) | (fds[2].revents != 0 ? kBulkLane : 0U);
      const bool nothing = count <= 0;
      if (nothing && (count == 0 || error == EINTR) && asked_to_stop(lock)) {
        status = Status(Code::kCancelled, "interrupted");
        break;
      }
    }
    pump(now(), readable);
    run_tasks(lock);
    if (now_ >= give_up && !satisfied()) {
      status = Status(Code::kDeadlineExceeded, "not in time");
      break;
    }
  }
  leave_ownership();
  return status;
}

bool Connection::keeper_tick(TimePoint at) {
  Lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return false;  // somebody is at it
  if (unflushed_ > 0 && !over_) flush(lock);
  const bool busy = std::exchange(uses_, 0) > 0;
  const bool manual = time_is_manual();  // then the times of the connection are not those of threads
  if (over_) {
    on_keeper_list_ = false;
    return true;
  }
  if (reactor_ != nullptr) {
    on_keeper_list_ = false;
    return true;
  }
  if (owned_) {
    // Its owner notes it again when it leaves.
    if (manual || at - owned_since_ < kLongOwned) return false;
    on_keeper_list_ = false;
    return true;
  }
  if (!manual && at - last_driven_ < (busy ? kUnreadBeforeKeeper : kIdleBeforeKeeper)) return false;
  on_keeper_list_ = false;
  attend();
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
  close_links();
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
  stats.bytes_sent = main_.bytes_sent + (bulk_ ? bulk_->bytes_sent : 0);
  stats.bytes_received = main_.bytes_received + (bulk_ ? bulk_->bytes_received : 0);
  stats.calls_started = calls_started_;
  stats.calls_failed = calls_failed_;
  stats.calls_in_flight = states_.size();
  if (!over_) stats.lanes = calls_.session().lane_attached() ? 2 : 1;
  return stats;
}

}  // namespace leat::transport
