// Bodies of the frames that open a session, hello, welcome and start, and of the one that opens its second
// lane.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <leat/bytes.h>
#include <leat/service.h>

#include "core/wire/limits.h"

namespace leat::wire {

/// Ends every handshake frame's claim to be one: the first four bytes of hello and welcome.
inline constexpr std::array<char, 4> kMagic = {'L', 'E', 'A', 'T'};
using Token = std::array<std::uint8_t, 16>;

struct Announcement {
  std::string service;
  Fingerprint fingerprint;
  friend bool operator==(const Announcement&, const Announcement&) = default;
};

/// Bits of Terms::features.
inline constexpr std::uint32_t kSecondLane = 1U << 0U;  ///< bulk may travel on a lane of its own

/// What each side tells the other about what it will take.
struct Terms {
  std::uint32_t features = 0;        ///< bits; a session uses those that both sides have
  std::uint32_t stream_window = 0;   ///< bytes of credit that each stream towards this side starts with
  std::uint32_t channel_window = 0;  ///< bytes of credit that each channel towards this side starts with
  std::uint64_t max_message = 0;     ///< bytes of the largest message this side takes
  std::string name;                  ///< for the other side's logs
  std::vector<Announcement> services;
  friend bool operator==(const Terms&, const Terms&) = default;
};

struct Hello {
  std::uint8_t min_version = kVersion;
  std::uint8_t max_version = kVersion;
  Terms terms;
  void encode(std::vector<std::byte>& out) const;
  /// nullopt if these bytes are no hello of any version.
  static std::optional<Hello> decode(Bytes body);
};

struct Welcome {
  std::uint8_t version = kVersion;
  Token token{};
  Terms terms;
  void encode(std::vector<std::byte>& out) const;
  static std::optional<Welcome> decode(Bytes body);
};

struct Start {
  Token token{};
  std::string link;  ///< scheme of the link that the session runs on
  void encode(std::vector<std::byte>& out) const;
  static std::optional<Start> decode(Bytes body);
};

/// The first frame of a second lane: whose it is.
struct Attach {
  Token token{};
  void encode(std::vector<std::byte>& out) const;
  static std::optional<Attach> decode(Bytes body);
};

}  // namespace leat::wire
