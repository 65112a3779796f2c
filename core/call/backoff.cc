#include "core/call/backoff.h"

#include <algorithm>

namespace leat::call {

Duration backoff_delay(const BackoffPolicy& policy, unsigned failures, double random) noexcept {
  const auto max = static_cast<double>(policy.max.count());
  auto delay = static_cast<double>(policy.initial.count());
  // A loop instead of a power, since it ends as soon as the largest delay is reached.
  for (unsigned i = 1; i < failures && delay < max && policy.multiplier > 1; ++i) delay *= policy.multiplier;
  delay = std::min(delay, max);
  delay *= 1 + policy.jitter * (2 * random - 1);
  return Duration(static_cast<Duration::rep>(std::max(delay, 0.0)));
}

}  // namespace leat::call
