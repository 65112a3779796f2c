// One stream of a session, as its two ends see it.
//
//                 opener                                    accepter
//   open()  ->  [open, messages..., half-close]    ->   kOpened, kMessage..., kHalfClosed
//   kEnded  <-  [headers, messages..., end]        <-   headers(), send()..., end()
//
// The accepter's end is the end of the stream, whatever the opener has still to say; the opener may cancel at
// any time, which is the end of it too. Frames that arrive for a stream after its end are late and ignored.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <leat/message.h>
#include <leat/service.h>

#include "core/base/lane.h"
#include "core/base/queue.h"
#include "core/session/assembly.h"
#include "core/session/credit.h"
#include "core/wire/frame.h"

namespace leat::session {

/// Something a stream has still to send: a frame of its own, or a message in as many frames as it takes.
struct Outgoing {
  wire::Kind kind = wire::Kind::kMessage;
  Buffer body;             ///< of frames that are no message
  Payload payload;         ///< of messages
  std::uint64_t size = 0;  ///< head and attachments
  std::uint64_t sent = 0;  ///< of these
  bool started = false;    ///< the frame with the prologue is out
  bool end_stream = false;
  bool half_close_only = false;
};

struct Stream {
  Stream(wire::StreamId stream_id, bool opened_here, CallKind call_kind, std::uint64_t send_window,
         const ReceiveCredit& receive_credit)
      : id(stream_id),
        local(opened_here),
        kind(call_kind),
        send_channel(stream_id.channel()),
        send(send_window),
        receive(receive_credit) {}

  /// Another stream in the memory of one that has ended.
  void begin_anew(wire::StreamId stream_id, bool opened_here, CallKind call_kind, std::uint64_t send_window,
                  const ReceiveCredit& receive_credit) {
    Queue<Outgoing> memory = std::move(queue);
    memory.clear();
    // In place: to make one elsewhere and to move it here costs three times as much.
    std::destroy_at(this);
    std::construct_at(this, stream_id, opened_here, call_kind, send_window, receive_credit);
    queue = std::move(memory);
  }

  wire::StreamId id;
  bool local;
  CallKind kind;

  // Sending.
  Channel send_channel;
  Lane send_lane = Lane::kMain;
  bool lane_taken = false;      ///< a frame of this direction is out: the lane stays
  bool message_queued = false;  ///< there was a message: the channel stays
  bool send_ended = false;      ///< the last thing to send is queued
  bool scheduled = false;       ///< stands in its channel's round
  bool served = false;          ///< stands among those whose frames went into the last batch
  bool want_writable = false;
  bool open_sent = false;
  /// Where the frame that opens the stream stands in its channel's line, from and to, if it went that way.
  std::uint64_t open_at = 0;
  std::uint64_t open_end = 0;
  SendCredit send;
  Queue<Outgoing> queue;
  std::uint64_t queued_bytes = 0;

  // Receiving.
  bool receive_ended = false;
  /// Ended by this side, which only has to send the end; what still arrives is dropped, and its application
  /// is told no more.
  bool refused = false;
  bool headers_seen = false;
  ReceiveCredit receive;
  std::uint64_t window_taken =
      0;  ///< of the sum of windows; 0 where the other side sends one message at most
  std::optional<Assembly> assembly;
  TimePoint progress;                    ///< when bytes of it last arrived
  std::uint64_t message_wire_bytes = 0;  ///< of the message being assembled, prologue included
  /// Messages that hold a share of the assembly budget: where they end, and how much. In order.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> charged;
  std::uint64_t consumed = 0;
};

}  // namespace leat::session
