// Bodies of the frames that hold a writer back for the whole session: channel credit, and the window of new
// streams. (The credit of one stream is in call_frames.h.)
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <leat/bytes.h>
#include <leat/context.h>

namespace leat::wire {

/// How far all streams of a channel together may be written. Positions are absolute and count the bytes of
/// MESSAGE bodies with this channel in their header, in one direction, from the session's start on.
struct ChannelCredit {
  Channel channel = Channel::kRpc;
  std::uint64_t returned = 0;  ///< all up to here has arrived and left the session
  std::uint64_t limit = 0;     ///< and up to here may be written; never less than `returned`
  void encode(std::vector<std::byte>& out) const;
  static std::optional<ChannelCredit> decode(Bytes body);
  friend bool operator==(const ChannelCredit&, const ChannelCredit&) = default;
};

/// The credit in bytes that streams start with from now on, instead of the terms' or the last window's.
struct Window {
  std::uint32_t bytes = 0;
  void encode(std::vector<std::byte>& out) const;
  static std::optional<Window> decode(Bytes body);
};

}  // namespace leat::wire
