// What a session reports, and what it is configured with.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <leat/context.h>
#include <leat/message.h>
#include <leat/metadata.h>
#include <leat/status.h>

#include "core/wire/call_frames.h"
#include "core/wire/frame.h"
#include "core/wire/handshake.h"

namespace leat::session {

struct Options {
  /// The side that was connected to; it sends the token.
  bool acceptor = false;
  std::string name;
  /// The scheme of the link, told in START.
  std::string link;
  std::vector<wire::Announcement> services;
  /// Unpredictable, from the operating system; the acceptor's only.
  wire::Token token{};
  Duration handshake_timeout = std::chrono::seconds(5);
  std::uint32_t stream_window = 256U << 10U;  ///< at least 64 KiB
  std::uint64_t max_message = std::uint64_t{4} << 30U;
  std::uint64_t assembly_bytes = std::uint64_t{2} << 30U;
  std::uint32_t max_streams = 1U << 16U;
  std::uint32_t max_metadata = 64U << 10U;
  /// Memory for received attachments; the default is Buffer::allocate.
  std::function<Buffer(std::size_t)> allocate = Buffer::allocate;
};

struct Event {
  enum class Kind : std::uint8_t {
    kReady,       ///< handshake done; streams may be opened
    kOpened,      ///< the other side opened a stream: `open`
    kHeaders,     ///< initial metadata of the callee: `metadata`
    kMessage,     ///< a message: `payload`; say consumed(wire_bytes) when the application has taken it
    kHalfClosed,  ///< the other side sends no more messages (may come with the last message: `last`)
    kEnded,       ///< the callee's final `status` and trailing `metadata`; the stream is gone
    kCancelled,   ///< the caller gave up: `status`; the stream is gone
    kWritable,    ///< a stream whose queue was full takes messages again
    kClosed,      ///< the session is over: `status`; all streams are gone
  };
  Kind kind = Kind::kReady;
  bool last = false;
  wire::StreamId stream;
  std::uint64_t wire_bytes = 0;
  Payload payload;
  Status status;
  Metadata metadata;
  wire::Open open;
};

}  // namespace leat::session
