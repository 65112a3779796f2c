// How a session shares its link. Every figure is a knob; the defaults' sources are DESIGN's "Figures to start
// from".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include <leat/context.h>

namespace leat::session {

struct SchedulerOptions {
  /// Bytes that a channel may send before the next one's turn, when all have something to send: the ratio is
  /// the guaranteed share, 4 : 4 : 1.
  std::uint32_t stream_quantum = 64U << 10U;
  std::uint32_t rpc_quantum = 64U << 10U;
  std::uint32_t bulk_quantum = 16U << 10U;
  /// Bytes of control frames, which go first, after which the others may send as much if they have it.
  std::uint32_t control_quantum = 32U << 10U;
  /// Messages are cut into pieces that take about this long at the rate that the link is measured to have,
  /// within these bounds, so that what is more urgent gets its turn.
  Duration piece_time = std::chrono::microseconds(100);
  std::uint32_t least_piece = 4U << 10U;
  std::uint32_t largest_piece = 16U << 10U;
  /// On bulk the pieces are larger: one that is not interleaved with anything buys nothing. At most 512 KiB.
  std::uint32_t bulk_piece_alone = 256U << 10U;
  std::uint32_t bulk_piece_beside = 64U << 10U;
  /// Bytes of bulk that may be in flight while calls are active: sent, and not yet returned by the other side
  /// as channel credit. What stands in front of a call's frames in the kernels' buffers is at most this. At
  /// least 256 KiB, since the other side may keep as much before it returns it.
  std::uint32_t bulk_in_flight_beside = 1U << 20U;
  /// Calls count as active for so long after each frame of the stream or rpc channel, either way.
  Duration active_for = std::chrono::milliseconds(10);
};

}  // namespace leat::session
