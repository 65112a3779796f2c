// Calls over a session: which stream and channel a call takes, and when it ends for want of time. Sans-IO
// like the session below it.
#pragma once

#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include <leat/service.h>

#include "core/session/session.h"

namespace leat::call {

/// The channel for a call: the caller's wish, else the schema's, else by kind; a unary request from
/// `bulk_threshold` bytes on (session::Options) goes on bulk.
[[nodiscard]] Channel choose_channel(const MethodRef& method, const CallOptions& options,
                                     const std::optional<Payload>& request,
                                     std::uint64_t bulk_threshold) noexcept;

/// When a call started at `now` must have ended; kNever without any limit.
[[nodiscard]] TimePoint deadline_of(const MethodRef& method, const CallOptions& options,
                                    TimePoint now) noexcept;

class Calls {
 public:
  Calls(session::Options options, TimePoint now) : session_(std::move(options), now) {}

  [[nodiscard]] session::Session& session() noexcept { return session_; }
  [[nodiscard]] const session::Session& session() const noexcept { return session_; }

  /// Opens the call and queues its request, if there is one (then, unless the kind streams requests, also its
  /// end).
  Result<wire::StreamId> start(const MethodRef& method, std::optional<Payload> request,
                               const CallOptions& options, TimePoint deadline, TimePoint now);
  /// The caller gives up.
  void cancel(wire::StreamId id, Code code, std::string reason);
  /// The callee's final status.
  void finish(wire::StreamId id, const Status& status, const Metadata& trailing);
  /// The callee refuses a call that no handler has seen: the caller may try again whatever the method does.
  void reject(wire::StreamId id, Status status);
  /// The callee's only message, which is also its ok.
  Status finish_with(wire::StreamId id, Payload reply);

  /// Session events, with incoming calls' deadlines noted (event.open.timeout_us says what was left) and
  /// forgotten.
  std::optional<session::Event> next_event(TimePoint now);
  /// The same for one of Session::take_events(), when its turn comes.
  void note(session::Event& event, TimePoint now);

  [[nodiscard]] TimePoint next_timeout() const noexcept;
  /// Calls past their deadline end: a local one as kEnded, a remote one as kCancelled, both
  /// kDeadlineExceeded; but not those whose end has come and was not heard yet.
  void on_timeout(TimePoint now);

 private:
  struct Timed {
    TimePoint deadline;
    Duration length;  ///< as of when this side knew of the call
  };
  void watch(wire::StreamId id, TimePoint now, TimePoint deadline);
  void forget(wire::StreamId id);

  session::Session session_;
  std::set<std::pair<TimePoint, wire::StreamId>> by_deadline_;
  std::unordered_map<wire::StreamId, Timed> timed_;
};

}  // namespace leat::call
