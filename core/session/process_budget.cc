#include "core/session/process_budget.h"

namespace leat::session {

bool ProcessBudget::try_take(Share share, std::uint64_t bytes, TimePoint waiting_since,
                             TimePoint now) noexcept {
  State& state = of(share);
  const TimePoint::rep since = waiting_since.time_since_epoch().count();
  const TimePoint::rep oldest = state.oldest.load();
  const bool leased = now - TimePoint(Duration(state.tried.load())) < kLease;
  if (oldest < since && leased) return false;

  std::uint64_t used = state.used.load();
  while (bytes <= total_ - used) {
    if (!state.used.compare_exchange_weak(used, used + bytes)) continue;
    // If it was the oldest, the next try of each other session says who is now.
    TimePoint::rep mine = since;
    state.oldest.compare_exchange_strong(mine, kNobody);
    return true;
  }
  state.oldest.store(since);
  state.tried.store(now.time_since_epoch().count());
  return false;
}

}  // namespace leat::session
