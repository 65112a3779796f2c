// The listening side: one ROUTER for all links of a listener.
//
// ZeroMQ does not tell which message belongs to which connection's end, nor lets it close one connection.
// Both are found through the connection's descriptor: messages name it (ZMQ_SRCFD), so do the monitor's
// events, and a duplicate of it can be shut down. As descriptors are reused, a Connection is one incarnation
// of its number, from ACCEPTED to DISCONNECTED.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "transport/link/link.h"
#include "transport/link/socket.h"
#include "transport/zmq/context.h"
#include "transport/zmq/flight.h"

namespace leat::transport {

/// Thread-safe: the listener's thread serves it, and links use it from theirs. Nobody is called with its lock
/// held.
///
/// Invariants:
///  1. The monitor is read to its end before a message of an unknown peer is matched to a connection: ZeroMQ
///  emits a
///     connection's ACCEPTED before its first message, and DISCONNECTED before it closes the descriptor.
///  2. A connection's end is told to its link only after the ROUTER was read to its end: all that the
///  connection received
///     was in the ROUTER before.
///  3. ZeroMQ's descriptors are edge-triggered; after anything that may have taken back their readiness the
///  bell is rung
///     if there is more to do. So the epoll set is level-triggered from outside.
class Router : public std::enable_shared_from_this<Router> {
 public:
  struct Peer;

  Router(std::shared_ptr<zmq::context_t> context, std::string_view scheme) noexcept
      : context_(std::move(context)), scheme_(scheme) {}
  ~Router() { close(); }
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  /// Takes a socket that listens.
  Status open(ListenSocket socket);
  [[nodiscard]] const std::string& url() const noexcept { return url_; }
  [[nodiscard]] std::string_view scheme() const noexcept { return scheme_; }
  [[nodiscard]] int descriptor() const noexcept { return set_.get(); }
  void service(ListenerEvents& events);
  void close() noexcept;

  // For links.
  Result<std::size_t> send(Peer& peer, std::span<const Slice> slices);
  Result<std::size_t> receive(const std::shared_ptr<Peer>& peer, Receiver& receiver, std::size_t limit);
  [[nodiscard]] std::size_t budget(Peer& peer) noexcept;
  void close(Peer& peer) noexcept;
  /// The link is gone; its connection is closed if that has not happened yet.
  void forget(Peer& peer) noexcept;

 private:
  struct Connection;

  // All with the lock held.
  void look_at_bell_and_timer();
  void set_timer() noexcept;
  void read_events();
  /// True if nothing is left to read.
  bool read_messages(std::vector<std::unique_ptr<Link>>& accepted);
  std::shared_ptr<Connection> connection_of_new_peer(int fd);
  [[nodiscard]] std::string remote_of(const Connection& connection) const;
  std::unique_ptr<Link> meet(const std::string& id, int fd);
  void end_connections();
  void find_ready();
  void close_locked(Peer& peer) noexcept;

  const std::shared_ptr<zmq::context_t> context_;
  const std::string_view scheme_;
  std::string url_;

  std::mutex mutex_;  // guards all below, and what Peer says that it does
  zmq::socket_t socket_;
  std::unique_ptr<Monitor> monitor_;
  ListenSocket listening_;  // the descriptor is ZeroMQ's; the file of a Unix socket is ours
  std::shared_ptr<Bell> bell_;
  Descriptor timer_;  // runs while closing_ is not empty
  Descriptor set_;
  std::map<std::string, std::shared_ptr<Peer>, std::less<>> peers_;  // by routing id
  std::multimap<int, std::shared_ptr<Connection>> connections_;      // of one number: the oldest first
  std::deque<std::pair<TimePoint, std::weak_ptr<Connection>>> closing_;
  std::vector<std::shared_ptr<Peer>> again_;  // have more to receive than their owner took
  std::vector<Link*> ready_;
  std::vector<std::string> refused_;  // remotes of connections that ended without a message
};

}  // namespace leat::transport
