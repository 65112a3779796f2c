// A connection driven by a thread that waits for something on it, and handed to the keeper and back.
#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>
#include <span>
#include <thread>

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

// A driver that has left is back within this, if it will be: until then another one leaves it its lane.
constexpr Duration kSoonBack = std::chrono::milliseconds(1);

}  // namespace

Connection::Driver* Connection::free_driver(const CallState& state) noexcept {
  if (reactor_ != nullptr || over_) return nullptr;
  if (state.bulk && two_lanes() && bulk_driver_.waits == nullptr) return &bulk_driver_;
  return main_driver_.waits == nullptr ? &main_driver_ : nullptr;
}

void Connection::ring_drivers() noexcept {
  main_driver_.ring();
  bulk_driver_.ring();
}

Status Connection::drive(Lock& lock, Driver& driver, CallState& state, const std::function<bool()>& satisfied,
                         TimePoint give_up) {
  if (!driver.wakeup) driver.wakeup.emplace();
  driver.waits = &state;
  driver.since = now_;
  take_from_keeper();
  Status status;
  while (!satisfied() && !over_) {
    const Lanes readable = has_unreported() ? kMainLane | kBulkLane : park(lock, driver, give_up, status);
    if (!status.ok()) break;
    pump(now(), readable);
    run_tasks(lock);
    if (now_ >= give_up && !satisfied()) {
      status = Status(Code::kDeadlineExceeded, "not in time");
      break;
    }
  }
  leave(driver);
  return status;
}

namespace {

/// Polls without sleeping until there is something, or until then; says when it ended. Whoever else wants the
/// processor has it in between.
int look(std::span<pollfd> polled, TimePoint until, TimePoint& end) noexcept {
  while (end < until) {
    const int count = ::poll(polled.data(), polled.size(), 0);
    end = real_now();
    if (count != 0) return count;
    std::this_thread::yield();
  }
  return 0;
}

}  // namespace

/// Others may send meanwhile; what they need of this thread they ring for.
Connection::Lanes Connection::park(Lock& lock, Driver& driver, TimePoint give_up, Status& status) {
  TimePoint until = std::min(give_up, calls_.next_timeout());
  TimePoint at = now_;
  // Without a descriptor for the ring its rings are not heard.
  const bool slices = options_.interrupted || !driver.wakeup->valid();
  if (slices || until != kNever) at = now();
  if (slices) until = std::min(until, at + kInterruptSlice);
  driver.watches = kMainLane;
  const bool two = two_lanes();
  if (two) {
    const Driver& other = &driver == &main_driver_ ? bulk_driver_ : main_driver_;
    driver.watches = driver.lane;
    if (other.waits != nullptr || now_ - other.left < kSoonBack) {
      until = std::min(until, at + kSoonBack);
    } else {
      driver.watches |= other.lane;
    }
  }
  driver.parked = true;
  driver.until = until;
  driver.for_write = (main_.wants_write() ? kMainLane : 0U) | (two && bulk_->wants_write() ? kBulkLane : 0U);
  const auto wanted = [&driver](const LaneEnd& end, Lanes lane) {
    const int fd = (driver.watches & lane) != 0 ? end.descriptor() : -1;
    const int events = (driver.for_write & lane) != 0 ? POLLIN | POLLOUT : POLLIN;
    return pollfd{fd, static_cast<short>(events), 0};
  };
  std::array<pollfd, 3> fds{};
  fds[0] = wanted(main_, kMainLane);
  fds[1] = {driver.wakeup->descriptor(), POLLIN, 0};
  if (two) fds[2] = wanted(*bulk_, kBulkLane);
  const bool yield = two && take_yield();
  const Duration budget = spin_.budget();
  Duration waited{};
  lock.unlock();
  if (yield) std::this_thread::yield();
  const int timeout = poll_timeout(until, at);
  const std::span<pollfd> polled = std::span(fds).first(two ? 3 : 2);
  int count = 0;
  if (two) {
    count = ::poll(polled.data(), polled.size(), timeout);
  } else {
    const TimePoint start = real_now();
    TimePoint end = start;
    if (timeout != 0) count = look(polled, start + budget, end);
    if (count == 0) {
      count = ::poll(polled.data(), polled.size(), timeout);
      end = real_now();
    }
    waited = end - start;
  }
  const int error = errno;
  if (fds[2].revents != 0) mutex_.give_way();
  lock.lock();
  driver.parked = false;
  if (fds[1].revents != 0) driver.wakeup->clear();
  if (!two) spin_.waited(waited);
  const bool nothing = count <= 0;
  if (nothing && (count == 0 || error == EINTR) && asked_to_stop(lock)) {
    status = Status(Code::kCancelled, "interrupted");
  }
  return (fds[0].revents != 0 ? kMainLane : 0U) | (fds[2].revents != 0 ? kBulkLane : 0U);
}

void Connection::leave(Driver& driver) {
  driver.waits = nullptr;
  driver.left = last_driven_ = now_;
  if (pass_on() || driven()) return;
  if (armed_ > 0) {
    attend();
  } else if (keeper_ && !on_keeper_list_ && !over_) {
    on_keeper_list_ = true;
    keeper_->note(weak_from_this());
  }
}

bool Connection::pass_on() noexcept {
  const auto heir = std::ranges::find_if(
      followers_, [this](const CallState* follower) { return free_driver(*follower) != nullptr; });
  if (heir == followers_.end()) return false;
  (*heir)->changed.notify_all();
  return true;
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
  if (driven()) {
    // Who drives notes it again when it leaves.
    const Driver& driver = main_driver_.waits != nullptr ? main_driver_ : bulk_driver_;
    if (manual || at - driver.since < kLongOwned) return false;
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
  ring_drivers();
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
