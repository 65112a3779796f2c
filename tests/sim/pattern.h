// Messages whose bytes say whose they are: everything in them follows from the call, the direction and the
// index, so that a reader can tell a lost, doubled, swapped or damaged item without being told what was sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <leat/message.h>

namespace leat::sim {

enum class Direction : std::uint8_t { kRequest, kReply };

struct ItemName {
  std::uint32_t call = 0;
  Direction direction = Direction::kRequest;
  std::uint32_t index = 0;
};

/// A message of `size` bytes in all: a head and, for some, up to five attachments. Its bytes are shared with
/// all other messages, so making one costs no memory.
[[nodiscard]] Payload make_item(ItemName name, std::uint64_t size);

/// What is wrong with it; nullopt: it is the message that make_item() made.
[[nodiscard]] std::optional<std::string> wrong_with(const Payload& item, ItemName name, std::uint64_t size);

}  // namespace leat::sim
