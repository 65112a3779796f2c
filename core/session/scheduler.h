// Which frame goes next. Control first; stream, rpc and bulk share by deficit round robin over bytes
// (Shreedhar and Varghese, SIGCOMM 1995), so that each keeps a guaranteed minimum; inside a channel the
// streams take turns.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>

#include <leat/context.h>

#include "core/session/batch.h"
#include "core/session/stream.h"

namespace leat::session {

class Scheduler {
 public:
  /// A control frame, header and body.
  void add_control(Buffer frame) { control_.push_back(std::move(frame)); }
  /// The stream has something to send and the credit for it. Does nothing if it stands in its round already.
  void add(Stream& stream);
  /// The stream is about to go.
  void remove(Stream& stream) noexcept;

  [[nodiscard]] bool idle() const noexcept;

  /// Appends frames to the batch until it holds about `budget` bytes, is full, or nothing is left that may be
  /// sent.
  void fill(Batch& batch, std::size_t budget);

  /// Streams whose last frame went into a batch, or whose queue ran low, since last asked. The session
  /// empties it.
  std::deque<Stream*>& served() noexcept { return served_; }

 private:
  struct Round {
    std::deque<Stream*> streams;
    std::int64_t deficit = 0;
  };
  [[nodiscard]] Round& round(Channel channel) noexcept { return rounds_[static_cast<std::size_t>(channel)]; }
  Round* next_round() noexcept;
  [[nodiscard]] std::size_t chunk(Channel channel) const noexcept;
  std::size_t send_frame(Stream& stream, Batch& batch);
  std::size_t send_piece(Stream& stream, Outgoing& item, Batch& batch);

  std::deque<Buffer> control_;
  std::array<Round, kChannelCount> rounds_;
  std::size_t turn_ = 0;
  bool fresh_turn_ = true;
  std::deque<Stream*> served_;
};

/// True if the stream's next frame may go now: it is no message, or there is credit for a piece of it.
[[nodiscard]] bool can_send(Stream& stream) noexcept;

}  // namespace leat::session
