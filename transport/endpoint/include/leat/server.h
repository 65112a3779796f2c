// The server's end: services, and the addresses they are reached at.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <leat/peer.h>
#include <leat/service.h>
#include <leat/status.h>

namespace leat {

struct ServerOptions {
  /// Allows listening beyond loopback without keys or certificates: anyone who reaches the port may call.
  bool insecure = false;
  /// Threads for handlers that are not known to be quick; 0: twice the processors, at least four.
  unsigned threads = 0;
  /// How long a new connection may take to shake hands, and how many may be doing so at once.
  Duration handshake_timeout = std::chrono::seconds(5);
  std::uint32_t max_handshaking = 128;
  ConnectionLimits limits;
  Logger logger;
};

struct ServerStats {
  std::uint64_t connections = 0;           ///< open now, handshake done
  std::uint64_t connections_accepted = 0;  ///< ever
  std::uint64_t connections_refused =
      0;                           ///< closed for garbage, a wrong version, or slowness in the handshake
  std::uint64_t calls = 0;         ///< requests ever begun
  std::uint64_t calls_failed = 0;  ///< of these, ended with another status than ok
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
  /// kPermissionDenied for an address beyond loopback without `insecure`, kAlreadyExists for a port in use.
  Result<std::string> listen(std::string_view url);
  [[nodiscard]] std::vector<std::string> urls() const;

  /// Blocks until close() is called, from another thread or a handler.
  void wait();
  /// Like wait(), but returns false after `limit` if the server still runs.
  bool wait_for(Duration limit);

  /// Stops listening, ends connections (their calls fail as kUnavailable), and waits for running handlers
  /// unless it is called from one. Idempotent.
  void close() noexcept;

  [[nodiscard]] ServerStats stats() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace leat
