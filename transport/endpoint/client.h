// A peer behind its handles: one connection at a time, made anew when it is lost.
//
//   connect() -> kReady -> lost, or told that the other side goes away -> kBackoff <-> kConnecting -> kReady
//   ...
//
// Every connection has a session of its own under a new epoch; calls belong to the connection that they began
// on and end with it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <leat/peer.h>

#include "core/call/backoff.h"
#include "core/call/retry.h"
#include "transport/endpoint/schemes.h"
#include "transport/runtime/connection.h"
#include "transport/runtime/dispatcher.h"
#include "transport/runtime/fork_guard.h"
#include "transport/runtime/keeper.h"

namespace leat::transport {

/// A call that is made again, or waits for a connection, without a thread of its own.
class Retried {
 public:
  virtual ~Retried() = default;
  /// What it waited for (Client::look_later) has come. Called with no lock held.
  virtual void look_again() = 0;

 protected:
  Retried() = default;
  Retried(const Retried&) = default;
  Retried& operator=(const Retried&) = default;
};

/// Thread-safe. Owned by a shared_ptr; close() before letting go of it.
class Client final : public Dispatcher, public Keeper::Ticked {
 public:
  Client(std::string url, Endpoint endpoint, ConnectOptions options);
  ~Client() override;

  /// The first connection; blocks.
  Status connect_first();
  void close() noexcept;

  Result<Payload> call(const MethodRef& method, Payload request, const CallOptions& options);
  /// `alive` is kept as long as the call is.
  Result<std::unique_ptr<ClientCall>> start(std::shared_ptr<void> alive, const MethodRef& method,
                                            std::optional<Payload> request, const CallOptions& options);

  [[nodiscard]] const std::string& url() const noexcept { return url_; }
  [[nodiscard]] std::string_view scheme() const noexcept;
  [[nodiscard]] PeerState state() const;
  [[nodiscard]] std::uint64_t epoch() const;
  Status wait_ready(TimePoint until);
  Result<bool> ask_health(std::string_view service, TimePoint until);
  [[nodiscard]] std::vector<RemoteService> services() const;
  [[nodiscard]] PeerStats stats() const;

  // For calls that are made again.

  /// True if the call may run twice and retries are on.
  [[nodiscard]] bool may_repeat(const MethodRef& method, const CallOptions& options) const noexcept {
    return options.idempotent.value_or(method.idempotent) && options_.retry.max_attempts > 1;
  }
  /// The connection, if it stands.
  Result<std::shared_ptr<Connection>> connection_now() { return connection_for(false, kNever); }
  /// An attempt has ended so: how long to wait before the next one; nullopt: that was the last.
  std::optional<Duration> delay_before_next(const call::FailedAttempt& attempt, const Status& status);
  /// Waits until `until`, the end of this client, `enough`, or, where it waits for that, a connection. False
  /// if interrupted.
  bool pause(TimePoint until, bool for_connection, const std::atomic<bool>& enough);
  /// Those in pause() look at their `enough`.
  void wake();
  /// Has it look again once: at `at`, when this client is closed, or, where it waits for that, when a
  /// connection stands or never will. On a thread of Leat's.
  void look_later(std::weak_ptr<Retried> call, TimePoint at, bool for_connection);
  bool keeper_tick(TimePoint at) override;

  /// What handlers that serve the other side get as their peer.
  void set_handle(std::weak_ptr<Caller> handle);

  // Dispatcher.
  void on_connection(Connection& connection, bool open, const Status& status) override;
  void on_going_away(Connection& connection, const Status& status) override;
  std::shared_ptr<Caller> caller(Connection& connection) override;
  void on_lane_wanted(Connection& connection) override;

 private:
  using Lock = std::unique_lock<std::mutex>;

  Result<std::shared_ptr<Connection>> open_connection();
  /// A connection that stands; if there is none, waits for one where the caller wants that.
  Result<std::shared_ptr<Connection>> connection_for(bool wait, TimePoint until);
  /// Waits until something has changed or `until`; fails once interrupted or closed.
  Status wait_change(Lock& lock, TimePoint until);
  void lose(Lock& lock, const Status& why);
  void reconnect();
  void change_state(PeerState state, Status reason);
  void deliver_states();
  [[nodiscard]] Status not_ready() const;
  /// In a forked child: nothing may be touched.
  [[nodiscard]] Status inherited() const;
  /// A connection stands, or never will again.
  [[nodiscard]] bool decided() const;
  [[nodiscard]] double random() { return std::uniform_real_distribution<double>()(random_); }

  const std::string url_;
  const Endpoint endpoint_;
  const ConnectOptions options_;
  const ForkGuard process_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<Connection> current_;
  std::vector<std::shared_ptr<Connection>> leaving_;  // drained by the other side; their calls still run
  PeerState state_ = PeerState::kConnecting;
  std::uint64_t epoch_ = 0;
  Status last_failure_;
  const std::shared_ptr<Histogram> latency_ = std::make_shared<Histogram>();  // of all connections
  PeerStats past_;                                                            // of connections that are gone
  call::RetryBudget retry_budget_;
  struct Later {
    TimePoint at;
    bool for_connection;
    std::weak_ptr<Retried> call;
  };
  std::vector<Later> later_;
  std::shared_ptr<Keeper> ticking_;  // while there is something in later_
  std::minstd_rand random_;
  bool closed_ = false;
  std::atomic<bool> closing_{false};
  std::thread reconnecting_;
  bool reconnect_running_ = false;

  std::deque<PeerEvent> events_;
  bool delivering_ = false;
  std::atomic<std::thread::id> delivering_on_{};
  std::weak_ptr<Caller> handle_;
};

}  // namespace leat::transport
