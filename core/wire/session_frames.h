// Bodies of the frames that concern a session in its middle age: goaway, health.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <leat/bytes.h>
#include <leat/context.h>

#include "core/wire/limits.h"

namespace leat::wire {

/// The sender serves the streams that it was opened up to these, and no later ones.
struct Goaway {
  /// Per channel, the sequence of the last stream of the receiver's that will be served; 0: none.
  std::array<std::uint64_t, kChannelCount> last{};
  std::string reason;
  void encode(std::vector<std::byte>& out) const;
  static std::optional<Goaway> decode(Bytes body);
  friend bool operator==(const Goaway&, const Goaway&) = default;
};

enum class HealthState : std::uint8_t { kUnknownService = 0, kServing = 1, kNotServing = 2 };

struct HealthAsk {
  std::uint32_t id = 0;  ///< the asker's, for the answer
  std::string service;   ///< empty: the peer as a whole
  void encode(std::vector<std::byte>& out) const;
  static std::optional<HealthAsk> decode(Bytes body);
  friend bool operator==(const HealthAsk&, const HealthAsk&) = default;
};

struct Health {
  std::uint32_t id = 0;
  HealthState state = HealthState::kUnknownService;
  void encode(std::vector<std::byte>& out) const;
  /// A state of the future reads as kNotServing.
  static std::optional<Health> decode(Bytes body);
  friend bool operator==(const Health&, const Health&) = default;
};

}  // namespace leat::wire
