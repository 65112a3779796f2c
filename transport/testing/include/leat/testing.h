// For your own tests: your service behind a real peer without a network, and a clock that the test moves.
// docs/testing.md has a complete example. Link leat::testing.
#pragma once

#include <memory>
#include <vector>

#include <leat/peer.h>
#include <leat/server.h>

namespace leat::testing {

/// Both ends without heartbeats: they can't lose each other, and a clock that jumps would end connections.
struct LocalPeerOptions {
  LocalPeerOptions() {
    server.limits.heartbeat_interval = Duration::zero();
    client.limits.heartbeat_interval = Duration::zero();
  }
  ServerOptions server;
  ConnectOptions client;
};

/// A real server for your services and a real peer that is connected to it, in this process
/// (inproc://leat-testing-N): what goes through has been encoded, sent, dispatched to a thread and decoded,
/// as over a network. Thread-safe as Peer and Server are. If it can't be set up (two services of one name),
/// it says why on standard error and aborts: there is nothing to test then.
class LocalPeer {
 public:
  explicit LocalPeer(std::shared_ptr<Service> service, LocalPeerOptions options = {});
  explicit LocalPeer(std::vector<std::shared_ptr<Service>> services, LocalPeerOptions options = {});
  LocalPeer(const LocalPeer&) = delete;
  LocalPeer& operator=(const LocalPeer&) = delete;
  /// Closes both, and waits for running handlers.
  ~LocalPeer();

  [[nodiscard]] Peer& peer() noexcept { return peer_; }
  [[nodiscard]] Server& server() noexcept { return *server_; }
  /// For more peers of the same server.
  [[nodiscard]] const std::string& url() const noexcept { return peer_.url(); }
  /// As Peer::service().
  template <class Client>
  [[nodiscard]] Client service() const {
    return peer_.service<Client>();
  }

 private:
  std::unique_ptr<Server> server_;
  Peer peer_;
};

/// While it lives, Leat's time stands still but for advance(), in the whole process: timeouts of calls,
/// heartbeats, backoff, retries, handshakes and drains, Context::remaining() and wait_for(). Make it before
/// the peers and servers of the test, so that it goes after them; those that wait already when it is made go
/// on by the clock on the wall. One at a time. Thread-safe.
///
/// Only what Leat does is timed so. std::this_thread::sleep_for() in a handler sleeps as ever (use
/// Context::wait_for()), and what the kernel times (connecting a socket) takes its own time.
class ManualClock {
 public:
  ManualClock();
  ManualClock(const ManualClock&) = delete;
  ManualClock& operator=(const ManualClock&) = delete;
  ~ManualClock();

  /// What Leat takes for the time; begins at the time on the wall.
  [[nodiscard]] TimePoint now() const noexcept;
  /// Moves it on. Leat's threads notice within about a millisecond; wait for what is to happen then (the end
  /// of a call), not for a time. With heartbeats, move it in steps shorter than heartbeat_timeout and give
  /// the other side the time to answer.
  void advance(Duration by) noexcept;
};

}  // namespace leat::testing
