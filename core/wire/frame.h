// The frame header: sixteen bytes before every body. docs/wire-format.md is the specification.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <leat/bytes.h>
#include <leat/context.h>

namespace leat::wire {

/// What a frame is. Unlisted numbers are reserved; docs/wire-format.md says for what.
enum class Kind : std::uint8_t {
  kHello = 0x01,    ///< client to server, first frame: versions, features, limits, services
  kWelcome = 0x02,  ///< server to client: the version chosen, its token, limits, services
  kStart = 0x03,    ///< client to server: the token echoed; calls may follow
  kAttach = 0x04,   ///< client to server, first frame of a second lane: the session's token
  kGoaway = 0x05,   ///< the sender takes no more streams, and why
  kPing = 0x06,
  kPong = 0x07,
  kCredit = 0x08,         ///< how far a stream may be written
  kClose = 0x09,          ///< the session ends, and why
  kDrained = 0x0a,        ///< after a goaway: none of the sender's calls are left
  kLaneWanted = 0x0b,     ///< server to client: open the second lane
  kAttached = 0x0c,       ///< server to client, first frame of a second lane: it is the session's now
  kWindow = 0x0d,         ///< credit that streams opened from now on start with
  kChannelCredit = 0x0e,  ///< how far a channel may be written
  kOpen = 0x10,           ///< a new stream: method, deadline, metadata
  kMessage = 0x11,        ///< a message, or a piece of one
  kHeaders = 0x12,        ///< the callee's initial metadata
  kEnd = 0x13,            ///< the callee's final status
  kCancel = 0x14,         ///< the caller gives up
  kHealthAsk = 0x51,
  kHealth = 0x52,  ///< the answer to an ask
};

/// Flags of any frame.
inline constexpr std::uint16_t kSkippable =
    0x8000;  ///< a receiver that doesn't know the kind skips the frame
/// Flags of a message frame.
inline constexpr std::uint16_t kFirst = 0x0001;  ///< the body begins with a message's prologue
inline constexpr std::uint16_t kLast = 0x0002;   ///< the body ends the message
inline constexpr std::uint16_t kEndStream =
    0x0004;  ///< with kLast: this side sends nothing more; from the callee it
             ///< stands for an end frame with status ok and no metadata

/// 0 means the session; any other names a stream: (sequence << 3) | (opened by the acceptor << 2) | opening
/// channel.
struct StreamId {
  std::uint64_t value = 0;

  [[nodiscard]] constexpr Channel channel() const noexcept { return static_cast<Channel>(value & 3U); }
  [[nodiscard]] constexpr bool opened_by_acceptor() const noexcept { return (value & 4U) != 0; }
  [[nodiscard]] constexpr std::uint64_t sequence() const noexcept { return value >> 3U; }
  static constexpr StreamId make(std::uint64_t sequence, bool by_acceptor, Channel channel) noexcept {
    return {(sequence << 3U) | (by_acceptor ? 4U : 0U) | static_cast<std::uint64_t>(channel)};
  }
  friend constexpr bool operator==(StreamId, StreamId) = default;
  friend constexpr auto operator<=>(StreamId, StreamId) = default;
};

struct FrameHeader {
  std::uint32_t length = 0;  ///< bytes of the body
  Kind kind = Kind::kPing;
  Channel channel = Channel::kControl;
  std::uint16_t flags = 0;
  StreamId stream;

  static constexpr std::size_t kSize = 16;

  void encode(std::span<std::byte, kSize> out) const noexcept;
  /// Reads the fields; says nothing about whether they make sense.
  static FrameHeader decode(std::span<const std::byte, kSize> in) noexcept;
  /// Why no frame with this header may arrive, whatever the state (an unknown channel, a body over
  /// `max_body`, flags or a stream that the kind doesn't have); nullopt if it may.
  [[nodiscard]] std::optional<std::string> invalid(std::size_t max_body) const;
  [[nodiscard]] bool known_kind() const noexcept;

  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

[[nodiscard]] std::string_view kind_name(Kind kind) noexcept;

}  // namespace leat::wire

template <>
struct std::hash<leat::wire::StreamId> {
  std::size_t operator()(leat::wire::StreamId id) const noexcept {
    return std::hash<std::uint64_t>{}(id.value);
  }
};
