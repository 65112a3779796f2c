// Requests on their way to handlers: which service, on which thread.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <unordered_map>

#include <leat/server.h>
#include <leat/service.h>

#include "core/call/method_table.h"
#include "transport/runtime/connection.h"
#include "transport/runtime/executor.h"
#include "transport/runtime/histogram.h"

namespace leat::transport {

/// What is known of a method's runs. Thread-safe.
class MethodRuns {
 public:
  MethodRuns(std::uint32_t limit, bool always_inline) : limit_(limit), always_inline_(always_inline) {}
  /// How long a run took.
  void add(Duration took) noexcept;
  /// True if its handler may run between two reads of the socket: it is marked so, or several runs were seen
  /// and their mean is short enough.
  [[nodiscard]] bool quick() const noexcept;
  /// How many may run at a time; 0: any number.
  [[nodiscard]] std::uint32_t limit() const noexcept { return limit_; }

  std::uint32_t running = 0;  // guarded by the gate

 private:
  const std::uint32_t limit_;
  const bool always_inline_;
  std::atomic<std::uint32_t> mean_ns_{0};
  std::atomic<std::uint32_t> runs_{0};
};

/// True on a thread of Leat's that may run quick handlers in place. Set by a server's own thread.
bool& inline_allowed() noexcept;

struct DispatcherOptions {
  unsigned threads = 0;            ///< 0: twice the processors, at least four
  std::uint32_t max_inflight = 0;  ///< over all methods; 0: any number
  std::uint32_t max_waiting = 1U << 16U;
  Logger logger;
  Interceptors interceptors;
};

/// Thread-safe. Owned by a shared_ptr; running calls keep it alive.
class Dispatcher : public RequestHandler, public std::enable_shared_from_this<Dispatcher> {
 public:
  explicit Dispatcher(DispatcherOptions options);

  Status add(std::shared_ptr<Service> service);
  [[nodiscard]] std::vector<wire::Announcement> announcements() const;

  /// What the other sides are told of a service's health; "": of all of this side. kNotFound for one that is
  /// not offered.
  Status set_health(std::string_view service, bool serving);

  std::shared_ptr<CallState> on_request(Connection& connection, session::Event& opened,
                                        TimePoint at) override;
  [[nodiscard]] wire::HealthState health(std::string_view service) override;
  /// Who can open links, or finds the connection that a link belongs to, overrides these.
  void on_lane_wanted(Connection& connection) override;
  void on_attach(Connection& connection, const wire::Token& token) override;

  /// A call on its way to its handler. What it points to lives as long as the dispatcher.
  struct Job {
    Service* service = nullptr;
    std::size_t index = 0;  ///< of the method
    MethodRuns* method = nullptr;
    Channel channel = Channel::kRpc;
  };
  /// Runs a call whose first request is here (or needs none) on the thread that suits it, at once or when its
  /// turn comes; done() must follow. With the connection's lock held. kResourceExhausted if too many wait
  /// already.
  Status run(Connection& connection, const Job& job, bool may_run_inline, Executor::Task task);
  /// A job that run() took has ended. No lock held.
  void done(const Job& job);
  /// User code that was waiting for something. It runs once, whatever happens: what the executor has no
  /// thread for any more runs on the thread that stops it, or on this one.
  void post(Executor::Task task);
  /// User code that must not wait for a thread, since those that are busy may be waiting for it.
  void post_urgent(Executor::Task task) { executor_.run_now(std::move(task)); }

  /// The other side of a connection, to be called.
  [[nodiscard]] virtual std::shared_ptr<Caller> caller(Connection& connection);

  /// Of calls that reached a handler.
  [[nodiscard]] Histogram& latency() noexcept { return latency_; }
  [[nodiscard]] const Histogram& latency() const noexcept { return latency_; }
  [[nodiscard]] const Interceptors& interceptors() const noexcept { return options_.interceptors; }
  void log(LogLevel level, std::string_view text) const;
  void count(const Status& status) noexcept;
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
  [[nodiscard]] std::uint64_t calls_failed() const noexcept { return calls_failed_; }
  /// Calls whose handlers run or wait for their turn.
  [[nodiscard]] std::uint64_t calls_running() const noexcept { return running_; }
  /// When the inline handler that is running began, by the clock on the wall; TimePoint::min() if none is.
  [[nodiscard]] TimePoint inline_since() const noexcept;
  /// A handler begins on a thread that serves links, or has ended (TimePoint::min()).
  void note_inline(TimePoint began) noexcept {
    inline_since_.store(began.time_since_epoch().count(), std::memory_order_relaxed);
  }
  void stop() { executor_.stop(); }

 private:
  struct Waiting {
    Job job;
    Executor::Task task;
  };
  /// nullptr if this is its first call. With mutex_ held.
  [[nodiscard]] MethodRuns* known_runs(const call::Target& target);
  MethodRuns& new_runs(const call::Target& target);
  [[nodiscard]] bool has_room(const Job& job) const noexcept;
  Status run_gated(const Job& job, Executor::Task task);

  const DispatcherOptions options_;
  mutable std::shared_mutex mutex_;
  call::MethodTable table_;
  std::unordered_map<const Service*, std::deque<MethodRuns>> runs_;
  std::set<std::string, std::less<>> unhealthy_;
  std::atomic<std::uint64_t> calls_{0};
  std::atomic<std::uint64_t> calls_failed_{0};
  std::atomic<std::uint64_t> running_{0};
  Histogram latency_;
  std::atomic<TimePoint::rep> inline_since_{TimePoint::min().time_since_epoch().count()};

  // The gate of max_inflight. Only calls that some limit concerns pass through it.
  std::mutex gate_;
  std::uint32_t inflight_ = 0;
  std::array<std::deque<Waiting>, kChannelCount> waiting_;  // by priority
  std::size_t waiting_count_ = 0;

  Executor executor_;
};

}  // namespace leat::transport
