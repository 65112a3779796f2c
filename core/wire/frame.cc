#include "core/wire/frame.h"

#include "core/wire/codec.h"

namespace leat::wire {

void FrameHeader::encode(std::span<std::byte, kSize> out) const noexcept {
  store_le(out.data(), length);
  out[4] = static_cast<std::byte>(kind);
  out[5] = static_cast<std::byte>(channel);
  store_le(out.data() + 6, flags);
  store_le(out.data() + 8, stream.value);
}

FrameHeader FrameHeader::decode(std::span<const std::byte, kSize> in) noexcept {
  FrameHeader header;
  header.length = load_le<std::uint32_t>(in.data());
  header.kind = static_cast<Kind>(in[4]);
  header.channel = static_cast<Channel>(in[5]);
  header.flags = load_le<std::uint16_t>(in.data() + 6);
  header.stream = StreamId{load_le<std::uint64_t>(in.data() + 8)};
  return header;
}

std::string_view kind_name(Kind kind) noexcept {
  switch (kind) {
    case Kind::kHello: return "hello";
    case Kind::kWelcome: return "welcome";
    case Kind::kStart: return "start";
    case Kind::kAttach: return "attach";
    case Kind::kGoaway: return "goaway";
    case Kind::kPing: return "ping";
    case Kind::kPong: return "pong";
    case Kind::kCredit: return "credit";
    case Kind::kClose: return "close";
    case Kind::kDrained: return "drained";
    case Kind::kLaneWanted: return "lane wanted";
    case Kind::kAttached: return "attached";
    case Kind::kWindow: return "window";
    case Kind::kChannelCredit: return "channel credit";
    case Kind::kOpen: return "open";
    case Kind::kMessage: return "message";
    case Kind::kHeaders: return "headers";
    case Kind::kEnd: return "end";
    case Kind::kCancel: return "cancel";
    case Kind::kHealthAsk: return "health ask";
    case Kind::kHealth: return "health";
  }
  return {};
}

bool FrameHeader::known_kind() const noexcept { return !kind_name(kind).empty(); }

std::optional<std::string> FrameHeader::invalid(std::size_t max_body) const {
  if (length > max_body) {
    return "a frame of " + std::to_string(length) + " bytes where at most " + std::to_string(max_body) +
           " are allowed";
  }
  if (static_cast<std::size_t>(channel) >= kChannelCount) {
    return "channel " + std::to_string(static_cast<unsigned>(channel)) + " does not exist";
  }
  if (!known_kind()) {
    if ((flags & kSkippable) != 0) return std::nullopt;
    return "a frame of unknown kind " + std::to_string(static_cast<unsigned>(kind)) +
           " that may not be skipped";
  }
  std::uint16_t allowed = kSkippable;
  if (kind == Kind::kMessage) allowed |= kFirst | kLast | kEndStream;
  const std::string name(kind_name(kind));
  if ((flags & ~allowed) != 0) return name + " frame with unknown flags " + std::to_string(flags);
  if ((flags & kEndStream) != 0 && (flags & kLast) == 0)
    return "message frame that ends the stream but not its message";
  const bool of_stream = (kind >= Kind::kOpen && kind <= Kind::kCancel) || kind == Kind::kCredit;
  if (of_stream && stream.value == 0) return name + " frame without a stream";
  if (!of_stream && stream.value != 0) return name + " frame with a stream";
  return std::nullopt;
}

}  // namespace leat::wire
