// A link over one connected stream socket; the same for tcp:// and ipc://.
#pragma once

#include <string>
#include <string_view>

#include "transport/link/link.h"
#include "transport/link/socket.h"

namespace leat::transport {

/// Sets what Leat wants of an established socket. `tcp` is false for Unix sockets, which have none of it.
void tune_socket(int fd, bool tcp) noexcept;

/// Thread safety: as Link says, the calls on one object are serialised by its owner.
/// Invariant: a failure, once reported, is kept in failure_ and reported ever after.
class SocketLink final : public Link {
 public:
  /// `scheme` outlives the link (it is a literal).
  SocketLink(Descriptor socket, std::string_view scheme, std::string remote) noexcept;
  ~SocketLink() override;

  [[nodiscard]] std::string_view scheme() const noexcept override { return scheme_; }
  [[nodiscard]] const std::string& remote() const noexcept override { return remote_; }
  [[nodiscard]] int descriptor() const noexcept override { return socket_.get(); }
  [[nodiscard]] bool wants_write() const noexcept override { return wants_write_; }
  [[nodiscard]] bool pending() override { return false; }  // the kernel's readiness is level-triggered
  [[nodiscard]] std::size_t send_budget() const noexcept override;
  Result<std::size_t> send(std::span<const Slice> slices) override;
  Result<std::size_t> receive(Receiver& receiver, std::size_t limit) override;
  void close() noexcept override;

 private:
  [[nodiscard]] bool has_unread() const noexcept;
  std::unexpected<Status> fail(int error);

  Descriptor socket_;
  std::string_view scheme_;
  std::string remote_;
  bool wants_write_ = false;
  bool closed_ = false;
  Status failure_;
};

}  // namespace leat::transport
