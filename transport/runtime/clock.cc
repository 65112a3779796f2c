#include "transport/runtime/clock.h"

namespace leat::transport {

std::atomic<TimePoint::rep> manual_time{kRealTime};

}  // namespace leat::transport
