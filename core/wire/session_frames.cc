#include "core/wire/session_frames.h"

#include "core/wire/codec.h"

namespace leat::wire {

void Goaway::encode(std::vector<std::byte>& out) const {
  Writer writer(out);
  for (const std::uint64_t sequence : last) writer.u64(sequence);
  writer.text(clipped(reason));
}

std::optional<Goaway> Goaway::decode(Bytes body) {
  Reader reader(body);
  Goaway goaway;
  for (std::uint64_t& sequence : goaway.last) sequence = reader.u64();
  goaway.reason = reader.text(kMaxReasonBytes);
  if (!reader.ok()) return std::nullopt;
  return goaway;
}

void HealthAsk::encode(std::vector<std::byte>& out) const {
  Writer writer(out);
  writer.u32(id);
  writer.text(service);
}

std::optional<HealthAsk> HealthAsk::decode(Bytes body) {
  Reader reader(body);
  HealthAsk ask;
  ask.id = reader.u32();
  ask.service = reader.text(kMaxNameBytes);
  if (!reader.ok()) return std::nullopt;
  return ask;
}

void Health::encode(std::vector<std::byte>& out) const {
  Writer writer(out);
  writer.u32(id);
  writer.u8(static_cast<std::uint8_t>(state));
}

std::optional<Health> Health::decode(Bytes body) {
  Reader reader(body);
  Health health;
  health.id = reader.u32();
  const std::uint8_t state = reader.u8();
  if (!reader.ok()) return std::nullopt;
  constexpr auto kLast = static_cast<std::uint8_t>(HealthState::kNotServing);
  health.state = state <= kLast ? static_cast<HealthState>(state) : HealthState::kNotServing;
  return health;
}

}  // namespace leat::wire
