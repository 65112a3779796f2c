#include "core/session/heartbeat.h"

#include <algorithm>

#include "core/wire/codec.h"

namespace leat::session {
namespace {

// First byte of a heartbeat's ping; the number of the ping follows.
constexpr std::uint8_t kPurpose = 'h';
constexpr std::size_t kBody = 1 + sizeof(std::uint64_t);

}  // namespace

void Heartbeat::start(TimePoint now) noexcept {
  heard_ = now;
  pinged_ = now;
  if (interval_ > Duration::zero() && timeout_ > Duration::zero()) next_ = now + interval_;
}

Heartbeat::Due Heartbeat::on_timeout(TimePoint now) noexcept {
  if (now < next_) return Due::kNothing;
  if (now - heard_ < interval_) {
    next_ = heard_ + interval_;
    return Due::kNothing;
  }
  if (pinged_ <= heard_) {
    pinged_ = now;
    held_ = true;
    ++pings_;
    unanswered_ = true;
    next_ = now + std::min(interval_, timeout_);  // it is answered sooner than that, and then silent again
    return Due::kPing;
  }
  next_ = pinged_ + timeout_;
  if (now < next_) return Due::kNothing;
  next_ = kNever;
  return Due::kDead;
}

std::vector<std::byte> Heartbeat::ping() const {
  std::vector<std::byte> body;
  wire::Writer writer(body);
  writer.u8(kPurpose);
  writer.u64(pings_);
  return body;
}

bool Heartbeat::pong(Bytes body, TimePoint now) noexcept {
  if (body.size() != kBody || !unanswered_) return false;
  wire::Reader reader(body);
  if (reader.u8() != kPurpose || reader.u64() != pings_) return false;
  unanswered_ = false;
  round_trip_ = now - pinged_;
  return true;
}

}  // namespace leat::session
