#include "transport/runtime/lane_end.h"

#include <algorithm>

namespace leat::transport {

Result<std::size_t> LaneEnd::send(std::size_t limit, TimePoint at) {
  if (!unsent()) {
    send_again_ = false;  // what was left for later has been given up
    return 0;
  }
  std::size_t sent = 0;
  while (!closed_ && sent < limit) {
    if (batch_.empty()) {
      const std::size_t budget = link_->send_budget();
      if (budget == 0) break;
      session_.transmit(lane_, batch_, std::min(budget, limit), at);
      if (batch_.empty()) break;
    }
    const Result<std::size_t> taken = link_->send(batch_.slices());
    if (!taken) {
      batch_.clear();
      return taken;
    }
    if (*taken > 0) session_.link_took(lane_, at);
    sent += *taken;
    batch_.taken(*taken);
    if (!batch_.empty()) break;
  }
  // Others get their turn now; ours comes back at once, since the descriptor is writable or we say so when
  // asked.
  send_again_ = sent >= limit && unsent();
  bytes_sent += sent;
  return sent;
}

}  // namespace leat::transport
