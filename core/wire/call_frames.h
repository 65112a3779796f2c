// Bodies of the frames that make up a call: open, headers, message prologue, end, cancel; and of close and
// credit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <leat/message.h>
#include <leat/metadata.h>
#include <leat/service.h>
#include <leat/status.h>

#include "core/wire/limits.h"

namespace leat::wire {

/// What opens a stream, as the opener has it: names and metadata are somebody else's.
struct OpenView {
  CallKind kind;
  /// Time left to the deadline, in microseconds, as the caller sees it when it sends; nullopt: none.
  std::optional<std::uint64_t> timeout_us;
  std::string_view service;
  std::string_view method;
  const Metadata& metadata;
  void encode(std::vector<std::byte>& out) const;
  /// No less than encode() appends; costs next to nothing.
  [[nodiscard]] std::size_t most_bytes() const noexcept;
};

/// The same as it arrives.
struct Open {
  CallKind kind = CallKind::kUnary;
  std::optional<std::uint64_t> timeout_us;
  std::string service;
  std::string method;
  Metadata metadata;
  [[nodiscard]] OpenView view() const noexcept { return {kind, timeout_us, service, method, metadata}; }
  void encode(std::vector<std::byte>& out) const { view().encode(out); }
  static std::optional<Open> decode(Bytes body);
  friend bool operator==(const Open&, const Open&) = default;
};

struct Headers {
  Metadata metadata;
  void encode(std::vector<std::byte>& out) const;
  static std::optional<Headers> decode(Bytes body);
};

struct End {
  Status status;
  Metadata trailing;
  void encode(std::vector<std::byte>& out) const;
  static std::optional<End> decode(Bytes body);
};

/// Body of cancel and of close: a code and a reason.
struct Reason {
  Code code = Code::kUnknown;
  std::string message;
  void encode(std::vector<std::byte>& out) const;
  static std::optional<Reason> decode(Bytes body);
  friend bool operator==(const Reason&, const Reason&) = default;
};

/// The absolute position up to which a stream may be written, counted in bytes of message-frame bodies.
struct Credit {
  std::uint64_t limit = 0;
  void encode(std::vector<std::byte>& out) const;
  static std::optional<Credit> decode(Bytes body);
};

/// What stands before a message's bytes in its first frame: sizes of the head and of each attachment. The
/// bytes of the head and of the attachments follow, in order and without padding, through this frame and the
/// next ones.
struct Prologue {
  Codec codec = Codec::kRaw;
  std::uint32_t head_size = 0;
  std::vector<std::uint64_t> attachment_sizes;

  static constexpr std::size_t kFixedSize = 8;
  [[nodiscard]] std::size_t encoded_size() const noexcept { return kFixedSize + 8 * attachment_sizes.size(); }
  /// Bytes of head and attachments.
  [[nodiscard]] std::uint64_t message_size() const noexcept;
  void encode(std::byte* out) const noexcept;  ///< writes encoded_size() bytes
  /// That of a message without attachments: kFixedSize bytes.
  static void encode_head(Codec codec, std::uint32_t head_size, std::byte* out) noexcept;
  /// nullopt if the body doesn't hold a whole prologue, or one with impossible sizes.
  static std::optional<Prologue> decode(Bytes body);
};

}  // namespace leat::wire
