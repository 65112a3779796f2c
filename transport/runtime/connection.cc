#include "transport/runtime/connection.h"

#include <algorithm>

#include "transport/runtime/clock.h"
#include "transport/runtime/health_ask.h"
#include "transport/runtime/keeper.h"

namespace leat::transport {

using session::Event;

namespace {

// As much as one turn reads or hands down before it looks at the other work again.
constexpr std::size_t kReadLimit = 1U << 20U;
constexpr std::size_t kWriteLimit = 512U << 10U;
// A burst, to flush_soon(): frames that follow a write in less time than an answer to it takes, up to what
// one write should hold.
constexpr Duration kBurst = std::chrono::microseconds(50);
// The same where a write wakes another thread, as libzmq's.
constexpr Duration kBurstOfHandedOver = std::chrono::microseconds(300);
constexpr std::uint64_t kBurstBytes = 16U << 10U;
// What frames take beside their messages; nothing depends on how much it is.
constexpr std::uint64_t kFrames = 64;

class Readiness final : public CallState {
 public:
  void on_event(Event& /*event*/) override {}
  [[nodiscard]] bool has_come(Moment /*moment*/) override { return false; }
};

}  // namespace

Connection::Connection(std::unique_ptr<Link> link, ConnectionOptions options)
    : options_(std::move(options)),
      scheme_(link->scheme()),
      remote_(link->remote()),
      link_key_(link.get()),
      calls_(options_.session, now()),
      main_(Lane::kMain, std::move(link), calls_.session()),
      now_(now()),
      readiness_(std::make_shared<Readiness>()),
      last_driven_(now_),
      spin_(options_.spin, std::thread::hardware_concurrency()) {
  const Lock lock(mutex_);
  send_queued(now_);
  publish_interest();
}

Connection::~Connection() {
  if (process_.forked()) {
    main_.disown();
    if (bulk_) bulk_->disown();
  } else {
    main_.close();
    if (bulk_) bulk_->close();
  }
}

// ---- bytes
// ----------------------------------------------------------------------------------------------------------

void Connection::lost(LaneEnd& lane, Status status) {
  if (!was_open()) {
    status = Status(status.code(),
                    status.message() +
                        "; does a Leat server that takes connections listen there, and under this scheme?");
  }
  status.with_context(options_.url);
  if (&lane == bulk_.get()) {
    unregister(lane);
    lane.close();
    calls_.session().lane_lost(Lane::kBulk, std::move(status), now_);
  } else {
    calls_.session().lane_lost(Lane::kMain, std::move(status), now_);
  }
}

void Connection::receive(LaneEnd& lane, std::size_t limit, TimePoint at) {
  if (lane.closed() || calls_.session().closed()) return;
  if (const Result<std::size_t> received = lane.receive(limit, at); !received) lost(lane, received.error());
}

/// Everything there is to do at once: read, expire, tell, write. With the lock held.
void Connection::pump(TimePoint at, Lanes readable) {
  now_ = at;
  if ((readable & kMainLane) != 0) receive(main_, kReadLimit, at);
  if (at >= calls_.next_timeout()) calls_.on_timeout(at);
  handle_events(at);
  send_queued(at);
  if (bulk_ && (readable & kBulkLane) != 0) {
    // What is urgent has been read, told and answered by now.
    receive(*bulk_, bulk_turn(options_.bulk_read_beside), at);
    handle_events(at);
    send_queued(at);
    send_lane(*bulk_, bulk_turn(options_.bulk_write_beside), at);
  }
  publish_interest();
}

void Connection::send_lane(LaneEnd& lane, std::size_t limit, TimePoint at) {
  const Result<std::size_t> sent = lane.send(limit, at);
  if (!sent) {
    lost(lane, sent.error());
  } else if (*sent > 0) {
    written_at_ = at;
  }
}

void Connection::send_queued(TimePoint at) {
  session::Session& session = calls_.session();
  unflushed_ = 0;
  const bool urgent = session.has_output(Lane::kMain);
  send_lane(main_, kWriteLimit, at);
  if (bulk_ && bulk_->unsent()) {
    // A turn that had something urgent to send leaves bulk to whoever finds its link writable, which is at
    // once.
    if (urgent) {
      bulk_->send_later();
    } else {
      send_lane(*bulk_, bulk_turn(options_.bulk_write_beside), at);
    }
  }
  if (session.has_event()) handle_events(at);
  if (session.closed() && !links_closed_ && (!main_.half_sent() || over_)) {
    // The goodbye is out (or can't get out): nothing keeps the links.
    if (!session.has_output(Lane::kMain) || main_.half_sent()) close_links();
  }
}

void Connection::flush(Lock& lock) {
  if (corked_by_ == std::this_thread::get_id()) return;
  now_ = now();
  send_queued(now_);
  publish_interest();
  run_tasks(lock);
}

void Connection::consumed(Lock& lock, wire::StreamId stream, std::uint64_t wire_bytes) {
  session::Session& session = calls_.session();
  const bool others_wait = session.has_output();
  session.consumed(stream, wire_bytes);
  if (!others_wait && session.has_output()) flush(lock);
}

void Connection::flush_soon(Lock& lock, std::uint64_t bytes, TimePoint at) {
  if (corked_by_ == std::this_thread::get_id()) return;
  unflushed_ += bytes + kFrames;
  if (!keeper_ || unflushed_ >= kBurstBytes ||
      at - written_at_ >= (main_.asks() ? kBurstOfHandedOver : kBurst)) {
    flush(lock);
    return;
  }
  if (std::exchange(on_keeper_list_, true)) return;
  keeper_->note(weak_from_this());
}

/// True if there is something to do that no descriptor reports.
bool Connection::has_unreported() { return main_.has_unreported() || (bulk_ && bulk_->has_unreported()); }

/// Tells whoever polls for us what to wait for now.
void Connection::publish_interest() {
  const TimePoint timeout = links_closed_ ? kNever : calls_.next_timeout();
  const TimePoint::rep timeout_count = timeout.time_since_epoch().count();
  const bool write = main_.wants_write();
  const bool bulk_write = bulk_ && bulk_->wants_write();
  const bool timeout_changed = timeout_.exchange(timeout_count) != timeout_count;
  const bool write_changed = main_.published_write.exchange(write) != write;
  const bool bulk_changed = bulk_ && bulk_->published_write.exchange(bulk_write) != bulk_write;
  if (driven()) {
    const bool all = over_ || has_unreported();
    const Lanes wanted = (write ? kMainLane : 0U) | (bulk_write ? kBulkLane : 0U);
    for (Driver* driver : {&main_driver_, &bulk_driver_}) {
      const bool more = (wanted & driver->watches & ~driver->for_write) != 0;
      if (all || more || timeout < driver->until) driver->ring();
    }
  }
  Reactor* const reactor = watching();
  if (reactor == nullptr) return;
  if (const Reactor::SourceId id = main_.source_id; id != 0 && (write_changed || timeout_changed)) {
    reactor->update(id);
  }
  if (bulk_changed) reactor->update(bulk_->source_id);
  if (has_unreported()) reactor->wake();
}

bool Connection::pending() noexcept {
  const Lock lock(mutex_);
  return has_unreported();
}

TimePoint Connection::next_timeout() noexcept {
  return TimePoint(Duration(timeout_.load(std::memory_order_relaxed)));
}

void Connection::service_lanes(TimePoint at, Lanes readable) {
  Lock lock = (readable & kBulkLane) != 0 ? lock_for_bulk() : Connection::lock();
  pump(at, readable);
  run_tasks(lock);
  const bool yield = (readable & kBulkLane) != 0 && take_yield();
  lock.unlock();
  if (yield) std::this_thread::yield();
}

/// A thread that moves bulk never waits, so the system lets it run for milliseconds before those whom it has
/// woken, on either side: they are to have the processor between two turns.
bool Connection::take_yield() noexcept {
  const std::uint64_t moved = bulk_ ? bulk_->bytes_sent + bulk_->bytes_received : 0;
  return std::exchange(bulk_moved_, moved) != moved && calls_.session().calls_active(now_);
}

/// Runs what was deferred, without the lock; answers that inline handlers give meanwhile leave together.
void Connection::run_tasks(Lock& lock) {
  while (!tasks_.empty() && corked_by_ != std::this_thread::get_id()) {
    std::vector<Task> tasks = std::exchange(tasks_, std::move(spare_tasks_));
    const std::shared_ptr<Connection> alive = weak_from_this().lock();
    const bool cork = corked_by_ == std::thread::id();
    if (cork) corked_by_ = std::this_thread::get_id();
    lock.unlock();
    TimePoint started = task_clock() = real_now();
    for (Task& task : tasks) {
      const TimePoint before = task_clock();
      task();
      task = nullptr;  // not later, under the lock: it may hold the last handle of a call, whose end takes it
      if (task_clock() == before) task_clock() = real_now();  // a task that has not looked
      const TimePoint at = task_clock();
      if (cork && at - started > std::chrono::microseconds(200)) {
        // The first answers have waited long enough for the last ones.
        started = at;
        lock.lock();
        send_queued(now());
        publish_interest();
        lock.unlock();
      }
    }
    lock.lock();
    tasks.clear();
    spare_tasks_ = std::move(tasks);
    if (cork) corked_by_ = std::thread::id();
    send_queued(now());
    publish_interest();
  }
}

// ---- events
// ---------------------------------------------------------------------------------------------------------

void Connection::keep(wire::StreamId stream, std::shared_ptr<CallState> state) {
  calls_started_.fetch_add(1, std::memory_order_relaxed);
  states_.insert(stream.value, std::move(state));
}

void Connection::drop(wire::StreamId stream) { states_.extract(stream.value); }

void Connection::handle_events(TimePoint at) {
  // What is done with one may bring others; they wait for those that came before them.
  if (std::exchange(handling_, true)) return;
  session::Session& session = calls_.session();
  while (session.has_event()) {
    session::Session::Events events = session.take_events();
    for (Event& event : events) {
      calls_.note(event, at);
      handle(event, at);
    }
    session.reuse_events(std::move(events));
  }
  handling_ = false;
}

void Connection::handle(Event& event, TimePoint at) {
  switch (event.kind) {
    case Event::Kind::kReady:
      open_.store(true, std::memory_order_release);
      was_open_.store(true, std::memory_order_release);
      announce(*readiness_);
      tell_handler(true);
      if (early_lane_) defer([self = shared_from_this()] { self->add_lane(std::move(self->early_lane_)); });
      return;
    case Event::Kind::kOpened:
      if (const std::shared_ptr<RequestHandler> handler = options_.handler.lock(); !handler) {
        calls_.reject(event.stream, {Code::kUnimplemented, "this side serves nothing"});
      } else if (std::shared_ptr<CallState> state = handler->on_request(*this, event, at)) {
        keep(event.stream, std::move(state));
      }
      return;
    case Event::Kind::kGoingAway:
      defer([self = shared_from_this(), status = std::move(event.status)] {
        if (const auto handler = self->options_.handler.lock()) handler->on_going_away(*self, status);
      });
      return;
    case Event::Kind::kLaneWanted:
      defer([self = shared_from_this()] {
        if (const auto handler = self->options_.handler.lock()) {
          handler->on_lane_wanted(*self);
        } else {
          self->lane_refused({Code::kUnavailable, "nobody opens links here"});
        }
      });
      return;
    case Event::Kind::kAttach:
      defer([self = shared_from_this(), token = event.token] {
        if (const auto handler = self->options_.handler.lock()) {
          handler->on_attach(*self, token);
        } else {
          self->close(Code::kNotFound, "no session takes this second lane");
        }
      });
      return;
    case Event::Kind::kHealthAsked: {
      const std::shared_ptr<RequestHandler> handler = options_.handler.lock();
      calls_.session().answer_health(event.health_id, handler ? handler->health(event.open->service)
                                                              : wire::HealthState::kUnknownService);
      return;
    }
    case Event::Kind::kHealth: answer_health(event); return;
    case Event::Kind::kClosed: {
      over_ = true;
      for (const auto& [id, ask] : std::exchange(health_asks_, {})) announce(*ask);
      open_.store(false, std::memory_order_release);
      closed_status_ = std::move(event.status);
      ring_drivers();
      announce(*readiness_);
      tell_handler(false);
      return;
    }
    default: break;
  }
  if (event.kind == Event::Kind::kEnded || event.kind == Event::Kind::kCancelled) {
    const std::shared_ptr<CallState> state = states_.extract(event.stream.value);
    if (!state) return;  // nobody is left to be told
    state->on_event(event);
    announce(*state);
  } else if (std::shared_ptr<CallState>* const at_stream = states_.find(event.stream.value)) {
    const std::shared_ptr<CallState> state = *at_stream;  // it may be dropped meanwhile
    state->on_event(event);
    announce(*state);
  }
}

void Connection::tell_handler(bool open) {
  defer([self = shared_from_this(), open] {
    if (const std::shared_ptr<RequestHandler> handler = self->options_.handler.lock()) {
      handler->on_connection(*self, open, self->closed_status_);
    }
  });
}

void Connection::announce(CallState& state) {
  // Found by another thread than the one that drives, which may wait for just this.
  for (Driver* driver : {&main_driver_, &bulk_driver_}) {
    if (driver->waits == &state) driver->ring();
  }
  state.changed.notify_all();
  if (!state.watched()) return;
  state.take_watchers([this](Task notify) {
    --armed_;
    defer(std::move(notify));
  });
}

void Connection::watch_moment(Lock lock, CallState& state, Moment moment, std::function<void()> notify) {
  // What it replaces may hold the last handle of a call, whose end takes the lock.
  const std::function<void()> replaced = std::exchange(state.watcher(moment), nullptr);
  if (replaced) --armed_;
  if (state.has_come(moment)) {
    lock.unlock();
    notify();
    return;
  }
  state.watcher(moment) = std::move(notify);
  ++armed_;
  attend();
  lock.unlock();  // before what is replaced goes
}

/// Sees to it that somebody reads the links although no thread waits for them.
void Connection::attend() {
  if (reactor_ != nullptr || driven() || adopted_ || over_ || !keeper_) return;
  adopted_ = true;
  keeper_->wake_up();
  register_with(keeper_->reactor());
}

// ---- waiting
// --------------------------------------------------------------------------------------------------------

bool Connection::asked_to_stop(Lock& lock) const {
  if (!options_.interrupted) return false;
  lock.unlock();
  const bool stop = options_.interrupted();
  lock.lock();
  return stop;
}

/// Whoever is about to wait sends what was held back: what flush_soon() has left, and, where an inline
/// handler waits after all, what it has said, or the answer would never come.
void Connection::send_held_back() {
  if (unflushed_ == 0 && corked_by_ != std::this_thread::get_id()) return;
  send_queued(now());
  publish_interest();
}

Status Connection::wait_for(Lock& lock, CallState& state, const std::function<bool()>& satisfied,
                            TimePoint until) {
  send_held_back();
  Status status;
  while (!satisfied() && status.ok()) {
    if (Driver* const driver = free_driver(state); driver != nullptr) {
      status = drive(lock, *driver, state, satisfied, until);
      continue;
    }
    followers_.push_back(&state);
    state.changed.wait(lock, options_.interrupted ? std::min(until, after(kInterruptSlice)) : until);
    // One entry of it: another thread may wait for the same call.
    followers_.erase(std::ranges::find(followers_, &state));
    if (satisfied()) break;
    if (asked_to_stop(lock)) status = Status(Code::kCancelled, "interrupted");
    if (until != kNever && now() >= until) status = Status(Code::kDeadlineExceeded, "not in time");
  }
  // Whoever was asked to take over but has what it wanted already passes the request on.
  pass_on();
  return status;
}

}  // namespace leat::transport
