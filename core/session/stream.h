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
#include <optional>
#include <utility>
#include <vector>

#include <leat/message.h>

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
  Stream(wire::StreamId stream_id, bool opened_here, std::uint64_t send_window, std::uint64_t receive_window)
      : id(stream_id),
        local(opened_here),
        send_channel(stream_id.channel()),
        send(send_window),
        receive(receive_window) {}

  wire::StreamId id;
  bool local;

  // Sending.
  Channel send_channel;
  bool send_started = false;  ///< a message frame is out: the channel stays
  bool send_ended = false;    ///< the last thing to send is queued
  bool scheduled = false;     ///< stands in its channel's round
  bool want_writable = false;
  bool open_sent = false;
  SendCredit send;
  Queue<Outgoing> queue;
  std::uint64_t queued_bytes = 0;

  // Receiving.
  bool receive_ended = false;
  bool refused = false;  ///< ended by this side; what still arrives is dropped
  bool headers_seen = false;
  ReceiveCredit receive;
  std::optional<Assembly> assembly;
  std::uint64_t message_wire_bytes = 0;  ///< of the message being assembled, prologue included
  /// Messages that hold a share of the assembly budget: where they end, and how much. In order.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> charged;
  std::uint64_t consumed = 0;
};

}  // namespace leat::session
