// The server's end: services, and the addresses they are reached at.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <leat/interceptor.h>
#include <leat/peer.h>
#include <leat/service.h>
#include <leat/status.h>

namespace leat {

struct ServerOptions {
  /// Allows listening beyond loopback without keys or certificates: anyone who reaches the port may call.
  bool insecure = false;
  /// Threads for handlers that are not known to be quick; 0: twice the processors, at least four.
  unsigned threads = 0;
  /// Calls that run at a time, over all methods; 0: no limit but the threads'. More wait, up to max_waiting
  /// of them; beyond that they fail as kResourceExhausted, known not to have started.
  /// MethodInfo::max_inflight (in schemas the attribute `max_inflight`) limits one method.
  std::uint32_t max_inflight = 0;
  std::uint32_t max_waiting = 1U << 16U;
  /// How long a new connection may take to shake hands, and how many may be doing so at once.
  Duration handshake_timeout = std::chrono::seconds(5);
  std::uint32_t max_handshaking = 128;
  /// How long wait() lets running calls finish after SIGTERM.
  Duration drain_limit = std::chrono::seconds(30);
  /// False: wait() leaves SIGTERM alone. For languages that handle signals themselves.
  bool drain_on_sigterm = true;
  ConnectionLimits limits;
  /// Around every call that reaches a handler, and around those that handlers make to their callers; the
  /// first is the outermost.
  Interceptors interceptors;
  Logger logger;
};

struct ServerStats {
  std::uint64_t connections = 0;           ///< open now, handshake done
  std::uint64_t connections_accepted = 0;  ///< ever
  std::uint64_t connections_refused =
      0;                           ///< closed for garbage, a wrong version, or slowness in the handshake
  std::uint64_t calls = 0;         ///< requests ever begun
  std::uint64_t calls_failed = 0;  ///< of these, ended with another status than ok
  /// Of calls that reached a handler: from their arrival, so waiting for a thread included, to their status.
  LatencyStats latency;
};

/// Serves from threads of its own, from the first listen() on. Thread-safe.
class Server {
 public:
  explicit Server(ServerOptions options = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();  ///< close()

  /// Offers a service under service_info().name. kAlreadyExists if the name is taken. Connections that shook
  /// hands before can call it but don't see it in Peer::services().
  Status add(std::shared_ptr<Service> service);

  /// Listens; may be called for several URLs. Returns the URL that clients connect to (port 0 resolved).
  /// kPermissionDenied for an address beyond loopback without `insecure`, kAlreadyExists for a port in use,
  /// kInvalidArgument for options that can't be, naming the first.
  Result<std::string> listen(std::string_view url);
  [[nodiscard]] std::vector<std::string> urls() const;

  /// Blocks until close() is called, from another thread or a handler. While a thread waits here, SIGTERM
  /// (unless the program handles it itself) drains the server: drain(drain_limit), then this returns.
  void wait();
  /// Like wait(), but returns false after `limit` if the server still runs.
  bool wait_for(Duration limit);

  /// Takes no new calls (callers are told that theirs have not started), lets the running ones finish, then
  /// closes. After `limit` it closes all the same: false then.
  bool drain(Duration limit);

  /// Whether a service says that it works, for Peer::health(); all do at first. "" stands for the server as a
  /// whole. kNotFound for a service that is not offered.
  Status set_health(std::string_view service, bool serving);

  /// Stops listening, ends connections (their calls fail as kUnavailable), and waits for running handlers
  /// unless it is called from one. Idempotent.
  void close() noexcept;

  [[nodiscard]] ServerStats stats() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace leat
