// Whether a failed call is tried again, and when. Decided by what is known about the call, never by the text
// of an error.
#pragma once

#include <optional>

#include <leat/context.h>
#include <leat/status.h>

#include "core/call/backoff.h"

namespace leat::call {

struct RetryPolicy {
  unsigned max_attempts = 4;  ///< the first one included; 1: no retries
  BackoffPolicy backoff{std::chrono::milliseconds(50), 2, std::chrono::seconds(2), 0.2};
};

/// True if trying again may help and can be justified for a method that may run twice: the call ended as
/// kUnavailable because the connection was lost, or before it reached a handler. A handler's own kUnavailable
/// is its answer.
[[nodiscard]] bool retriable(const Status& status) noexcept;

/// Keeps retries from multiplying the load of a peer that is in trouble: a token bucket per connection, as in
/// gRPC's gRFC A6 ("Throttling Retry Attempts"). A failure takes a token, anything else gives token_ratio
/// back, and there are retries only while more than half the tokens are there. Not thread-safe.
class RetryBudget {
 public:
  explicit RetryBudget(double max_tokens = 10, double token_ratio = 0.1) noexcept
      : max_(max_tokens), ratio_(token_ratio), tokens_(max_tokens) {}

  /// An attempt of any call has ended so.
  void record(const Status& status) noexcept;
  [[nodiscard]] bool allows() const noexcept { return tokens_ > max_ / 2; }
  [[nodiscard]] double tokens() const noexcept { return tokens_; }

 private:
  double max_;
  double ratio_;
  double tokens_;
};

/// A call that has just failed.
struct FailedAttempt {
  bool idempotent = false;  ///< the method says that running it twice is as running it once
  unsigned attempts = 1;    ///< made so far
  TimePoint deadline = kNever;
};

/// How long to wait before the next attempt; nullopt: the failure is final. `random` is uniform in [0, 1).
/// The failure has been recorded in the budget.
[[nodiscard]] std::optional<Duration> decide_retry(const RetryPolicy& policy, const RetryBudget& budget,
                                                   const FailedAttempt& failed, const Status& status,
                                                   TimePoint now, double random) noexcept;

}  // namespace leat::call
