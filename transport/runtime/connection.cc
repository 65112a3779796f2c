#include "transport/runtime/connection.h"

#include <algorithm>

#include "transport/runtime/clock.h"
#include "transport/runtime/keeper.h"

namespace leat::transport {

using session::Event;

namespace {

// As much as one turn reads or hands down before it looks at the other work again.
constexpr std::size_t kReadLimit = 1U << 20U;
constexpr std::size_t kWriteLimit = 512U << 10U;

class Readiness final : public CallState {
 public:
  void on_event(Event& /*event*/) override {}
};

}  // namespace

Connection::Connection(std::unique_ptr<Link> link, ConnectionOptions options)
    : options_(std::move(options)),
      link_(std::move(link)),
      asks_(link_->scheme() != "tcp" && link_->scheme() != "ipc"),
      calls_(options_.session, now()),
      now_(now()),
      readiness_(std::make_shared<Readiness>()),
      last_driven_(now_),
      owned_since_(now_) {
  const Lock lock(mutex_);
  send_queued(now_);
  publish_interest();
}

Connection::~Connection() {
  if (process_.forked()) {
    static_cast<void>(link_.release());  // the parent's: not ours to close
  } else {
    link_->close();
  }
}

void Connection::watch(Reactor& reactor) {
  reactor_ = &reactor;
  source_id_ = reactor.add(shared_from_this());
  if (source_id_ == 0) close(Code::kResourceExhausted, "the process is out of file descriptors");
}

// ---- bytes
// ----------------------------------------------------------------------------------------------------------

Receiver::Space Connection::prepare(Lane /*lane*/) {
  const session::FrameReader::Space space = calls_.session().prepare();
  return {space.body, space.scratch};
}

void Connection::commit(Lane /*lane*/, std::size_t size) {
  bytes_received_.fetch_add(size, std::memory_order_relaxed);
  calls_.session().commit(size, now_);
}

void Connection::deliver(Lane /*lane*/, Bytes bytes) {
  bytes_received_.fetch_add(bytes.size(), std::memory_order_relaxed);
  calls_.session().receive(bytes, now_);
}

void Connection::lost(Status status) {
  if (!was_open()) {
    status =
        Status(status.code(), status.message() + "; does a Leat server listen there, and under this scheme?");
  }
  status.with_context(options_.url);
  calls_.session().link_lost(std::move(status));
}

/// Everything there is to do at once: read, expire, tell, write. With the lock held.
void Connection::pump(TimePoint at) {
  now_ = at;
  if (!link_closed_ && !calls_.session().closed()) {
    if (Result<std::size_t> received = link_->receive(*this, kReadLimit); !received) lost(received.error());
  }
  if (at >= calls_.next_timeout()) calls_.on_timeout(at);
  handle_events(at);
  send_queued(at);
  publish_interest();
}

void Connection::send_queued(TimePoint at) {
  session::Session& session = calls_.session();
  std::size_t sent = 0;
  while (!link_closed_ && sent < kWriteLimit) {
    if (batch_.empty()) {
      const std::size_t budget = link_->send_budget(Lane::kMain);
      if (budget == 0) break;
      session.transmit(batch_, std::min(budget, kWriteLimit), at);
      if (batch_.empty()) break;
    }
    const Result<std::size_t> taken = link_->send(Lane::kMain, batch_.slices());
    if (!taken) {
      batch_.clear();
      lost(taken.error());
      break;
    }
    sent += *taken;
    batch_.taken(*taken);
    if (!batch_.empty()) break;
  }
  // Others get their turn now; ours comes back at once, since the descriptor is writable or we say so when
  // asked.
  send_again_ = sent >= kWriteLimit && (!batch_.empty() || session.has_output());
  bytes_sent_.fetch_add(sent, std::memory_order_relaxed);
  if (session.has_event()) handle_events(at);
  if (session.closed() && (batch_.empty() || over_) && !link_closed_) {
    // The goodbye is out (or can't get out): nothing keeps the link.
    if (!session.has_output() || !batch_.empty()) close_link();
  }
}

/// The reactor lets go of the descriptor before it is closed: its number may be another connection's a moment
/// later.
void Connection::close_link() {
  if (link_closed_) return;
  Reactor* reactor = adopted_ ? &keeper_->reactor() : reactor_;
  const Reactor::SourceId id = source_id_.exchange(0);
  adopted_ = false;
  if (reactor != nullptr && id != 0) reactor->remove(id);
  link_closed_ = true;
  link_->close();
}

void Connection::flush(Lock& lock) {
  if (corked_by_ == std::this_thread::get_id()) return;
  now_ = now();
  send_queued(now_);
  publish_interest();
  run_tasks(lock);
}

/// True if there is something to do that no descriptor reports.
bool Connection::has_unreported() { return asks_ && !link_closed_ && (send_again_ || link_->pending()); }

/// Tells whoever polls for us what to wait for now.
void Connection::publish_interest() {
  const bool more = !batch_.empty() || calls_.session().has_output();
  const bool write = !link_closed_ && more && (link_->wants_write() || send_again_);
  const TimePoint timeout = over_ ? kNever : calls_.next_timeout();
  const TimePoint::rep timeout_count = timeout.time_since_epoch().count();
  const bool write_changed = wants_write_.exchange(write) != write;
  const bool timeout_changed = timeout_.exchange(timeout_count) != timeout_count;
  if (parked_ && ((write && !parked_for_write_) || timeout < parked_until_ || over_ || has_unreported())) {
    wakeup_.ring();
  }
  Reactor* watching = adopted_ ? &keeper_->reactor() : reactor_;
  const Reactor::SourceId id = source_id_.load();
  if (watching == nullptr || id == 0) return;
  if (write_changed || timeout_changed) watching->update(id);
  if (has_unreported()) watching->wake();
}

bool Connection::pending() noexcept {
  const Lock lock(mutex_);
  return has_unreported();
}

TimePoint Connection::next_timeout() noexcept {
  return TimePoint(Duration(timeout_.load(std::memory_order_relaxed)));
}

void Connection::service(TimePoint at) {
  Lock lock(mutex_);
  pump(at);
  run_tasks(lock);
}

/// Runs what was deferred, without the lock; answers that inline handlers give meanwhile leave together.
void Connection::run_tasks(Lock& lock) {
  while (!tasks_.empty() && corked_by_ != std::this_thread::get_id()) {
    const std::vector<Task> tasks = std::exchange(tasks_, {});
    const std::shared_ptr<Connection> alive = weak_from_this().lock();
    const bool cork = corked_by_ == std::thread::id();
    if (cork) corked_by_ = std::this_thread::get_id();
    lock.unlock();
    TimePoint started = now();
    for (const Task& task : tasks) {
      task();
      const TimePoint at = now();
      if (cork && at - started > std::chrono::microseconds(200)) {
        // The first answers have waited long enough for the last ones.
        started = at;
        lock.lock();
        send_queued(at);
        publish_interest();
        lock.unlock();
      }
    }
    lock.lock();
    if (cork) corked_by_ = std::thread::id();
    send_queued(now());
    publish_interest();
  }
}

// ---- events
// ---------------------------------------------------------------------------------------------------------

void Connection::keep(wire::StreamId stream, std::shared_ptr<CallState> state) {
  calls_started_.fetch_add(1, std::memory_order_relaxed);
  states_.emplace(stream, std::move(state));
}

void Connection::handle_events(TimePoint at) {
  while (std::optional<Event> event = calls_.next_event(at)) handle(*event, at);
}

void Connection::handle(Event& event, TimePoint at) {
  // Found by another thread than the owner (the keeper on its way out, a sender): the owner may wait for just
  // this.
  if (parked_) wakeup_.ring();
  switch (event.kind) {
    case Event::Kind::kReady:
      open_.store(true, std::memory_order_release);
      was_open_.store(true, std::memory_order_release);
      readiness_->changed.notify_all();
      if (options_.handler != nullptr) {
        defer([self = shared_from_this()] { self->options_.handler->on_connection(*self, true, {}); });
      }
      return;
    case Event::Kind::kOpened:
      if (options_.handler == nullptr) {
        calls_.finish(event.stream, {Code::kUnimplemented, "this side serves nothing"}, {});
      } else if (std::shared_ptr<CallState> state = options_.handler->on_request(*this, event, at)) {
        keep(event.stream, std::move(state));
      }
      return;
    case Event::Kind::kClosed: {
      over_ = true;
      open_.store(false, std::memory_order_release);
      closed_status_ = std::move(event.status);
      readiness_->changed.notify_all();
      if (options_.handler != nullptr) {
        defer([self = shared_from_this()] {
          self->options_.handler->on_connection(*self, false, self->closed_status_);
        });
      }
      return;
    }
    default: break;
  }
  const auto at_stream = states_.find(event.stream);
  if (at_stream == states_.end()) return;  // nobody is left to be told
  const std::shared_ptr<CallState> state = at_stream->second;
  if (event.kind == Event::Kind::kEnded || event.kind == Event::Kind::kCancelled) states_.erase(at_stream);
  state->on_event(event);
  state->changed.notify_all();
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

Status Connection::wait_for(Lock& lock, CallState& state, const std::function<bool()>& satisfied) {
  if (corked_by_ == std::this_thread::get_id()) {
    // An inline handler waits after all: what it has said must leave, or the answer would never come.
    send_queued(now());
    publish_interest();
  }
  Status status;
  while (!satisfied() && status.ok()) {
    if (reactor_ == nullptr && !owned_ && !over_) {
      status = drive(lock, satisfied);
      continue;
    }
    followers_.push_back(&state);
    if (options_.interrupted) {
      state.changed.wait_for(lock, kInterruptSlice);
    } else {
      state.changed.wait(lock);
    }
    std::erase(followers_, &state);
    if (!satisfied() && asked_to_stop(lock)) status = Status(Code::kCancelled, "interrupted");
  }
  // Whoever was asked to take over but has what it wanted already passes the request on.
  if (reactor_ == nullptr && !owned_ && !followers_.empty()) followers_.front()->changed.notify_all();
  return status;
}

void Connection::leave_ownership() {
  owned_ = false;
  last_driven_ = now_;
  if (!followers_.empty()) {
    followers_.front()->changed.notify_all();
  } else if (keeper_ && !on_keeper_list_ && !over_) {
    on_keeper_list_ = true;
    keeper_->note(weak_from_this());
  }
}

}  // namespace leat::transport
