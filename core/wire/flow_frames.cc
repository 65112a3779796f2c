#include "core/wire/flow_frames.h"

#include "core/wire/codec.h"

namespace leat::wire {

void ChannelCredit::encode(std::vector<std::byte>& out) const {
  Writer writer(out);
  writer.u8(static_cast<std::uint8_t>(channel));
  writer.u64(returned);
  writer.u64(limit);
}

std::optional<ChannelCredit> ChannelCredit::decode(Bytes body) {
  Reader reader(body);
  const std::uint8_t channel = reader.u8();
  ChannelCredit credit;
  credit.channel = static_cast<Channel>(channel);
  credit.returned = reader.u64();
  credit.limit = reader.u64();
  if (!reader.ok() || channel >= kChannelCount || credit.limit < credit.returned) return std::nullopt;
  return credit;
}

void Window::encode(std::vector<std::byte>& out) const { Writer(out).u32(bytes); }

std::optional<Window> Window::decode(Bytes body) {
  Reader reader(body);
  const Window window{reader.u32()};
  if (!reader.ok()) return std::nullopt;
  return window;
}

}  // namespace leat::wire
