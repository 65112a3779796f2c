#include "core/call/retry.h"

#include <algorithm>

#include "core/base/canary.h"

namespace leat::call {

bool retriable(const Status& status) noexcept {
  return status.code() == Code::kUnavailable && (status.not_started() || status.outcome_unknown());
}

void RetryBudget::record(const Status& status) noexcept {
  tokens_ = retriable(status) ? std::max(tokens_ - 1, 0.0) : std::min(tokens_ + ratio_, max_);
}

std::optional<Duration> decide_retry(const RetryPolicy& policy, const RetryBudget& budget,
                                     const FailedAttempt& failed, const Status& status, TimePoint now,
                                     double random) noexcept {
  const bool idempotent = failed.idempotent || canary::has(canary::Bug::kRetryAnything);
  if (!idempotent || !retriable(status)) return std::nullopt;
  if (failed.attempts >= policy.max_attempts || !budget.allows()) return std::nullopt;
  const Duration delay = backoff_delay(policy.backoff, failed.attempts, random);
  // An attempt that begins at the deadline can only fail, and would hide the reason of this one.
  if (failed.deadline != kNever && failed.deadline - now <= delay) return std::nullopt;
  return delay;
}

}  // namespace leat::call
