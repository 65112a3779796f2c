#include "transport/runtime/dispatcher.h"

#include <algorithm>
#include <string>
#include <thread>

#include "core/base/pool.h"
#include "transport/intercept/client.h"
#include "transport/runtime/client_call.h"
#include "transport/runtime/clock.h"
#include "transport/runtime/server_call.h"

namespace leat::transport {
namespace {

// A handler shorter than this costs the other connections less than the two thread hops it saves (9 to 22 us
// each on a virtual machine; DESIGN, "Threads").
constexpr std::uint32_t kQuickNs = 20'000;
constexpr std::uint32_t kRunsToJudge = 4;

Status too_many(std::uint32_t limit) {
  return {Code::kResourceExhausted,
          "max_waiting (" + std::to_string(limit) + ") calls wait for their turn on this server already"};
}

}  // namespace

void MethodRuns::add(Duration took) noexcept {
  const auto ns = static_cast<std::uint32_t>(std::clamp<Duration::rep>(took.count(), 0, 1'000'000'000));
  const std::uint32_t mean = mean_ns_.load(std::memory_order_relaxed);
  // Races between two ends of one method lose a sample at worst.
  const std::uint32_t runs = runs_.fetch_add(1, std::memory_order_relaxed);
  mean_ns_.store(runs == 0 ? ns : mean - mean / 8 + ns / 8, std::memory_order_relaxed);
}

bool MethodRuns::quick() const noexcept {
  if (always_inline_) return true;
  return runs_.load(std::memory_order_relaxed) >= kRunsToJudge &&
         mean_ns_.load(std::memory_order_relaxed) < kQuickNs;
}

bool& inline_allowed() noexcept {
  thread_local bool allowed = false;
  return allowed;
}

Dispatcher::Dispatcher(DispatcherOptions options)
    : options_(std::move(options)),
      executor_(options_.threads != 0 ? options_.threads
                                      : std::max(4U, 2 * std::thread::hardware_concurrency())) {}

Status Dispatcher::add(std::shared_ptr<Service> service) {
  const std::unique_lock lock(mutex_);
  return table_.add(std::move(service));
}

std::vector<wire::Announcement> Dispatcher::announcements() const {
  const std::shared_lock lock(mutex_);
  return table_.announcements();
}

Status Dispatcher::set_health(std::string_view service, bool serving) {
  const std::unique_lock lock(mutex_);
  if (!service.empty() && !table_.offers(service)) {
    return {Code::kNotFound, "nothing is offered here as '" + std::string(service) + "'"};
  }
  if (serving) {
    unhealthy_.erase(std::string(service));
  } else {
    unhealthy_.emplace(service);
  }
  return {};
}

wire::HealthState Dispatcher::health(std::string_view service) {
  const std::shared_lock lock(mutex_);
  if (!service.empty() && !table_.offers(service)) return wire::HealthState::kUnknownService;
  return unhealthy_.contains(service) ? wire::HealthState::kNotServing : wire::HealthState::kServing;
}

void Dispatcher::on_lane_wanted(Connection& connection) {
  connection.lane_refused({Code::kUnavailable, "nobody opens links here"});
}

void Dispatcher::on_attach(Connection& connection, const wire::Token& /*token*/) {
  connection.close(Code::kNotFound, "no connection here gave out that token");
}

MethodRuns* Dispatcher::known_runs(const call::Target& target) {
  const auto at = runs_.find(target.service.get());
  if (at == runs_.end() || target.method >= at->second.size()) return nullptr;
  return &at->second[target.method];
}

MethodRuns& Dispatcher::new_runs(const call::Target& target) {
  const std::span<const MethodInfo> methods = target.service->service_info().methods;
  const std::unique_lock lock(mutex_);
  auto& list = runs_[target.service.get()];
  while (list.size() <= target.method) {
    const MethodInfo info = list.size() < methods.size() ? methods[list.size()] : MethodInfo();
    list.emplace_back(info.max_inflight, info.run_inline);  // a deque: those that are there stay
  }
  return list[target.method];
}

std::shared_ptr<CallState> Dispatcher::on_request(Connection& connection, session::Event& opened,
                                                  TimePoint at) {
  calls_.fetch_add(1, std::memory_order_relaxed);
  MethodRuns* runs = nullptr;
  Result<call::Target> target = [&] {
    const std::shared_lock lock(mutex_);
    Result<call::Target> found = table_.find(opened.open->service, opened.open->method);
    if (found) runs = known_runs(*found);
    return found;
  }();
  if (!target) {
    count(target.error());
    connection.calls().reject(opened.stream, target.error());
    return nullptr;
  }
  if (runs == nullptr) runs = &new_runs(*target);
  const Job job{target->service.get(), target->method, runs, opened.stream.channel()};
  auto call = std::allocate_shared<ServerCallState>(PoolAllocator<ServerCallState>(),
                                                    connection.shared_from_this(), *this, job, opened, at);
  if (!call->opened()) return nullptr;
  return call;
}

std::shared_ptr<Caller> Dispatcher::caller(Connection& connection) {
  return intercept_caller(make_caller(connection.shared_from_this(), shared_from_this()),
                          options_.interceptors, connection.remote());
}

void Dispatcher::post(Executor::Task task) {
  struct Once {
    explicit Once(Executor::Task work) : task(std::move(work)) {}
    Once(const Once&) = delete;
    Once& operator=(const Once&) = delete;
    ~Once() { run(); }
    void run() {
      if (Executor::Task now = std::exchange(task, nullptr)) now();
    }
    Executor::Task task;
  };
  executor_.run(Channel::kRpc, [once = std::make_shared<Once>(std::move(task))] { once->run(); });
}

Status Dispatcher::run(Connection& connection, const Job& job, bool may_run_inline, Executor::Task task) {
  if (options_.max_inflight != 0 || job.method->limit() != 0) return run_gated(job, std::move(task));
  if (may_run_inline && inline_allowed() && job.method->quick()) {
    running_.fetch_add(1, std::memory_order_relaxed);
    connection.defer(std::move(task));
    return {};
  }
  if (!executor_.run(job.channel, std::move(task), options_.max_waiting))
    return too_many(options_.max_waiting);
  running_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

bool Dispatcher::has_room(const Job& job) const noexcept {
  return (options_.max_inflight == 0 || inflight_ < options_.max_inflight) &&
         (job.method->limit() == 0 || job.method->running < job.method->limit());
}

Status Dispatcher::run_gated(const Job& job, Executor::Task task) {
  const std::lock_guard lock(gate_);
  if (!has_room(job)) {
    if (waiting_count_ >= options_.max_waiting) return too_many(options_.max_waiting);
    waiting_[static_cast<std::size_t>(job.channel)].push_back({job, std::move(task)});
    ++waiting_count_;
  } else {
    ++inflight_;
    ++job.method->running;
    executor_.run(job.channel, std::move(task));
  }
  running_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

void Dispatcher::done(const Job& job) {
  running_.fetch_sub(1, std::memory_order_relaxed);
  if (options_.max_inflight == 0 && job.method->limit() == 0) return;
  const std::lock_guard lock(gate_);
  --inflight_;
  --job.method->running;
  for (std::deque<Waiting>& queue : waiting_) {  // most urgent first
    // Those whose method has no room are passed over, and keep their place.
    for (auto at = queue.begin(); at != queue.end();) {
      if (options_.max_inflight != 0 && inflight_ >= options_.max_inflight) return;
      if (!has_room(at->job)) {
        ++at;
        continue;
      }
      ++inflight_;
      ++at->job.method->running;
      executor_.run(at->job.channel, std::move(at->task));
      at = queue.erase(at);
      --waiting_count_;
    }
  }
}

TimePoint Dispatcher::inline_since() const noexcept {
  return TimePoint(Duration(inline_since_.load(std::memory_order_relaxed)));
}

void Dispatcher::log(LogLevel level, std::string_view text) const {
  if (options_.logger) options_.logger(level, text);
}

void Dispatcher::count(const Status& status) noexcept {
  if (!status.ok()) calls_failed_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace leat::transport
