// What a call knows of its surroundings, and what a caller can ask for.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <leat/metadata.h>
#include <leat/status.h>

namespace leat {

/// Points and lengths of Leat's monotonic time. The core never reads a clock: time is passed in.
using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
inline constexpr TimePoint kNever = TimePoint::max();

/// The four channels that every message travels on, most urgent first. Numbers are the wire's.
enum class Channel : std::uint8_t { kControl = 0, kStream = 1, kRpc = 2, kBulk = 3 };
inline constexpr std::size_t kChannelCount = 4;
[[nodiscard]] std::string_view channel_name(Channel channel) noexcept;

/// What a caller may set for one call.
struct CallOptions {
  /// How long the call may take in all; none: as long as the peer is alive. Travels as the remaining time.
  std::optional<Duration> timeout{};
  /// Initial metadata, sent before the request.
  Metadata metadata{};
  /// Overrides the schema's choice and the one by size.
  std::optional<Channel> channel{};
};

/// The server's side of one call's surroundings. Lives as long as the handler runs; thread-safe.
class Context {
 public:
  virtual ~Context() = default;

  /// When the caller stops waiting; kNever if it set no timeout.
  [[nodiscard]] virtual TimePoint deadline() const noexcept = 0;
  /// Time left before the deadline, never negative; nullopt if there is none.
  [[nodiscard]] virtual std::optional<Duration> remaining() const noexcept = 0;
  /// True once nobody waits for the answer: the caller cancelled, its deadline passed, or the connection is
  /// lost.
  [[nodiscard]] virtual bool cancelled() const noexcept = 0;
  /// What the caller sent before the request.
  [[nodiscard]] virtual const Metadata& metadata() const noexcept = 0;
  /// The caller's address, for logs: "tcp://127.0.0.1:40312".
  [[nodiscard]] virtual std::string_view peer_address() const noexcept = 0;
};

}  // namespace leat
