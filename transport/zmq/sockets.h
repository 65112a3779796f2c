// Names and options of the sockets that lie under ZeroMQ's.
#pragma once

#include <string>

#include "transport/link/address.h"

namespace leat::transport {

/// "tcp://127.0.0.1:5700" or "ipc:///run/x.sock".
[[nodiscard]] inline std::string zmq_endpoint(const SocketAddress& address) {
  return make_url(address.family() == AF_UNIX ? "ipc" : "tcp", address.text());
}

/// Bounds what a connected or listening TCP socket holds unsent, as transport/tcp does and for the same
/// reason. Without effect on others.
void bound_unsent(int fd) noexcept;

}  // namespace leat::transport
