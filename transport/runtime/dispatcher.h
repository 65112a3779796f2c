// Requests on their way to handlers: which service, on which thread.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include <leat/server.h>
#include <leat/service.h>

#include "core/call/method_table.h"
#include "transport/runtime/connection.h"
#include "transport/runtime/executor.h"

namespace leat::transport {

/// How long a method's handler takes, as a running mean. Thread-safe.
class RunTime {
 public:
  void add(Duration took) noexcept;
  /// True once several runs were seen and their mean is short enough to run between two reads of the socket.
  [[nodiscard]] bool quick() const noexcept;

 private:
  std::atomic<std::uint32_t> mean_ns_{0};
  std::atomic<std::uint32_t> runs_{0};
};

/// True on a thread of Leat's that may run quick handlers in place. Set by a server's own thread.
bool& inline_allowed() noexcept;

/// Thread-safe. Running calls keep it alive if a shared_ptr owns it.
class Dispatcher : public RequestHandler, public std::enable_shared_from_this<Dispatcher> {
 public:
  Dispatcher(unsigned threads, Logger logger) : logger_(std::move(logger)), executor_(threads) {}

  Status add(std::shared_ptr<Service> service);
  [[nodiscard]] std::vector<wire::Announcement> announcements() const;

  std::shared_ptr<CallState> on_request(Connection& connection, session::Event& opened,
                                        TimePoint at) override;

  /// Runs a call whose first request is here (or needs none) on the thread that suits it; with the
  /// connection's lock held.
  struct Job {
    call::Target target;
    std::shared_ptr<RunTime> run_time;
    Channel channel = Channel::kRpc;
  };
  void run(Connection& connection, const Job& job, bool may_run_inline, std::function<void()> task);

  void log(LogLevel level, std::string_view text) const;
  void count(const Status& status) noexcept;
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
  [[nodiscard]] std::uint64_t calls_failed() const noexcept { return calls_failed_; }
  /// When the inline handler that is running began; TimePoint::min() if none is.
  [[nodiscard]] TimePoint inline_since() const noexcept;
  void stop() { executor_.stop(); }

 private:
  std::shared_ptr<RunTime> run_time(const call::Target& target);

  Logger logger_;
  mutable std::shared_mutex mutex_;
  call::MethodTable table_;
  std::unordered_map<const Service*, std::deque<std::shared_ptr<RunTime>>> run_times_;
  std::atomic<std::uint64_t> calls_{0};
  std::atomic<std::uint64_t> calls_failed_{0};
  std::atomic<TimePoint::rep> inline_since_{TimePoint::min().time_since_epoch().count()};
  Executor executor_;
};

}  // namespace leat::transport
