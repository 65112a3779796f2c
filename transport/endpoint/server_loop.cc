#include "transport/endpoint/server_loop.h"

#include <algorithm>
#include <utility>

#include <leat/blocking.h>

#include "transport/endpoint/check_options.h"
#include "transport/endpoint/schemes.h"
#include "transport/endpoint/session_options.h"
#include "transport/runtime/clock.h"
#include "transport/runtime/keeper.h"

namespace leat::transport {
namespace {

// An inline handler that runs longer loses the server's links to the keeper.
constexpr Duration kOverrun = std::chrono::microseconds(200);
// Ticks without an inline handler after which the keeper stops looking.
constexpr int kQuietTicks = 50;

/// A server's reactor as the keeper's reactor sees it.
class Nested final : public Source {
 public:
  Nested(Reactor& reactor, std::shared_ptr<void> owner) : reactor_(reactor), owner_(std::move(owner)) {}
  [[nodiscard]] int descriptor() const noexcept override { return reactor_.descriptor(); }
  [[nodiscard]] bool wants_write() noexcept override { return false; }
  [[nodiscard]] bool pending() noexcept override { return false; }
  [[nodiscard]] bool asks() const noexcept override { return false; }
  [[nodiscard]] TimePoint next_timeout() noexcept override { return kNever; }
  void service(TimePoint at) override { reactor_.turn(at); }

 private:
  Reactor& reactor_;
  std::shared_ptr<void> owner_;
};

}  // namespace

/// A listener as the reactor sees it.
class ServerLoop::Accepting final : public Source, private ListenerEvents {
 public:
  Accepting(std::unique_ptr<Listener> listener, ServerLoop& loop)
      : listener_(std::move(listener)), loop_(loop) {}

  [[nodiscard]] int descriptor() const noexcept override { return listener_->descriptor(); }
  [[nodiscard]] bool wants_write() noexcept override { return false; }
  [[nodiscard]] bool pending() noexcept override { return listener_->pending(); }
  [[nodiscard]] bool asks() const noexcept override { return listener_->url().starts_with("zmq"); }
  [[nodiscard]] TimePoint next_timeout() noexcept override { return kNever; }
  void service(TimePoint /*at*/) override {
    std::vector<std::unique_ptr<Link>> accepted;
    std::vector<Link*> ready;
    std::vector<std::string> refused;
    {
      const std::lock_guard lock(mutex_);  // the keeper may look at the same time
      listener_->service(*this);
      accepted.swap(accepted_);
      ready.swap(ready_);
      refused.swap(refused_);
    }
    // Handlers may run in here, and one that waits needs the keeper to get at the listener.
    for (std::unique_ptr<Link>& link : accepted) loop_.accept(std::move(link));
    for (const std::string& remote : refused) loop_.refused(remote);
    for (const Link* link : ready) loop_.ready(*link);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    listener_->close();
  }

  Reactor::SourceId source_id = 0;

 private:
  void accepted(std::unique_ptr<Link> link) override { accepted_.push_back(std::move(link)); }
  void ready(Link& link) override { ready_.push_back(&link); }
  void refused(std::string_view remote) override { refused_.emplace_back(remote); }

  std::mutex mutex_;
  std::unique_ptr<Listener> listener_;
  std::vector<std::unique_ptr<Link>> accepted_;
  std::vector<Link*> ready_;
  std::vector<std::string> refused_;
  ServerLoop& loop_;
};

ServerLoop::ServerLoop(ServerOptions options)
    : Dispatcher(
          {options.threads, options.max_inflight, options.max_waiting, options.logger, options.interceptors}),
      options_(std::move(options)),
      keeper_(Keeper::shared()) {}

ServerLoop::~ServerLoop() { close(); }

Result<std::string> ServerLoop::listen(std::string_view url) {
  const Result<Endpoint> endpoint = find_endpoint(url);
  if (!endpoint) return failure(endpoint.error());
  if (Status valid = check_options(options_); !valid.ok()) return failure(std::move(valid));
  ListenLimits limits;
  limits.insecure = options_.insecure;
  auto listener = endpoint->transport->listen(endpoint->address, limits);
  if (!listener) return failure(listener.error());
  std::string resolved = (*listener)->url();
  auto accepting = std::make_shared<Accepting>(std::move(*listener), *this);
  const std::lock_guard lock(mutex_);
  if (closing_) return failure(Code::kFailedPrecondition, "the server is closed");
  listeners_.push_back(accepting);
  urls_.push_back(resolved);
  accepting->source_id = reactor_.add(accepting);
  start_locked();
  return resolved;
}

std::vector<std::string> ServerLoop::urls() const {
  const std::lock_guard lock(mutex_);
  return urls_;
}

void ServerLoop::start_locked() {
  if (thread_.joinable()) return;
  const SignalsBlocked no_signals;
  thread_ = std::thread([loop = self()] { loop->run(); });
}

void ServerLoop::run() {
  inline_allowed() = true;
  while (!stopping_) reactor_.turn(kNever);
}

void ServerLoop::accept(std::unique_ptr<Link> link) {
  ConnectionOptions options;
  options.handler = std::static_pointer_cast<RequestHandler>(self());
  options.url = link->remote();
  options.session = session_options(options_.limits, link->scheme());
  options.session.acceptor = true;
  options.session.token = make_token();
  const wire::Token token = options.session.token;
  options.session.services = announcements();
  options.session.handshake_timeout = options_.handshake_timeout;
  const Link* key = link.get();
  std::shared_ptr<Connection> connection;
  {
    const std::lock_guard lock(mutex_);
    ++stats_.connections_accepted;
    if (closing_ || draining_) return;
    if (handshaking_ >= options_.max_handshaking) {
      // The newcomer goes: those before it have 5 s at most, so the place is free again soon.
      ++stats_.connections_refused;
      return;
    }
    ++handshaking_;
    connection = std::make_shared<Connection>(std::move(link), std::move(options));
    connection->set_keeper(Keeper::shared());
    connections_.emplace(key, connection);
    by_token_.emplace(token, connection);
  }
  connection->watch(reactor_);
}

void ServerLoop::ready(const Link& link) {
  std::shared_ptr<Connection> connection;
  {
    const std::lock_guard lock(mutex_);
    const auto at = connections_.find(&link);
    if (at == connections_.end()) return;
    connection = at->second;
  }
  connection->service(now());
}

void ServerLoop::refused(std::string_view remote) {
  bool log_it = false;
  {
    const std::lock_guard lock(mutex_);
    ++stats_.connections_accepted;
    ++stats_.connections_refused;
    log_it = !std::exchange(garbage_logged_, true);
  }
  if (log_it) log_refused(remote, "what came is not ZeroMQ's protocol");
}

void ServerLoop::log_refused(std::string_view remote, std::string_view why) {
  log(LogLevel::kWarning, "refused a connection from " + std::string(remote) + ": " + std::string(why) +
                              " (further ones are counted in stats().connections_refused only)");
}

void ServerLoop::on_connection(Connection& connection, bool open, const Status& status) {
  bool log_garbage = false;
  const Link* const bulk = connection.bulk_link();
  {
    const std::lock_guard lock(mutex_);
    const auto at = connections_.find(connection.link());
    if (at == connections_.end()) return;
    if (open) {
      --handshaking_;
      ++stats_.connections;
      return;
    }
    if (connection.was_open()) {
      --stats_.connections;
    } else {
      --handshaking_;
      if (!closing_) {
        ++stats_.connections_refused;
        log_garbage = !std::exchange(garbage_logged_, true);
      }
    }
    connections_.erase(at);
    connections_.erase(bulk);
    by_token_.erase(connection.token());
    drained_.notify_all();
  }
  if (log_garbage) log_refused(connection.remote(), status.message());
  connection.close(Code::kUnavailable, "closed");
}

void ServerLoop::on_attach(Connection& connection, const wire::Token& token) {
  std::shared_ptr<Connection> wanting;
  const Link* const key = connection.link();
  {
    const std::lock_guard lock(mutex_);
    const auto at = connections_.find(key);
    if (at == connections_.end() || at->second.get() != &connection) return;
    --handshaking_;
    by_token_.erase(connection.token());
    const auto known = by_token_.find(token);
    if (known != by_token_.end()) wanting = known->second.lock();
    if (wanting) {
      at->second = wanting;
    } else {
      ++stats_.connections_refused;
      connections_.erase(at);
    }
  }
  if (!wanting) {
    connection.close(Code::kNotFound, "no connection here gave out that token");
    return;
  }
  if (wanting->add_lane(connection.release_link())) return;
  const std::lock_guard lock(mutex_);
  connections_.erase(key);
}

std::shared_ptr<CallState> ServerLoop::on_request(Connection& connection, session::Event& opened,
                                                  TimePoint at) {
  if (!on_keeper_list_.load(std::memory_order_relaxed) && !on_keeper_list_.exchange(true)) {
    keeper_->note(std::weak_ptr<Keeper::Ticked>(self()));
  }
  return Dispatcher::on_request(connection, opened, at);
}

bool ServerLoop::keeper_tick(TimePoint at) {
  const TimePoint since = inline_since();
  const bool overrun = since != TimePoint::min() && at - since > kOverrun;
  if (overrun && taken_over_ == 0 && !stopping_) {
    taken_over_ = keeper_->reactor().add(std::make_shared<Nested>(reactor_, shared_from_this()));
    // Answers that wait for the overrunning handler's batch to end leave now.
    for (const std::shared_ptr<Connection>& connection : all_connections()) connection->service(now());
  } else if (!overrun && taken_over_ != 0) {
    keeper_->reactor().remove(std::exchange(taken_over_, 0));
  }
  quiet_ticks_ = since == TimePoint::min() ? quiet_ticks_ + 1 : 0;
  if (quiet_ticks_ < kQuietTicks || taken_over_ != 0) return true;
  quiet_ticks_ = 0;
  on_keeper_list_ = false;
  return false;
}

std::vector<std::shared_ptr<Connection>> ServerLoop::all_connections() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(connections_.size());
  for (const auto& [link, connection] : connections_) {
    if (connection->link() == link) all.push_back(connection);
  }
  return all;
}

bool ServerLoop::wait_until(TimePoint until) {
  TerminationWatch watch(options_.drain_on_sigterm);
  std::unique_lock lock(mutex_);
  waiting_threads_.push_back(&watch);
  while (!closed_ && now() < until) {
    lock.unlock();
    if (watch.wait(until)) drain(after(options_.drain_limit));
    lock.lock();
  }
  std::erase(waiting_threads_, &watch);
  return closed_;
}

bool ServerLoop::drain(TimePoint until) {
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
  }
  for (const std::shared_ptr<Connection>& connection : all_connections())
    connection->drain("the server is draining");
  bool done = false;
  {
    std::unique_lock lock(mutex_);
    // Connections end by themselves; handlers whose caller has gone may still be running.
    const auto idle = [this] { return connections_.empty() && calls_running() == 0; };
    while (!idle() && !closing_ && now() < until) {
      wait_on(drained_, lock, std::min(until, after(std::chrono::milliseconds(5))));
    }
    done = idle();
  }
  close();
  return done;
}

void ServerLoop::close() noexcept {
  if (process_.forked()) return;  // threads and sockets are the parent's
  BeforeBlocking::tell();         // threads that are waited for may want what this one holds
  std::vector<std::shared_ptr<Accepting>> listeners;
  {
    std::unique_lock lock(mutex_);
    if (std::exchange(closing_, true)) {
      // Another thread closes already: done when it is.
      if (std::this_thread::get_id() != thread_.get_id() && !closed_) {
        const TimePoint until = after(std::chrono::seconds(1));
        while (!closed_ && now() < until) wait_on(closed_changed_, lock, until);
      }
      return;
    }
    listeners = std::exchange(listeners_, {});
  }
  for (const std::shared_ptr<Accepting>& listener : listeners) reactor_.remove(listener->source_id);
  // Goodbyes travel through the listener where links have no descriptor of their own, so it is closed last.
  for (const std::shared_ptr<Connection>& connection : all_connections()) {
    connection->close(Code::kUnavailable, "the server closed the connection");
  }
  stopping_ = true;
  reactor_.wake();
  if (thread_.joinable()) {
    if (thread_.get_id() == std::this_thread::get_id()) {
      // An inline handler closes its own server: the thread ends when the handler returns, and keeps us until
      // then.
      thread_.detach();
    } else {
      thread_.join();
    }
  }
  stop();
  for (const std::shared_ptr<Accepting>& listener : listeners) listener->close();
  {
    const std::lock_guard lock(mutex_);
    connections_.clear();
    by_token_.clear();
    stats_.connections = 0;
    closed_ = true;
    for (TerminationWatch* waiting : waiting_threads_) waiting->wake();
  }
  closed_changed_.notify_all();
}

ServerStats ServerLoop::stats() const {
  const std::lock_guard lock(mutex_);
  ServerStats stats = stats_;
  stats.calls = calls();
  stats.calls_failed = calls_failed();
  stats.latency = latency().summary();
  return stats;
}

}  // namespace leat::transport
