#include <cstdio>
#include <cstdlib>

#include <leat/testing.h>

#include "transport/runtime/clock.h"

namespace leat::testing {

using transport::kRealTime;
using transport::manual_time;

ManualClock::ManualClock() {
  TimePoint::rep real = kRealTime;
  if (manual_time.compare_exchange_strong(real, transport::real_now().time_since_epoch().count())) return;
  std::fputs("leat::testing::ManualClock: there is one already, and one at a time is all there can be\n",
             stderr);
  std::abort();
}

ManualClock::~ManualClock() { manual_time.store(kRealTime); }

TimePoint ManualClock::now() const noexcept { return transport::now(); }

void ManualClock::advance(Duration by) noexcept { manual_time.fetch_add(by.count()); }

}  // namespace leat::testing
