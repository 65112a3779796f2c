#include "core/call/calls.h"

#include <algorithm>
#include <chrono>

#include "core/base/canary.h"
#include "core/base/readable.h"

namespace leat::call {

using session::Event;
using std::chrono::microseconds;

Channel choose_channel(const MethodRef& method, const CallOptions& options,
                       const std::optional<Payload>& request, std::uint64_t bulk_threshold) noexcept {
  if (options.channel && *options.channel != Channel::kControl) return *options.channel;
  if (method.channel && *method.channel != Channel::kControl) return *method.channel;
  const bool large = request && request->byte_size() >= bulk_threshold;
  const bool one_reply = method.kind == CallKind::kUnary || method.mostly_one_reply;
  if (large && one_reply) return Channel::kBulk;
  return method.kind == CallKind::kUnary ? Channel::kRpc : Channel::kStream;
}

TimePoint deadline_of(const MethodRef& method, const CallOptions& options, TimePoint now) noexcept {
  const std::optional<Duration> timeout = options.timeout ? options.timeout : method.deadline;
  if (!timeout) return kNever;
  return *timeout >= kNever - now ? kNever : now + *timeout;
}

Result<wire::StreamId> Calls::start(const MethodRef& method, std::optional<Payload> request,
                                    const CallOptions& options, TimePoint deadline, TimePoint now) {
  if (Status metadata = options.metadata.validate(); !metadata.ok()) return failure(std::move(metadata));
  wire::OpenView open{method.kind, {}, method.service, method.method, options.metadata};
  if (deadline != kNever) {
    // Rounded up, so that the callee does not give up before the caller does.
    const Duration left = std::max(deadline - now, Duration::zero());
    open.timeout_us = static_cast<std::uint64_t>(std::chrono::ceil<microseconds>(left).count());
  }
  const Channel channel = choose_channel(method, options, request, session_.options().bulk_threshold);
  const Result<wire::StreamId> id = session_.open(open, channel);
  if (!id) return id;
  if (request) {
    const bool only = method.kind == CallKind::kUnary || method.kind == CallKind::kServerStream;
    if (Status sent = session_.send(*id, std::move(*request), only); !sent.ok()) {
      session_.cancel(*id, Code::kCancelled, {});
      return failure(std::move(sent.mark_not_started()));
    }
  }
  if (deadline != kNever) watch(*id, now, deadline);
  return id;
}

void Calls::cancel(wire::StreamId id, Code code, std::string reason) {
  forget(id);
  session_.cancel(id, code, std::move(reason));
}

void Calls::finish(wire::StreamId id, const Status& status, const Metadata& trailing) {
  forget(id);
  session_.end(id, status, trailing);
}

void Calls::reject(wire::StreamId id, Status status) {
  forget(id);
  session_.reject(id, std::move(status));
}

Status Calls::finish_with(wire::StreamId id, Payload reply) {
  Status sent = session_.send(id, std::move(reply), true);
  forget(id);
  if (!sent.ok()) session_.end(id, sent, {});
  return sent;
}

void Calls::watch(wire::StreamId id, TimePoint now, TimePoint deadline) {
  timed_[id] = {deadline, deadline - now};
  by_deadline_.emplace(deadline, id);
}

void Calls::forget(wire::StreamId id) {
  if (timed_.empty()) return;
  const auto at = timed_.find(id);
  if (at == timed_.end()) return;
  by_deadline_.erase({at->second.deadline, id});
  timed_.erase(at);
}

std::optional<Event> Calls::next_event(TimePoint now) {
  std::optional<Event> event = session_.next_event();
  if (event) note(*event, now);
  return event;
}

void Calls::note(Event& event, TimePoint now) {
  if (event.kind == Event::Kind::kOpened && event.open->timeout_us) {
    // The caller may name any number; beyond ten years it is none.
    constexpr std::uint64_t kForever = 10ULL * 366 * 24 * 3600 * 1'000'000;
    if (*event.open->timeout_us < kForever) {
      const microseconds left(static_cast<std::int64_t>(*event.open->timeout_us));
      watch(event.stream, now, now + left);
    } else {
      event.open->timeout_us.reset();
    }
  } else if (event.kind == Event::Kind::kEnded || event.kind == Event::Kind::kCancelled) {
    forget(event.stream);
  }
}

TimePoint Calls::next_timeout() const noexcept {
  if (canary::has(canary::Bug::kForgetDeadlines)) return session_.next_timeout();
  const TimePoint first = by_deadline_.empty() ? kNever : by_deadline_.begin()->first;
  return std::min(first, session_.next_timeout());
}

void Calls::on_timeout(TimePoint now) {
  while (!by_deadline_.empty() && by_deadline_.begin()->first <= now) {
    const wire::StreamId id = by_deadline_.begin()->second;
    std::string text = "the call's deadline (" + readable(timed_[id].length) + ") has passed";
    forget(id);
    // Does nothing if its end is among the events that nobody has heard yet.
    session_.expire(id, {Code::kDeadlineExceeded, std::move(text)});
  }
  session_.on_timeout(now);
}

}  // namespace leat::call
