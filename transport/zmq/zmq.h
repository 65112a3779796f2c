// zmq+tcp://host:port and zmq+ipc://path: Leat's frames inside ZeroMQ messages, DEALER to ROUTER, for
// networks that already run on ZeroMQ.
#pragma once

#include <memory>

#include "transport/link/link.h"

namespace leat::transport {

/// Each object keeps a ZeroMQ context of its own, made at first use and terminated with the last of its
/// links. In a forked child it makes a new one. Thread-safe.
std::unique_ptr<Transport> make_zmq_tcp_transport();
std::unique_ptr<Transport> make_zmq_ipc_transport();

}  // namespace leat::transport
