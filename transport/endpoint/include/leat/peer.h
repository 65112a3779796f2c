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
#include <leat/service.h>
#include <leat/status.h>

namespace leat {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
/// Receives the library's few log lines; called from any thread, with no lock held. Default: silence.
using Logger = std::function<void(LogLevel, std::string_view)>;

/// Limits of one connection; docs/limits.md lists each with the error that it causes.
struct ConnectionLimits {
  std::uint64_t max_message_bytes = std::uint64_t{4} << 30U;  ///< one message, head and attachments
  std::uint64_t assembly_bytes = std::uint64_t{2} << 30U;     ///< messages being assembled, per session
  std::uint32_t stream_window_bytes = 256U << 10U;            ///< credit of a new stream
  std::uint32_t max_streams = 1U << 16U;                      ///< calls that the other side may have open
  std::uint32_t max_metadata_bytes = 64U << 10U;              ///< metadata of one call, each way
};

struct ConnectOptions {
  /// For all of connecting: address, link and handshake.
  Duration timeout = std::chrono::seconds(5);
  /// How this side calls itself in the other's logs; empty: the program's name is not told.
  std::string name;
  ConnectionLimits limits;
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

/// What a connection has done so far.
struct PeerStats {
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t calls_started = 0;
  std::uint64_t calls_failed = 0;
  std::uint64_t calls_in_flight = 0;
};

class Peer;
/// Connects to "tcp://host:port", "ipc:///path", "inproc://name", "zmq+tcp://host:port" or "zmq+ipc:///path".
/// Blocks up to options.timeout. kInvalidArgument for a URL it can't read (naming the schemes it knows),
/// kUnavailable (naming URL and cause) if nobody answers or who answers does not speak Leat.
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
  /// False once the connection is lost or closed.
  [[nodiscard]] bool connected() const noexcept;
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
