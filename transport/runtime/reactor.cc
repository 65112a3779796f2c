#include "transport/runtime/reactor.h"

#include <algorithm>
#include <array>
#include <sys/epoll.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "transport/runtime/clock.h"

namespace leat::transport {
namespace {

constexpr Reactor::SourceId kWakeupId = 0;

std::uint32_t interest(Source& source) noexcept {
  return EPOLLIN | (source.wants_write() ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
}

}  // namespace

Reactor::Reactor() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeupId;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_.descriptor(), &event);
}

Reactor::~Reactor() {
  if (epoll_ >= 0) ::close(epoll_);
}

Reactor::SourceId Reactor::add(std::shared_ptr<Source> source) {
  const std::lock_guard lock(mutex_);
  const SourceId id = next_id_++;
  Entry entry;
  entry.fd = source->descriptor();
  entry.events = interest(*source);
  if (entry.fd >= 0) {
    epoll_event event{};
    event.events = entry.events;
    event.data.u64 = id;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, entry.fd, &event) != 0) return 0;
  }
  if (source->asks()) asking_.emplace(id, source);
  entry.source = std::move(source);
  refresh(id, entries_.emplace(id, std::move(entry)).first->second);
  return id;
}

void Reactor::remove(SourceId id) {
  std::shared_ptr<Source> dying;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(id);
  if (at == entries_.end()) return;
  if (at->second.fd >= 0) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, at->second.fd, nullptr);
  const auto [begin, end] = timeouts_.equal_range(at->second.timeout);
  for (auto it = begin; it != end; ++it) {
    if (it->second == id) {
      timeouts_.erase(it);
      break;
    }
  }
  asking_.erase(id);
  dying = std::move(at->second.source);
  entries_.erase(at);
}

void Reactor::update(SourceId id) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(id);
  if (at != entries_.end()) refresh(id, at->second);
}

void Reactor::refresh(SourceId id, Entry& entry) {
  const std::uint32_t events = interest(*entry.source);
  if (entry.fd >= 0 && events != entry.events) {
    entry.events = events;
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, entry.fd, &event);
  }
  const TimePoint timeout = entry.source->next_timeout();
  if (timeout != entry.timeout) {
    const auto [begin, end] = timeouts_.equal_range(entry.timeout);
    for (auto it = begin; it != end; ++it) {
      if (it->second == id) {
        timeouts_.erase(it);
        break;
      }
    }
    entry.timeout = timeout;
    const bool first = timeout != kNever && (timeouts_.empty() || timeout < timeouts_.begin()->first);
    if (timeout != kNever) timeouts_.emplace(timeout, id);
    if (first && waiting_ > 0) wakeup_.ring();
  }
}

std::shared_ptr<Source> Reactor::find(SourceId id) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(id);
  return at == entries_.end() ? nullptr : at->second.source;
}

void Reactor::serve(SourceId id, TimePoint at) {
  const std::shared_ptr<Source> source = find(id);
  if (!source) return;
  source->service(at);
  update(id);
}

bool Reactor::serve_pending() {
  std::vector<std::pair<SourceId, std::shared_ptr<Source>>> asking;
  {
    const std::lock_guard lock(mutex_);
    if (asking_.empty()) return false;
    asking.assign(asking_.begin(), asking_.end());
  }
  bool any = false;
  for (const auto& [id, source] : asking) {
    if (!source->pending()) continue;
    any = true;
    serve(id, now());
  }
  return any;
}

/// The ring may have been meant for another thread's turn: one that waits, or that is about to.
void Reactor::pass_ring_on(bool blocking) {
  const std::lock_guard lock(mutex_);
  wakeup_.clear();
  if (waiting_ > 0) {
    wakeup_.ring();
  } else if (!blocking) {
    swallowed_ = true;
  }
}

void Reactor::turn(TimePoint until) {
  if (serve_pending()) until = TimePoint::min();
  TimePoint wake_at = until;
  bool blocking = false;
  int milliseconds = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!timeouts_.empty()) wake_at = std::min(wake_at, timeouts_.begin()->first);
    milliseconds = poll_timeout(wake_at, now());
    if (milliseconds != 0 && std::exchange(swallowed_, false)) milliseconds = 0;
    blocking = milliseconds != 0;
    if (blocking) ++waiting_;
  }
  std::array<epoll_event, 64> events{};
  const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), milliseconds);
  const TimePoint at = now();
  std::vector<SourceId> due;
  {
    const std::lock_guard lock(mutex_);
    if (blocking) --waiting_;
    for (auto it = timeouts_.begin(); it != timeouts_.end() && it->first <= at; ++it)
      due.push_back(it->second);
  }
  for (int i = 0; i < count; ++i) {
    const SourceId id = events[static_cast<std::size_t>(i)].data.u64;
    if (id == kWakeupId) {
      pass_ring_on(blocking);
    } else {
      serve(id, at);
    }
  }
  for (const SourceId id : due) serve(id, at);
}

}  // namespace leat::transport
