// Bounds of the wire format itself; a peer that exceeds one violates the protocol. docs/limits.md lists them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace leat::wire {

inline constexpr std::uint8_t kVersion = 1;              ///< the protocol version this code speaks
inline constexpr std::size_t kMaxFrameBody = 1U << 20U;  ///< body of any frame, once the session is open
inline constexpr std::size_t kMaxHandshakeBody = 4096;   ///< body of a frame that a server takes before START
inline constexpr std::size_t kMaxAttachments =
    2048;  ///< of one message; its prologue fits into half of the least window
inline constexpr std::uint64_t kMaxPartBytes = std::uint64_t{1} << 48U;  ///< one attachment
inline constexpr std::size_t kMaxNameBytes = 1024;                       ///< a service's or a method's name
inline constexpr std::size_t kMaxReasonBytes = 64U << 10U;  ///< a status's message, traceback or detail

inline constexpr std::size_t kMaxStatusDetails = 256;
inline constexpr std::size_t kMaxPingBody = 64;    ///< of a ping, which comes back in its pong
inline constexpr std::size_t kMaxHealthAsks = 64;  ///< without an answer yet, each way

}  // namespace leat::wire
