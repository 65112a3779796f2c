// The thread that serves: its reactor, the listeners, and the connections they accepted.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <leat/server.h>

#include "transport/endpoint/termination.h"
#include "transport/link/link.h"
#include "transport/runtime/connection.h"
#include "transport/runtime/dispatcher.h"
#include "transport/runtime/fork_guard.h"
#include "transport/runtime/keeper.h"
#include "transport/runtime/reactor.h"

namespace leat::transport {

/// Thread-safe. Must be owned by a shared_ptr; close() before letting go of it.
class ServerLoop final : public Dispatcher, public Keeper::Ticked {
 public:
  explicit ServerLoop(ServerOptions options);
  ~ServerLoop() override;

  [[nodiscard]] Dispatcher& dispatcher() noexcept { return *this; }
  Result<std::string> listen(std::string_view url);
  [[nodiscard]] std::vector<std::string> urls() const;
  /// True once closed; false if `until` came first. SIGTERM meanwhile drains.
  bool wait_until(TimePoint until);
  /// No new calls; true if the running ones ended before `until`. Closes in any case.
  bool drain(TimePoint until);
  void close() noexcept;
  [[nodiscard]] ServerStats stats() const;

  /// A listener has a new link.
  void accept(std::unique_ptr<Link> link);
  /// A link without a descriptor of its own has something to do; it may be gone by now.
  void ready(const Link& link);
  /// Somebody was sent away before there was a link.
  void refused(std::string_view remote);

  // Dispatcher, Keeper::Ticked.
  void on_connection(Connection& connection, bool open, const Status& status) override;
  std::shared_ptr<CallState> on_request(Connection& connection, session::Event& opened,
                                        TimePoint at) override;
  void on_attach(Connection& connection, const wire::Token& token) override;
  bool keeper_tick(TimePoint at) override;

 private:
  class Accepting;
  [[nodiscard]] std::shared_ptr<ServerLoop> self() {
    return std::static_pointer_cast<ServerLoop>(shared_from_this());
  }
  void start_locked();
  void log_refused(std::string_view remote, std::string_view why);
  void run();
  [[nodiscard]] std::vector<std::shared_ptr<Connection>> all_connections() const;

  const ServerOptions options_;
  const ForkGuard process_;
  std::shared_ptr<Keeper> keeper_;
  Reactor reactor_;
  mutable std::mutex mutex_;
  std::condition_variable closed_changed_;
  std::condition_variable drained_;
  std::vector<std::shared_ptr<Accepting>> listeners_;
  std::vector<std::string> urls_;
  std::unordered_map<const Link*, std::shared_ptr<Connection>> connections_;  // one with two lanes twice
  std::map<wire::Token, std::weak_ptr<Connection>> by_token_;                 // where a second lane may come
  std::size_t handshaking_ = 0;
  bool draining_ = false;
  bool closing_ = false;
  bool closed_ = false;
  std::vector<TerminationWatch*> waiting_threads_;  // in wait_until()
  std::atomic<bool> stopping_{false};
  std::thread thread_;

  // While an inline handler overruns, the keeper's reactor watches ours.
  std::atomic<bool> on_keeper_list_{false};
  Reactor::SourceId taken_over_ = 0;
  int quiet_ticks_ = 0;

  ServerStats stats_;
  bool garbage_logged_ = false;
};

}  // namespace leat::transport
