// The accepting side's links: a peer of a Router each.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "transport/link/address.h"
#include "transport/link/link.h"
#include "transport/zmq/router.h"

namespace leat::transport {

/// What the Router knows of a peer; guarded by its lock.
struct Router::Peer {
  std::string id;
  std::shared_ptr<Connection> connection;  // until either side has ended it
  std::shared_ptr<Flight> flight;
  std::deque<zmq::message_t> inbox;
  Link* link = nullptr;  // a key for ListenerEvents::ready; null once the link is gone
  bool lost = false;     // by the other side, or with the listener
  bool closed = false;   // by our side
  Status failure;

  std::unexpected<Status> fail(int error) {
    if (failure.ok()) failure = transport::lost(error);
    return leat::failure(failure);
  }
};

/// Has no descriptor: the Router's listener says when there is something to do.
class RouterLink final : public Link {
 public:
  RouterLink(std::shared_ptr<Router> router, std::shared_ptr<Router::Peer> peer, std::string remote) noexcept
      : router_(std::move(router)), peer_(std::move(peer)), remote_(std::move(remote)) {}
  ~RouterLink() override { router_->forget(*peer_); }

  [[nodiscard]] std::string_view scheme() const noexcept override { return router_->scheme(); }
  [[nodiscard]] const std::string& remote() const noexcept override { return remote_; }
  [[nodiscard]] int descriptor() const noexcept override { return -1; }
  [[nodiscard]] bool wants_write() const noexcept override { return false; }
  [[nodiscard]] bool pending() override { return false; }
  [[nodiscard]] std::size_t send_budget() const noexcept override { return router_->budget(*peer_); }
  Result<std::size_t> send(std::span<const Slice> slices) override { return router_->send(*peer_, slices); }
  Result<std::size_t> receive(Receiver& receiver, std::size_t limit) override {
    return router_->receive(peer_, receiver, limit);
  }
  void close() noexcept override { router_->close(*peer_); }

 private:
  std::shared_ptr<Router> router_;
  std::shared_ptr<Router::Peer> peer_;
  std::string remote_;
};

}  // namespace leat::transport
