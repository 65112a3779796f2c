// What a session reports, and what it is configured with.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <leat/context.h>
#include <leat/message.h>
#include <leat/metadata.h>
#include <leat/status.h>

#include "core/session/process_budget.h"
#include "core/session/scheduler_options.h"
#include "core/wire/call_frames.h"
#include "core/wire/frame.h"
#include "core/wire/handshake.h"
#include "core/wire/session_frames.h"

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
  /// Silence after which the other side is asked whether it lives, and how long it may stay silent then; zero
  /// for either: it is never asked.
  Duration heartbeat_interval = std::chrono::seconds(10);
  Duration heartbeat_timeout = std::chrono::seconds(20);
  /// How long a drained session waits for the other side to say that it has got all answers.
  Duration drain_grace = std::chrono::seconds(1);
  /// How long the link of a closed session has time to take what is still to be said, the goodbye last.
  Duration close_grace = std::chrono::seconds(1);
  /// Bytes that a stream towards this side starts with as credit, at least 64 KiB; it grows with the
  /// measured bandwidth times delay while no calls are active, up to max_stream_window.
  std::uint32_t stream_window = 256U << 10U;
  std::uint64_t max_stream_window = 16U << 20U;
  /// The sum of the windows of open streams that the other side may fill: above half of it new ones start at
  /// 64 KiB and none grows, and when it is taken no more streaming calls are opened.
  std::uint64_t stream_windows_bytes = std::uint64_t{1} << 30U;
  /// Bytes of messages in flight on each channel; returned as they arrive. At least 64 KiB.
  std::uint32_t channel_window = 4U << 20U;
  std::uint64_t max_message = std::uint64_t{4} << 30U;
  /// Messages larger than a frame that are being received, until their handler starts or their reader takes
  /// them; requests and replies each.
  std::uint64_t assembly_bytes = std::uint64_t{2} << 30U;
  /// The same for all sessions that are given the same one; none: no such bound.
  std::shared_ptr<ProcessBudget> process_budget;
  /// How long a message that may be sent whole may stand still; zero: for ever.
  Duration assembly_timeout = std::chrono::seconds(30);
  /// Unary messages from this size on travel on bulk unless the caller or the schema says otherwise.
  std::uint64_t bulk_threshold = 256U << 10U;
  /// Bulk moves to a lane of its own if the other side wants that too and the link's owner opens one.
  bool second_lane = true;
  /// How long the first bulk waits for that lane before it travels on the one that is there; zero: not at
  /// all.
  Duration lane_patience = std::chrono::milliseconds(100);
  /// Streams of which a frame has overtaken the one that opens them, at once; beyond it is a violation.
  std::uint32_t max_early_frames = 1024;
  SchedulerOptions scheduler;
  std::uint32_t max_streams = 1U << 16U;
  std::uint32_t max_metadata = 64U << 10U;
  /// Frames that carry nothing, and calls opened and given up, that the other side may send a second; as many
  /// as max_streams at once. Zero: as many as it likes.
  std::uint32_t max_useless_frames = 10'000;
  std::uint32_t max_cancels = 10'000;
  /// Answers that wait because the other side does not read. More than what one turn of a link's owner can
  /// read of questions before it writes.
  std::uint32_t max_control_bytes = 4U << 20U;
  /// Memory for received attachments; the default is Buffer::allocate.
  std::function<Buffer(std::size_t)> allocate = Buffer::allocate;
};

struct Event {
  enum class Kind : std::uint8_t {
    kReady,        ///< handshake done; streams may be opened
    kOpened,       ///< the other side opened a stream: `open`
    kHeaders,      ///< initial metadata of the callee: `metadata`
    kMessage,      ///< a message: `payload`; say consumed(wire_bytes) when the application has taken it
    kHalfClosed,   ///< the other side sends no more messages (may come with the last message: `last`)
    kEnded,        ///< the callee's final `status` and trailing `metadata`; the stream is gone
    kCancelled,    ///< the caller gave up, and this side had not ended it: `status`; the stream is gone
    kWritable,     ///< a stream whose queue was full takes messages again
    kGoingAway,    ///< the other side takes no more streams: `status`; those it will not serve end as kEnded
    kHealthAsked,  ///< the other side asks for the health of `open.service`: answer_health(`health_id`)
    kHealth,       ///< the answer to ask_health(): `health_id`, `health`
    kLaneWanted,   ///< a second link would serve now: open one, then say add_lane() or lane_lost()
    kAttach,  ///< this link is the second lane of the session that holds `token`: see Session::add_lane()
    kClosed,  ///< the session is over: `status`; all streams are gone
  };
  Kind kind = Kind::kReady;
  bool last = false;
  wire::HealthState health = wire::HealthState::kUnknownService;
  std::uint32_t health_id = 0;
  wire::StreamId stream;
  std::uint64_t wire_bytes = 0;
  Payload payload;
  Status status;
  Metadata metadata;
  std::optional<wire::Open> open;  ///< with kOpened; with kHealthAsked, of which only the service counts
  wire::Token token{};
};

}  // namespace leat::session
