// The simulated network. A link is one connection: in each direction it carries bytes in order, as slowly and
// in such pieces as it likes. Nothing orders one link against another, so two of them under a session are
// its two lanes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <leat/context.h>

#include "core/base/slice.h"
#include "tests/sim/random.h"
#include "tests/sim/timeline.h"

namespace leat::sim {

enum class Side : std::uint8_t { kConnector = 0, kAcceptor = 1 };
[[nodiscard]] constexpr Side other(Side side) noexcept {
  return side == Side::kConnector ? Side::kAcceptor : Side::kConnector;
}

/// What a link is like.
struct LinkOptions {
  Duration latency = std::chrono::microseconds(100);
  Duration jitter{};  ///< added at random; bytes never overtake others of their direction
  double bytes_per_second = 1e9;
  std::size_t capacity = 256U << 10U;      ///< bytes that are accepted before the first of them has arrived
  std::size_t largest_piece = 64U << 10U;  ///< bytes arrive in random pieces of at most this size
  unsigned shredded = 5;                   ///< percent of the sends that arrive in pieces of a few bytes
};

/// Whoever holds one end of a link. No function is called from inside a call of Link's.
class LinkEnd {
 public:
  virtual ~LinkEnd() = default;
  virtual void on_bytes(Bytes bytes) = 0;
  /// There is room again where there was none.
  virtual void on_room() = 0;
  /// The connection is over: no more bytes in either direction. Once.
  virtual void on_lost() = 0;
};

class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(Timeline& timeline, Random random, const LinkOptions& options)
      : timeline_(&timeline), random_(random), options_(options) {}

  void attach(Side side, LinkEnd& end) { end_of(side) = &end; }

  /// Bytes that send() would take now.
  [[nodiscard]] std::size_t room(Side from) const noexcept;
  /// Takes what there is room for, and says how much that was.
  std::size_t send(Side from, std::span<const Slice> slices);
  /// As closing a socket: what was sent still arrives, then the other end learns of it. This end hears no
  /// more.
  void close(Side from);

  // Faults.
  /// Nothing arrives from there before `until`.
  void stall(Side from, TimePoint until);
  /// The connection breaks: what is under way is gone, and both ends learn of it a while later.
  void lose();

  [[nodiscard]] bool broken() const noexcept { return broken_; }
  [[nodiscard]] TimePoint stalled_until(Side from) const noexcept { return pipe(from).stalled_until; }
  /// Bytes sent and not yet arrived.
  [[nodiscard]] std::size_t under_way(Side from) const noexcept { return pipe(from).bytes; }
  [[nodiscard]] const LinkOptions& options() const noexcept { return options_; }

 private:
  struct Pipe {
    std::deque<std::vector<std::byte>> pieces;
    std::size_t bytes = 0;
    bool wanted = false;     // the sender found no room
    TimePoint sent_until{};  // when the last byte has left
    TimePoint arrived_until{};
    TimePoint stalled_until{};
  };

  Pipe& pipe(Side from) noexcept { return pipes_[static_cast<std::size_t>(from)]; }
  [[nodiscard]] const Pipe& pipe(Side from) const noexcept { return pipes_[static_cast<std::size_t>(from)]; }
  LinkEnd*& end_of(Side side) noexcept { return ends_[static_cast<std::size_t>(side)]; }
  void plan_arrival(Side from, TimePoint when);
  void arrive(Side from);
  void finish_close(Side from);
  void tell_lost(Side side);

  Timeline* timeline_;
  Random random_;
  LinkOptions options_;
  std::array<Pipe, 2> pipes_;
  std::array<LinkEnd*, 2> ends_{};
  bool broken_ = false;
};

}  // namespace leat::sim
