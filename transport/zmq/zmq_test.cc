#include "transport/zmq/zmq.h"

#include "transport/link/conformance/conformance.h"

namespace leat::transport::conformance {
namespace {

Subject zmq_tcp() {
  return {.scheme = "zmq+tcp",
          .make = make_zmq_tcp_transport,
          .free_address = [] { return "127.0.0.1:0"; },
          .unreadable = {"", "127.0.0.1", ":5700", "127.0.0.1:x", "::1:5700"},
          .beyond_loopback = {"0.0.0.0:0", "*:0", "[::]:0"},
          .stops_the_sender = false};
}

Subject zmq_ipc() {
  return {.scheme = "zmq+ipc",
          .make = make_zmq_ipc_transport,
          .free_address = [] { return testing::TempDir() + unique_name("leat-zmq") + ".sock"; },
          .unreadable = {"", "@abstract", "/tmp/" + std::string(120, 'x')},
          .stops_the_sender = false};
}

INSTANTIATE_TEST_SUITE_P(ZmqTcp, LinkConformance, testing::Values(zmq_tcp()));
INSTANTIATE_TEST_SUITE_P(ZmqTcp, SocketConformance, testing::Values(zmq_tcp()));
INSTANTIATE_TEST_SUITE_P(ZmqIpc, LinkConformance, testing::Values(zmq_ipc()));
INSTANTIATE_TEST_SUITE_P(ZmqIpc, SocketConformance, testing::Values(zmq_ipc()));

}  // namespace
}  // namespace leat::transport::conformance
