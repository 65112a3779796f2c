// The connecting side: a DEALER of its own for each link.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "transport/link/link.h"
#include "transport/link/socket.h"
#include "transport/zmq/context.h"
#include "transport/zmq/flight.h"

namespace leat::transport {

/// The descriptor is an epoll set of the DEALER's, its monitor's and the bell. ZeroMQ's descriptors are
/// edge-triggered: a send may take back the readiness that a message has caused. Whenever that may have
/// happened the bell is rung, so that from outside the set is level-triggered and pending() has nothing to
/// add.
class DealerLink final : public Link {
 public:
  /// Connects to one numeric address or path; `endpoint` is ZeroMQ's name for it, `url` the user's. Sends the
  /// greeting by which the ROUTER learns of us.
  static Result<std::unique_ptr<Link>> connect(const std::shared_ptr<zmq::context_t>& context,
                                               std::string_view scheme, const std::string& url,
                                               const SocketAddress& address, TimePoint deadline,
                                               const ConnectLimits& limits);
  ~DealerLink() override { shut(); }

  [[nodiscard]] std::string_view scheme() const noexcept override { return scheme_; }
  [[nodiscard]] const std::string& remote() const noexcept override { return url_; }
  [[nodiscard]] int descriptor() const noexcept override { return set_.get(); }
  [[nodiscard]] bool wants_write() const noexcept override {
    return false;
  }  // an epoll set is never writable
  [[nodiscard]] bool pending() override { return false; }
  [[nodiscard]] std::size_t send_budget() const noexcept override;
  Result<std::size_t> send(std::span<const Slice> slices) override;
  Result<std::size_t> receive(Receiver& receiver, std::size_t limit) override;
  void close() noexcept override { shut(); }

 private:
  DealerLink(std::shared_ptr<zmq::context_t> context, std::string_view scheme, std::string url);
  Status open();
  Status wait_for_handshake(const SocketAddress& address, TimePoint deadline, const ConnectLimits& limits);
  Status explain_refusal(const SocketAddress& address, TimePoint deadline, const ConnectLimits& limits) const;
  void look_at_events();
  std::size_t drain(Receiver& receiver, std::size_t limit);
  std::unexpected<Status> fail(int error);
  void shut() noexcept;

  std::shared_ptr<zmq::context_t> context_;  // outlives the sockets
  std::string_view scheme_;
  std::string url_;
  zmq::socket_t socket_;
  std::unique_ptr<Monitor> monitor_;
  std::shared_ptr<Bell> bell_;
  std::shared_ptr<Flight> flight_;
  Descriptor set_;
  bool established_ = false;
  bool lost_ = false;  // the monitor said so; what was received before is still delivered
  bool closed_ = false;
  Status failure_;
};

}  // namespace leat::transport
