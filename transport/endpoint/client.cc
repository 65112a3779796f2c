#include "transport/endpoint/client.h"

#include <algorithm>
#include <utility>

#include <leat/blocking.h>

#include "transport/endpoint/repeated_call.h"
#include "transport/endpoint/session_options.h"
#include "transport/runtime/client_call.h"
#include "transport/runtime/clock.h"
#include "transport/runtime/keeper.h"

namespace leat::transport {
namespace {

constexpr Duration kInterruptSlice = std::chrono::milliseconds(50);

PeerStats& operator+=(PeerStats& sum, const PeerStats& other) {
  sum.bytes_sent += other.bytes_sent;
  sum.bytes_received += other.bytes_received;
  sum.calls_started += other.calls_started;
  sum.calls_failed += other.calls_failed;
  sum.calls_in_flight += other.calls_in_flight;
  sum.lanes = std::max(sum.lanes, other.lanes);
  return sum;
}

}  // namespace

Client::Client(std::string url, Endpoint endpoint, ConnectOptions options)
    : Dispatcher({options.threads, 0, 1U << 16U, options.logger, options.interceptors}),
      url_(std::move(url)),
      endpoint_(std::move(endpoint)),
      options_(std::move(options)),
      retry_budget_(options_.retry.budget_tokens, options_.retry.budget_refund) {
  const wire::Token seed = make_token();
  random_.seed(seed[0] | static_cast<std::uint32_t>(seed[1]) << 8U |
               static_cast<std::uint32_t>(seed[2]) << 16U);
}

Client::~Client() { close(); }

// ---- connections

Result<std::shared_ptr<Connection>> Client::open_connection() {
  const TimePoint deadline = now() + options_.timeout;
  const auto interrupted = [this] { return closing_ || (options_.interrupted && options_.interrupted()); };
  auto link = endpoint_.transport->connect(endpoint_.address, {options_.timeout, interrupted});
  if (!link) return failure(link.error());

  ConnectionOptions made;
  made.url = url_;
  made.handler = std::static_pointer_cast<Client>(shared_from_this());
  made.interrupted = options_.interrupted;
  made.latency = latency_;
  made.spin = options_.limits.spin;
  made.session = session_options(options_.limits, endpoint_.transport->scheme());
  made.session.name = options_.name;
  made.session.services = announcements();
  // A little before the limit, so that all of connect() stays within it.
  const Duration left = std::max(deadline - now(), Duration::zero());
  made.session.handshake_timeout = left - left / 50;
  auto connection = std::make_shared<Connection>(std::move(*link), std::move(made));
  connection->set_keeper(Keeper::shared());
  if (Status ready = connection->wait_ready(); !ready.ok()) {
    connection->close(Code::kCancelled, "the client gave up");
    if (!ready.message().starts_with(url_)) ready.with_context(url_);
    return failure(std::move(ready));
  }
  return connection;
}

Status Client::connect_first() {
  Result<std::shared_ptr<Connection>> connection = open_connection();
  if (!connection) return connection.error();
  Lock lock(mutex_);
  epoch_ = 1;
  state_ = PeerState::kReady;
  current_ = std::move(*connection);
  // Lost before anybody knew it as ours: nobody else will notice.
  if (!current_->open()) lose(lock, {Code::kUnavailable, url_ + ": the connection was lost"});
  return {};
}

void Client::on_connection(Connection& connection, bool open, const Status& status) {
  if (open) return;
  std::shared_ptr<Connection> gone;
  {
    Lock lock(mutex_);
    const auto leaving = std::ranges::find(leaving_, &connection, &std::shared_ptr<Connection>::get);
    if (leaving != leaving_.end()) {
      gone = std::move(*leaving);
      leaving_.erase(leaving);
    } else if (current_.get() == &connection) {
      gone = current_;
      lose(lock, status);
    }
  }
  if (!gone) return;  // one that never shook hands, or that we closed
  PeerStats stats = gone->stats();
  stats.calls_in_flight = 0;
  stats.lanes = 0;
  {
    const Lock lock(mutex_);
    past_ += stats;
  }
  gone->close(Code::kUnavailable, "closed");
}

void Client::on_going_away(Connection& connection, const Status& status) {
  Lock lock(mutex_);
  if (current_.get() != &connection || !options_.reconnect.enabled) return;
  leaving_.push_back(current_);
  lose(lock, status);
}

void Client::on_lane_wanted(Connection& connection) {
  // Opening a link may take time, and this may be the keeper.
  post_urgent([self = std::static_pointer_cast<Client>(shared_from_this()),
               weak = connection.weak_from_this()] {
    const auto interrupted = [&] { return self->closing_.load(); };
    auto link =
        self->endpoint_.transport->connect(self->endpoint_.address, {self->options_.timeout, interrupted});
    const std::shared_ptr<Connection> wanting = weak.lock();
    if (!wanting) return;
    if (link) {
      wanting->add_lane(std::move(*link));
    } else {
      wanting->lane_refused(link.error());
    }
  });
}

/// The current connection takes no more calls.
void Client::lose(Lock& lock, const Status& why) {
  current_.reset();
  last_failure_ = why;
  if (closed_) return;
  if (!options_.reconnect.enabled) {
    change_state(PeerState::kClosed, why);
    return;
  }
  change_state(PeerState::kBackoff, why);
  if (std::exchange(reconnect_running_, true)) return;
  // The thread before this one has done all but end.
  std::thread before = std::exchange(reconnecting_, {});
  if (before.joinable()) {
    lock.unlock();
    before.join();
    lock.lock();
    if (closed_) return;
  }
  const SignalsBlocked no_signals;
  reconnecting_ =
      std::thread([self = std::static_pointer_cast<Client>(shared_from_this())] { self->reconnect(); });
}

void Client::reconnect() {
  call::Backoff backoff({options_.reconnect.first_backoff, 1.6, options_.reconnect.max_backoff, 0.2});
  const Duration patience = options_.reconnect.give_up_after;
  const TimePoint give_up = patience > Duration::zero() ? after(patience) : kNever;
  Lock lock(mutex_);
  while (!closed_) {
    const TimePoint again = std::min(now() + backoff.next(random()), give_up);
    while (!closed_ && now() < again) wait_on(changed_, lock, again);
    if (closed_) break;
    if (now() >= give_up) {
      change_state(PeerState::kClosed, last_failure_);
      break;
    }
    change_state(PeerState::kConnecting, last_failure_);
    lock.unlock();
    Result<std::shared_ptr<Connection>> connection = open_connection();
    lock.lock();
    if (connection && !closed_) {
      ++epoch_;
      current_ = std::move(*connection);
      if (current_->open()) {
        change_state(PeerState::kReady, {});
        break;
      }
      connection = failure(Code::kUnavailable, url_ + ": the connection was lost again");
      current_.reset();
    }
    if (!connection) last_failure_ = connection.error();
    if (!closed_) change_state(PeerState::kBackoff, last_failure_);
  }
  reconnect_running_ = false;
}

void Client::close() noexcept {
  if (process_.forked()) return;
  BeforeBlocking::tell();  // threads that are waited for may want what this one holds
  std::vector<std::shared_ptr<Connection>> connections;
  std::thread reconnecting;
  {
    const Lock lock(mutex_);
    if (std::exchange(closed_, true)) return;
    closing_ = true;
    if (state_ != PeerState::kClosed)
      change_state(PeerState::kClosed, {Code::kCancelled, "closed by the client"});
    connections = std::exchange(leaving_, {});
    if (current_) connections.push_back(current_);
    reconnecting = std::exchange(reconnecting_, {});
  }
  changed_.notify_all();
  for (const std::shared_ptr<Connection>& connection : connections) {
    connection->close(Code::kCancelled, "the client closed the connection");
  }
  if (reconnecting.joinable()) {
    if (reconnecting.get_id() == std::this_thread::get_id()) {
      reconnecting.detach();
    } else {
      reconnecting.join();
    }
  }
  keeper_tick(now());
  stop();
  // What the executor had no time for any more.
  if (delivering_on_ != std::this_thread::get_id()) deliver_states();
}

// ---- states

void Client::change_state(PeerState state, Status reason) {
  state_ = state;
  changed_.notify_all();
  if (!options_.on_state || epoch_ == 0) return;  // nobody has the peer yet
  events_.push_back({state, epoch_, std::move(reason)});
  if (std::exchange(delivering_, true)) return;
  post([weak = weak_from_this()] {
    if (const auto self = std::static_pointer_cast<Client>(weak.lock())) self->deliver_states();
  });
}

void Client::deliver_states() {
  Lock lock(mutex_);
  delivering_on_ = std::this_thread::get_id();
  while (!events_.empty()) {
    const PeerEvent event = std::move(events_.front());
    events_.pop_front();
    lock.unlock();
    options_.on_state(event);
    lock.lock();
  }
  delivering_ = false;
  delivering_on_ = std::thread::id();
}

Status Client::not_ready() const {
  if (closed_ || state_ == PeerState::kClosed) {
    Status status(Code::kUnavailable, url_ + ": the connection is closed");
    return status.mark_not_started();
  }
  Status status(Code::kUnavailable,
                url_ + ": not connected, trying again (wait_for_ready waits); the last failure: " +
                    last_failure_.message());
  return status.mark_not_started();
}

Status Client::inherited() const {
  Status status(
      Code::kFailedPrecondition,
      url_ + ": this peer was connected before fork(), and its connection is the parent's: connect anew");
  return status.mark_not_started();
}

Status Client::wait_change(Lock& lock, TimePoint until) {
  if (!options_.interrupted) {
    wait_on(changed_, lock, until);
    return {};
  }
  wait_on(changed_, lock, std::min(until, now() + kInterruptSlice));
  lock.unlock();
  const bool stop = options_.interrupted();
  lock.lock();
  return stop ? Status(Code::kCancelled, "interrupted") : Status();
}

Status Client::wait_ready(TimePoint until) {
  const auto connection = connection_for(true, until);
  return connection ? Status() : connection.error();
}

Result<std::shared_ptr<Connection>> Client::connection_for(bool wait, TimePoint until) {
  Lock lock(mutex_);
  while (true) {
    if (state_ == PeerState::kReady && current_->open()) return current_;
    if (!wait || closed_ || state_ == PeerState::kClosed) return failure(not_ready());
    if (now() >= until) {
      Status late(Code::kDeadlineExceeded,
                  url_ + ": not connected in time; the last failure: " + last_failure_.message());
      return failure(late.mark_not_started());
    }
    if (Status waited = wait_change(lock, until); !waited.ok()) return failure(std::move(waited));
  }
}

// ---- calls

Result<Payload> Client::call(const MethodRef& method, Payload request, const CallOptions& options) {
  if (process_.forked()) return failure(inherited());
  const bool may_repeat = this->may_repeat(method, options);
  if (!may_repeat && !options.wait_for_ready) {
    const auto connection = connection_for(false, kNever);
    if (!connection) return failure(connection.error());
    return call_unary(**connection, method, std::move(request), options);
  }
  TimePoint deadline = call::deadline_of(method, options, now());
  CallOptions left = options;
  call::FailedAttempt attempt{may_repeat, 1, deadline};
  bool may_have_run = false;  // an attempt before: what the last one knows of itself is not all of the truth
  while (true) {
    if (deadline != kNever) left.timeout = std::max(deadline - now(), Duration::zero());
    Status status;
    if (const auto connection = connection_for(options.wait_for_ready, deadline); !connection) {
      status = connection.error();
    } else if (Result<Payload> reply = call_unary(**connection, method, request, left); !reply) {
      status = reply.error();
    } else {
      const Lock lock(mutex_);
      retry_budget_.record({});
      return reply;
    }
    const std::optional<Duration> delay = delay_before_next(attempt, status);
    may_have_run = may_have_run || !status.not_started();
    if (!delay) {
      if (may_have_run && status.not_started()) status.mark_not_started(false).mark_outcome_unknown();
      return failure(std::move(status));
    }
    Lock lock(mutex_);
    const TimePoint again = now() + *delay;
    while (!closed_ && now() < again) {
      if (Status waited = wait_change(lock, again); !waited.ok()) return failure(std::move(waited));
    }
    ++attempt.attempts;
  }
}

Result<std::unique_ptr<ClientCall>> Client::start(std::shared_ptr<void> alive, const MethodRef& method,
                                                  std::optional<Payload> request,
                                                  const CallOptions& options) {
  if (process_.forked()) return failure(inherited());
  const auto connection = connection_now();
  const bool waits = !connection && options.wait_for_ready;
  if (waits || (method.kind == CallKind::kUnary && request && may_repeat(method, options))) {
    return start_repeated(std::static_pointer_cast<Client>(shared_from_this()), std::move(alive), method,
                          std::move(request), options);
  }
  if (!connection) return failure(connection.error());
  return start_call(*connection, std::move(alive), method, std::move(request), options);
}

// ---- calls that are made again

std::optional<Duration> Client::delay_before_next(const call::FailedAttempt& attempt, const Status& status) {
  const Lock lock(mutex_);
  retry_budget_.record(status);
  if (closed_ || state_ == PeerState::kClosed) return std::nullopt;
  const call::RetryPolicy policy{options_.retry.max_attempts,
                                 {options_.retry.first_backoff, 2, options_.retry.max_backoff, 0.2}};
  return call::decide_retry(policy, retry_budget_, attempt, status, now(), random());
}

bool Client::pause(TimePoint until, bool for_connection, const std::atomic<bool>& enough) {
  Lock lock(mutex_);
  while (!closed_ && !enough && now() < until && !(for_connection && decided())) {
    if (!wait_change(lock, until).ok()) return false;
  }
  return true;
}

bool Client::decided() const {
  return state_ == PeerState::kClosed || (state_ == PeerState::kReady && current_->open());
}

void Client::wake() {
  const Lock lock(mutex_);
  changed_.notify_all();
}

void Client::look_later(std::weak_ptr<Retried> call, TimePoint at, bool for_connection) {
  const Lock lock(mutex_);
  later_.push_back({at, for_connection, std::move(call)});
  if (ticking_) return;
  ticking_ = Keeper::shared();
  ticking_->note(std::weak_ptr<Ticked>(std::static_pointer_cast<Client>(shared_from_this())));
}

bool Client::keeper_tick(TimePoint /*at*/) {
  std::vector<std::weak_ptr<Retried>> due;
  std::shared_ptr<Keeper> keeper;
  bool more = true;
  {
    const Lock lock(mutex_);
    const TimePoint at = now();
    const bool decided = closed_ || this->decided();
    std::erase_if(later_, [&](Later& later) {
      if (at < later.at && !closed_ && !(later.for_connection && decided)) return false;
      due.push_back(std::move(later.call));
      return true;
    });
    more = !later_.empty();
    if (!more) keeper = std::exchange(ticking_, nullptr);
  }
  for (std::weak_ptr<Retried>& call : due) {
    post([call = std::move(call)] {
      if (const std::shared_ptr<Retried> alive = call.lock()) alive->look_again();
    });
  }
  return more;
}

// ---- questions

std::string_view Client::scheme() const noexcept { return endpoint_.transport->scheme(); }

PeerState Client::state() const {
  const Lock lock(mutex_);
  if (state_ == PeerState::kReady && !current_->open()) return PeerState::kBackoff;  // about to be noticed
  return state_;
}

std::uint64_t Client::epoch() const {
  const Lock lock(mutex_);
  return epoch_;
}

Result<bool> Client::ask_health(std::string_view service, TimePoint until) {
  const auto connection = connection_for(false, kNever);
  if (!connection) return failure(connection.error());
  return (*connection)->ask_health(service, until);
}

std::vector<RemoteService> Client::services() const {
  std::shared_ptr<Connection> connection;
  {
    const Lock lock(mutex_);
    connection = current_;
  }
  std::vector<RemoteService> list;
  if (!connection) return list;
  for (wire::Announcement& announced : connection->remote_terms().services) {
    list.push_back({std::move(announced.service), announced.fingerprint});
  }
  return list;
}

PeerStats Client::stats() const {
  std::vector<std::shared_ptr<Connection>> connections;
  PeerStats stats;
  {
    const Lock lock(mutex_);
    stats = past_;
    connections = leaving_;
    if (current_) connections.push_back(current_);
  }
  for (const std::shared_ptr<Connection>& connection : connections) stats += connection->stats();
  stats.latency = latency_->summary();
  return stats;
}

void Client::set_handle(std::weak_ptr<Caller> handle) {
  const Lock lock(mutex_);
  handle_ = std::move(handle);
}

std::shared_ptr<Caller> Client::caller(Connection& connection) {
  {
    const Lock lock(mutex_);
    if (std::shared_ptr<Caller> handle = handle_.lock()) return handle;
  }
  return Dispatcher::caller(connection);
}

}  // namespace leat::transport
