// The client's end of a connection: connect to a URL, call services on it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <leat/context.h>
#include <leat/interceptor.h>
#include <leat/service.h>
#include <leat/status.h>

namespace leat {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
/// Receives the library's few log lines; called from any thread, with no lock held. Default: silence.
using Logger = std::function<void(LogLevel, std::string_view)>;

/// How one side of a connection shares it among what it sends. Who does not know better leaves it as it is.
struct SendingOptions {
  /// Bytes that a channel may send before the next one's turn, when all have something to send: their ratio
  /// is the guaranteed share.
  std::uint32_t stream_share_bytes = 64U << 10U;
  std::uint32_t rpc_share_bytes = 64U << 10U;
  std::uint32_t bulk_share_bytes = 16U << 10U;
  /// Control goes first, for so many bytes; from then on half of the link is the others'.
  std::uint32_t control_share_bytes = 32U << 10U;
  /// A unary message from this size on travels on bulk unless the caller or the schema says otherwise.
  std::uint64_t bulk_threshold_bytes = 256U << 10U;
  /// Pieces that bulk is cut into, without calls beside it and with them; and how much of it may be in flight
  /// then.
  std::uint32_t bulk_piece_bytes = 256U << 10U;
  std::uint32_t bulk_piece_beside_calls_bytes = 64U << 10U;
  /// Zero: 1 MiB, and 512 KiB over ZeroMQ, whose own thread holds what is in flight. At least 256 KiB.
  std::uint32_t bulk_in_flight_beside_calls_bytes = 0;
  /// Bulk gets a connection of its own when it is first used (not with inproc://), and waits so long for it.
  bool second_lane = true;
  Duration lane_patience = std::chrono::milliseconds(100);
};
/// What connect() and Server::listen() say of such options; each of the following has the like.
/// kInvalidArgument naming the first one that is out of its bounds, which docs/limits.md lists.
[[nodiscard]] Status validate(const SendingOptions& sending);

/// Limits of one connection; docs/limits.md lists each with the error that it causes.
struct ConnectionLimits {
  std::uint64_t max_message_bytes = std::uint64_t{4} << 30U;  ///< one message, head and attachments
  std::uint64_t assembly_bytes = std::uint64_t{2} << 30U;     ///< requests being assembled; and replies
  std::uint32_t stream_window_bytes = 256U << 10U;            ///< credit of a new stream
  std::uint64_t max_stream_window_bytes = 16U << 20U;         ///< what it grows to with bandwidth times delay
  std::uint64_t stream_windows_bytes = std::uint64_t{1} << 30U;  ///< credit of all streams together
  std::uint32_t channel_window_bytes = 4U << 20U;                ///< in flight on one channel
  std::uint32_t max_streams = 1U << 16U;                         ///< calls that the other side may have open
  std::uint32_t max_metadata_bytes = 64U << 10U;                 ///< metadata of one call, each way
  /// When nothing has arrived for heartbeat_interval, the other side is asked whether it lives; when nothing
  /// arrives for heartbeat_timeout after that either, the connection is lost. Zero for either: never. A call
  /// of whatever length lives as long as its peer does.
  Duration heartbeat_interval = std::chrono::seconds(10);
  Duration heartbeat_timeout = std::chrono::seconds(20);
  /// How long a connection that was closed waits for its link to take the last frames, which say why.
  Duration close_grace = std::chrono::seconds(1);
  /// A message that may be sent whole, but of which nothing arrives for so long, ends its call. Zero: never.
  Duration assembly_timeout = std::chrono::seconds(30);
  /// What the other side may send a second of things that cost it little: calls that it opens and gives up,
  /// and frames that carry nothing. It may save up max_streams of each. Zero: as many as it likes.
  std::uint32_t max_cancels_per_second = 10'000;
  std::uint32_t max_useless_frames_per_second = 10'000;
  std::uint32_t max_control_bytes = 4U << 20U;  ///< answers that wait because the other side does not read
  /// How long a client's thread that waits for an answer looks for it before it sleeps. It does so only while
  /// answers usually come in less than half of this, lets others have the processor in between, and never
  /// does on a single processor. A call is a wake-up faster then; the price is processor time. Zero: never.
  Duration spin = std::chrono::microseconds(50);
  SendingOptions sending;
};
[[nodiscard]] Status validate(const ConnectionLimits& limits);

/// What all connections of the process together may spend on messages that are being assembled; requests and
/// replies each. Default: 4 GiB. kFailedPrecondition once there is a connection or a server that listens. Any
/// thread.
Status set_process_assembly_bytes(std::uint64_t bytes);

/// How a lost connection is made anew. Each time under a new epoch: nothing of the old one reaches the new
/// one.
struct ReconnectOptions {
  bool enabled = true;
  /// The wait before the first attempt, and what it grows to: times 1.6 each time, a fifth more or less at
  /// random.
  Duration first_backoff = std::chrono::milliseconds(50);
  Duration max_backoff = std::chrono::seconds(3);
  /// After so long without a connection the peer is closed for good. Zero: never.
  Duration give_up_after{};
};
[[nodiscard]] Status validate(const ReconnectOptions& reconnect);

/// When a call that may be made twice (`idempotent`) is tried again after the connection was lost under it.
/// Other calls never are.
struct RetryOptions {
  std::uint32_t max_attempts = 4;                          ///< in all; 1: never again
  Duration first_backoff = std::chrono::milliseconds(50);  ///< doubles each time
  Duration max_backoff = std::chrono::seconds(2);
  /// Keeps retries from multiplying the load of a peer that is in trouble: a failed attempt takes one of
  /// these tokens, any other end gives budget_refund back, and there are retries while more than half are
  /// there.
  double budget_tokens = 10;
  double budget_refund = 0.1;
};
[[nodiscard]] Status validate(const RetryOptions& retry);

enum class PeerState : std::uint8_t {
  kReady,       ///< calls go through
  kConnecting,  ///< the connection was lost and is being made anew
  kBackoff,     ///< waiting before the next attempt; calls fail at once unless they wait_for_ready
  kClosed,      ///< for good: close() was called, or the connection was lost and is not to be made anew
};
[[nodiscard]] std::string_view state_name(PeerState state) noexcept;

/// A change of a peer's state.
struct PeerEvent {
  PeerState state = PeerState::kReady;
  std::uint64_t epoch = 1;  ///< counts connections, from 1
  Status reason;            ///< why the connection was lost, or the last attempt failed
};

struct ConnectOptions {
  /// For all of connecting: address, link and handshake.
  Duration timeout = std::chrono::seconds(5);
  /// How this side calls itself in the other's logs; empty: the program's name is not told.
  std::string name;
  ConnectionLimits limits;
  ReconnectOptions reconnect;
  RetryOptions retry;
  /// What this side serves to the other: peers are symmetric, either may call. See also Peer::add().
  std::vector<std::shared_ptr<Service>> services;
  /// Threads for what this side serves and for callbacks of its calls; 0: twice the processors, at least
  /// four.
  unsigned threads = 0;
  /// Told of every change of state after connect() has returned, in order, on a thread where it may take its
  /// time.
  std::function<void(const PeerEvent&)> on_state;
  /// Around every call over this connection, those that this side serves included; the first is the
  /// outermost.
  Interceptors interceptors;
  Logger logger;
  /// Asked at least every 50 ms, and when a signal arrives, by a thread of yours that waits on this
  /// connection (while it connects, too); true ends the wait as kCancelled. For languages whose signal
  /// handlers run between their own instructions. Called with no lock held.
  std::function<bool()> interrupted;
};

/// A service as the other side announced it.
struct RemoteService {
  std::string name;
  Fingerprint fingerprint;
};

/// How long calls took. Percentiles are right to within 7 %; zero if there were no calls.
struct LatencyStats {
  std::uint64_t count = 0;
  Duration sum{};
  Duration p50{};
  Duration p90{};
  Duration p99{};
  Duration p999{};
};

/// What a connection has done so far.
struct PeerStats {
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t calls_started = 0;
  std::uint64_t calls_failed = 0;
  std::uint64_t calls_in_flight = 0;
  std::uint32_t lanes = 0;  ///< 2 once bulk travels on a link of its own, 0 while there is no connection
  /// Of calls made by this side, streams included, until their status was here.
  LatencyStats latency;
};

/// The context of the handler that runs on this thread; nullptr outside handlers. Calls made inside a handler
/// end with its deadline and its cancellation; CallOptions::parent overrides which handler that is.
[[nodiscard]] Context* current_context() noexcept;

class Peer;
/// Connects to "tcp://host:port", "ipc:///path", "inproc://name", "zmq+tcp://host:port" or "zmq+ipc:///path".
/// Blocks up to options.timeout. kInvalidArgument for a URL it can't read (naming the schemes it knows) and
/// for options that can't be, kUnavailable (naming URL and cause) if nobody answers or who answers does not
/// speak Leat.
[[nodiscard]] Result<Peer> connect(std::string_view url, const ConnectOptions& options = {});

/// A handle to a connection; copies share it. Thread-safe: one connection shared by many threads is the
/// normal case. The connection closes when the last handle and the last call are gone, or with close().
class Peer {
 public:
  /// The untyped calls; the pointer may outlive this handle and keeps the connection open.
  [[nodiscard]] const std::shared_ptr<Caller>& caller() const noexcept { return caller_; }

  /// A typed client from generated code: `auto scope = peer.service<imaging::Microscope>();`
  template <class Client>
  [[nodiscard]] Client service() const {
    return Client(caller_);
  }

  [[nodiscard]] const std::string& url() const noexcept;
  /// What carries the connection: "tcp", "zmq+tcp", ...
  [[nodiscard]] std::string_view transport() const noexcept;
  /// What the server offers, from the handshake.
  [[nodiscard]] std::vector<RemoteService> services() const;
  /// True while the connection stands: state() is PeerState::kReady.
  [[nodiscard]] bool connected() const noexcept;
  [[nodiscard]] PeerState state() const noexcept;
  /// Which connection this is, counted from 1; grows with every reconnection.
  [[nodiscard]] std::uint64_t epoch() const noexcept;
  /// Blocks until connected(). kDeadlineExceeded naming the last failure after `limit`; kUnavailable once
  /// closed.
  Status wait_ready(Duration limit) const;

  /// Offers a service to the other side, as Server::add(). Calls arrive while this handle, a call or another
  /// handle keeps the connection open.
  Status add(std::shared_ptr<Service> service);
  /// Whether the other side says that it serves `service` now (Server::set_health). "" asks for the peer as a
  /// whole. kNotFound for a service it doesn't have.
  [[nodiscard]] Result<bool> health(std::string_view service, Duration limit = std::chrono::seconds(5)) const;
  [[nodiscard]] PeerStats stats() const;

  /// Ends the connection. Calls in flight fail as kCancelled. Idempotent; any thread.
  void close() noexcept;

 private:
  friend Result<Peer> connect(std::string_view url, const ConnectOptions& options);
  struct Impl;
  Peer(std::shared_ptr<Impl> impl, std::shared_ptr<Caller> caller)
      : impl_(std::move(impl)), caller_(std::move(caller)) {}
  std::shared_ptr<Impl> impl_;
  std::shared_ptr<Caller> caller_;
};

}  // namespace leat
