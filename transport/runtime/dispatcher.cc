#include "transport/runtime/dispatcher.h"

#include <algorithm>

#include "transport/runtime/clock.h"
#include "transport/runtime/server_call.h"

namespace leat::transport {
namespace {

// A handler shorter than this costs the other connections less than the two thread hops it saves (9 to 22 us
// each on a virtual machine; DESIGN, "Threads").
constexpr std::uint32_t kQuickNs = 20'000;
constexpr std::uint32_t kRunsToJudge = 4;

}  // namespace

void RunTime::add(Duration took) noexcept {
  const auto ns = static_cast<std::uint32_t>(std::clamp<Duration::rep>(took.count(), 0, 1'000'000'000));
  const std::uint32_t mean = mean_ns_.load(std::memory_order_relaxed);
  // Races between two ends of one method lose a sample at worst.
  const std::uint32_t runs = runs_.fetch_add(1, std::memory_order_relaxed);
  mean_ns_.store(runs == 0 ? ns : mean - mean / 8 + ns / 8, std::memory_order_relaxed);
}

bool RunTime::quick() const noexcept {
  return runs_.load(std::memory_order_relaxed) >= kRunsToJudge &&
         mean_ns_.load(std::memory_order_relaxed) < kQuickNs;
}

bool& inline_allowed() noexcept {
  thread_local bool allowed = false;
  return allowed;
}

Status Dispatcher::add(std::shared_ptr<Service> service) {
  const std::unique_lock lock(mutex_);
  return table_.add(std::move(service));
}

std::vector<wire::Announcement> Dispatcher::announcements() const {
  const std::shared_lock lock(mutex_);
  return table_.announcements();
}

std::shared_ptr<RunTime> Dispatcher::run_time(const call::Target& target) {
  {
    const std::shared_lock lock(mutex_);
    const auto at = run_times_.find(target.service.get());
    if (at != run_times_.end() && target.method < at->second.size()) return at->second[target.method];
  }
  const std::unique_lock lock(mutex_);
  auto& list = run_times_[target.service.get()];
  while (list.size() <= target.method) list.push_back(std::make_shared<RunTime>());
  return list[target.method];
}

std::shared_ptr<CallState> Dispatcher::on_request(Connection& connection, session::Event& opened,
                                                  TimePoint at) {
  calls_.fetch_add(1, std::memory_order_relaxed);
  Result<call::Target> target = [&] {
    const std::shared_lock lock(mutex_);
    return table_.find(opened.open.service, opened.open.method);
  }();
  if (!target) {
    count(target.error());
    connection.calls().finish(opened.stream, target.error(), {});
    return nullptr;
  }
  Job job{*target, run_time(*target), opened.stream.channel()};
  auto call =
      std::make_shared<ServerCallState>(connection.shared_from_this(), *this, std::move(job), opened, at);
  call->opened();
  return call;
}

void Dispatcher::run(Connection& connection, const Job& job, bool may_run_inline,
                     std::function<void()> task) {
  if (may_run_inline && inline_allowed() && job.run_time->quick()) {
    connection.defer([this, task = std::move(task)] {
      inline_since_.store(now().time_since_epoch().count(), std::memory_order_relaxed);
      task();
      inline_since_.store(TimePoint::min().time_since_epoch().count(), std::memory_order_relaxed);
    });
  } else {
    executor_.run(job.channel, std::move(task));
  }
}

TimePoint Dispatcher::inline_since() const noexcept {
  return TimePoint(Duration(inline_since_.load(std::memory_order_relaxed)));
}

void Dispatcher::log(LogLevel level, std::string_view text) const {
  if (logger_) logger_(level, text);
}

void Dispatcher::count(const Status& status) noexcept {
  if (!status.ok()) calls_failed_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace leat::transport
