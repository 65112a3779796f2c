// What a call knows of its surroundings, and what a caller can ask for.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <version>
#ifdef __cpp_lib_jthread
#include <stop_token>
#endif

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

class Caller;
class Context;
class ServerCall;

/// What the other side sent beside the reply of a call.
struct ReceivedMetadata {
  Metadata initial;
  Metadata trailing;
};

/// What a caller may set for one call.
struct CallOptions {
  /// How long the call may take in all; none: as long as the peer is alive. Travels as the remaining time.
  std::optional<Duration> timeout{};
  /// Initial metadata, sent before the request.
  Metadata metadata{};
  /// Overrides the schema's choice and the one by size.
  std::optional<Channel> channel{};
  /// Overrides the schema's word on whether calling twice does what calling once does. Only such a call is
  /// ever tried again by itself.
  std::optional<bool> idempotent{};
  /// While the connection is being made anew: waits for it (up to the deadline) instead of failing at once.
  bool wait_for_ready = false;
  /// The handler that this call is made for: its deadline bounds this call, and its cancellation cancels it.
  /// By default the handler that runs on the calling thread, if any (current_context()).
  Context* parent = nullptr;
  /// Where a call that waits for its one reply (Caller::call) puts what came beside it, whether it fails or
  /// not.
  ReceivedMetadata* received = nullptr;
};

/// The server's side of one call's surroundings. Lives as long as the handler runs, or until a call that is
/// answered later has been answered; thread-safe.
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
  /// Why nobody waits any more: kCancelled, kDeadlineExceeded or kUnavailable; ok while somebody does.
  [[nodiscard]] virtual Status cancel_reason() const {
    return cancelled() ? Status(Code::kCancelled, "nobody waits for the answer") : Status();
  }
  /// What the caller sent before the request.
  [[nodiscard]] virtual const Metadata& metadata() const noexcept = 0;
  /// The caller's address, for logs: "tcp://127.0.0.1:40312".
  [[nodiscard]] virtual std::string_view peer_address() const noexcept = 0;

  /// The other side, to call it back: what it serves, over the same connection. May be kept beyond the call.
  /// nullptr where there is no connection (stand-ins in tests).
  [[nodiscard]] virtual std::shared_ptr<Caller> peer() { return nullptr; }
  /// The call itself (leat/service.h), for what few handlers of generated services need: metadata to send
  /// back, above all. `context.call()->set_trailing_metadata(...)`. nullptr for stand-ins.
  [[nodiscard]] virtual ServerCall* call() noexcept { return nullptr; }
  /// Waits until cancelled() or until `limit` has passed; true if cancelled. For handlers that work in steps.
  /// The default, for stand-ins, does not wait.
  virtual bool wait_for(Duration /*limit*/) { return cancelled(); }
#ifdef __cpp_lib_jthread
  /// Asked to stop when cancelled() becomes true; callbacks on it run on a thread of Leat's own and may
  /// block.
  [[nodiscard]] virtual std::stop_token stop_token() { return {}; }
#endif
};

}  // namespace leat
