#include "tests/sim/network.h"

#include <algorithm>

namespace leat::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// The largest pieces that "shredded" bytes come in, and how many bytes of a send are: each costs an event.
constexpr std::size_t kShred = 24;
constexpr std::size_t kShredded = 1024;
// How long the end of a broken connection may go unnoticed.
constexpr Duration kLongestUnnoticed = milliseconds(200);

}  // namespace

std::size_t Link::room(Side from) const noexcept {
  const Pipe& to = pipe(from);
  return broken_ || to.bytes >= options_.capacity ? 0 : options_.capacity - to.bytes;
}

std::size_t Link::send(Side from, std::span<const Slice> slices) {
  Pipe& to = pipe(from);
  const std::size_t free = room(from);
  std::size_t taken = 0;
  const bool shredded = random_.chance(options_.shredded);
  for (const Slice& slice : slices) {
    Bytes bytes = slice.bytes.first(std::min(slice.bytes.size(), free - taken));
    taken += bytes.size();
    while (!bytes.empty()) {
      const bool shred = shredded && taken <= kShredded;
      // A piece may span slices: small sends arrive whole now and then.
      const bool join =
          !shred && !to.pieces.empty() && to.sent_until > timeline_->now() && to.pieces.back().size() < 512;
      const std::size_t most = shred ? kShred : options_.largest_piece;
      const std::size_t size = std::min<std::size_t>(bytes.size(), random_.between(1, most));
      const Duration wire(
          static_cast<Duration::rep>(static_cast<double>(size) * 1e9 / options_.bytes_per_second));
      to.sent_until = std::max(to.sent_until, timeline_->now()) + wire;
      if (join) {
        to.pieces.back().insert(to.pieces.back().end(), bytes.begin(),
                                bytes.begin() + static_cast<std::ptrdiff_t>(size));
      } else {
        to.pieces.emplace_back(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        const Duration late = random_.between(Duration::zero(), options_.jitter);
        to.arrived_until = std::max(to.arrived_until, to.sent_until + options_.latency + late);
        plan_arrival(from, to.arrived_until);
      }
      to.bytes += size;
      bytes = bytes.subspan(size);
    }
    if (taken == free) break;
  }
  if (room(from) == 0) to.wanted = true;
  return taken;
}

void Link::plan_arrival(Side from, TimePoint when) {
  timeline_->at(when, [self = shared_from_this(), from] { self->arrive(from); });
}

/// The first piece under way arrives, whichever it was that the event was planned for: so no stall can change
/// their order.
void Link::arrive(Side from) {
  Pipe& to = pipe(from);
  if (broken_ || to.pieces.empty()) return;
  if (timeline_->now() < to.stalled_until) {
    plan_arrival(from, to.stalled_until);
    return;
  }
  const std::vector<std::byte> piece = std::move(to.pieces.front());
  to.pieces.pop_front();
  to.bytes -= piece.size();
  if (LinkEnd* end = end_of(other(from))) end->on_bytes(piece);
  if (to.wanted && room(from) > 0) {
    to.wanted = false;
    if (LinkEnd* end = end_of(from)) end->on_room();
  }
}

void Link::close(Side from) {
  if (end_of(from) == nullptr) return;
  end_of(from) = nullptr;
  // Behind everything that was sent.
  const Pipe& to = pipe(from);
  const TimePoint last = std::max({timeline_->now(), to.arrived_until, to.stalled_until});
  timeline_->at(last, [self = shared_from_this(), from] { self->finish_close(from); });
}

void Link::finish_close(Side from) {
  if (!broken_ && pipe(from).bytes > 0) {
    timeline_->after(microseconds(10), [self = shared_from_this(), from] { self->finish_close(from); });
    return;
  }
  tell_lost(other(from));
}

void Link::stall(Side from, TimePoint until) {
  Pipe& to = pipe(from);
  to.stalled_until = std::max(to.stalled_until, until);
}

void Link::lose() {
  if (broken_) return;
  broken_ = true;
  for (Pipe& to : pipes_) {
    to.pieces.clear();
    to.bytes = 0;
  }
  for (const Side side : {Side::kConnector, Side::kAcceptor}) {
    const Duration unnoticed = random_.skewed(microseconds(1), kLongestUnnoticed);
    timeline_->after(unnoticed, [self = shared_from_this(), side] { self->tell_lost(side); });
  }
}

void Link::tell_lost(Side side) {
  if (LinkEnd* end = end_of(side)) {
    end_of(side) = nullptr;
    end->on_lost();
  }
}

}  // namespace leat::sim
