// ZeroMQ's context, sockets with the settings that every one of ours has, and their monitors.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/types.h>

#include <zmq.hpp>

#include <leat/context.h>

namespace leat::transport {

/// Closing a socket gives what was accepted before this long to reach the kernel, in the background.
inline constexpr int kZmqLingerMs = 1000;

/// Makes contexts: one per process, so that a forked child does not wait for threads that it doesn't have.
class ContextSource {
 public:
  ContextSource() = default;
  ContextSource(const ContextSource&) = delete;
  ContextSource& operator=(const ContextSource&) = delete;
  ~ContextSource();

  /// Thread-safe. Throws zmq::error_t if the process is out of descriptors.
  std::shared_ptr<zmq::context_t> get();

 private:
  std::mutex mutex_;
  std::shared_ptr<zmq::context_t> context_;
  pid_t owner_ = 0;
};

/// A DEALER or ROUTER with our settings; see the comments inside for why. Throws zmq::error_t.
zmq::socket_t make_socket(zmq::context_t& context, zmq::socket_type type);

/// Makes close() keep what was sent until it is out, for at most kZmqLingerMs, without waiting for it.
void close_gently(zmq::socket_t& socket) noexcept;

/// What ZeroMQ tells of a socket's connections, in order. Not thread-safe.
class Monitor {
 public:
  struct Event {
    std::uint16_t kind = 0;  ///< ZMQ_EVENT_...
    int value = 0;           ///< mostly the connection's descriptor
  };

  /// Begins to watch `socket`, which must not be connected or bound yet. Throws zmq::error_t.
  Monitor(zmq::context_t& context, zmq::socket_t& socket);
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;
  /// Must be gone before the socket is.
  ~Monitor();

  /// Edge-triggered, as ZeroMQ's are: read next() to its end after each wake-up.
  [[nodiscard]] int descriptor();
  std::optional<Event> next();
  /// Waits at most so long for an event of this kind, dropping others before it.
  void wait_for(std::uint16_t kind, Duration limit);

 private:
  zmq::socket_t& socket_;
  zmq::socket_t pair_;
};

/// Without waiting; false if there is nothing, or for sending, nobody. zmq.hpp's own throw where we need to
/// go on.
[[nodiscard]] bool try_receive(zmq::socket_t& socket, zmq::message_t& message) noexcept;
[[nodiscard]] bool try_send(zmq::socket_t& socket, zmq::message_t& message, bool more = false) noexcept;

/// Receives the parts behind `message`, keeping the last, and says if there were any: several parts are
/// padding (see Flight::padding), and carry nothing.
bool skip_parts(zmq::socket_t& socket, zmq::message_t& message) noexcept;

/// True if a message can be received now. Looking takes back the readiness of ZMQ_FD.
[[nodiscard]] bool has_input(zmq::socket_t& socket) noexcept;

}  // namespace leat::transport
