// tcp://host:port and ipc://path: Leat's frames on stream sockets of our own.
#pragma once

#include <memory>

#include "transport/link/link.h"

namespace leat::transport {

/// tcp://host:port. Names are resolved with getaddrinfo, which may block beyond connect()'s time limit if the
/// name server does not answer; literals and names from /etc/hosts do not.
std::unique_ptr<Transport> make_tcp_transport();

/// ipc://path: a Unix stream socket at that path.
std::unique_ptr<Transport> make_ipc_transport();

}  // namespace leat::transport
