// For tests: a pair of sessions that have shaken hands, and frames made by hand.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/session/session_pair.h"

namespace leat::session {

using Kind = Event::Kind;

inline Payload raw(std::string_view text) { return {Codec::kRaw, Buffer::copy(text), {}}; }
inline Payload raw(std::size_t size, char fill = 'x') { return raw(std::string(size, fill)); }

inline wire::Open echo() {
  wire::Open open;
  open.service = "test.Echo";
  open.method = "Echo";
  return open;
}

/// A pair that has shaken hands.
struct Ready : Pair {
  explicit Ready(Options connector = {}, Options acceptor = {}, Duration lane_patience = Duration::zero())
      : Pair(std::move(connector), std::move(acceptor), lane_patience) {
    run();
    EXPECT_EQ(events(client).front().kind, Kind::kReady);
    EXPECT_EQ(events(server).front().kind, Kind::kReady);
  }
  wire::StreamId open(Channel channel = Channel::kRpc) { return *client.open(echo(), channel); }
};

inline std::vector<std::byte> frame(const wire::FrameHeader& header,
                                    const std::vector<std::byte>& body = {}) {
  std::vector<std::byte> bytes(wire::FrameHeader::kSize);
  header.encode(std::span(bytes).first<wire::FrameHeader::kSize>());
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

inline std::string close_reason(Session& session) {
  for (const Event& event : Pair::events(session)) {
    if (event.kind == Kind::kClosed) return event.status.message();
  }
  return "not closed";
}

/// A frame with this body.
inline std::vector<std::byte> frame(wire::Kind kind, wire::StreamId stream,
                                    const std::vector<std::byte>& body, Channel channel = Channel::kControl,
                                    std::uint16_t flags = 0) {
  return frame({static_cast<std::uint32_t>(body.size()), kind, channel, flags, stream}, body);
}

/// The body that a value of core/wire makes.
template <class T>
std::vector<std::byte> encoded(const T& value) {
  std::vector<std::byte> body;
  value.encode(body);
  return body;
}

inline std::vector<std::byte> message(wire::StreamId id, std::uint16_t flags, const wire::Prologue& prologue,
                                      std::size_t size) {
  std::vector<std::byte> body(prologue.encoded_size() + size);
  prologue.encode(body.data());
  return frame({static_cast<std::uint32_t>(body.size()), wire::Kind::kMessage, Channel::kRpc, flags, id},
               body);
}

}  // namespace leat::session
