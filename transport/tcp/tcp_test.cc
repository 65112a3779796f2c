#include "transport/tcp/tcp.h"

#include "transport/link/conformance/conformance.h"

namespace leat::transport::conformance {
namespace {

Subject tcp() {
  return {.scheme = "tcp",
          .make = make_tcp_transport,
          .free_address = [] { return "127.0.0.1:0"; },
          .unreadable = {"", "127.0.0.1", "127.0.0.1:", ":5700", "127.0.0.1:x", "127.0.0.1:65536", "::1:5700",
                         "[::1]", "127.0.0.1:5700/path"},
          .beyond_loopback = {"0.0.0.0:0", "*:0", "[::]:0"}};
}

Subject ipc() {
  return {.scheme = "ipc",
          .make = make_ipc_transport,
          .free_address = [] { return testing::TempDir() + unique_name("leat") + ".sock"; },
          .unreadable = {"", "@abstract", "/tmp/" + std::string(120, 'x')}};
}

INSTANTIATE_TEST_SUITE_P(Tcp, LinkConformance, testing::Values(tcp()));
INSTANTIATE_TEST_SUITE_P(Tcp, SocketConformance, testing::Values(tcp()));
INSTANTIATE_TEST_SUITE_P(Ipc, LinkConformance, testing::Values(ipc()));
INSTANTIATE_TEST_SUITE_P(Ipc, SocketConformance, testing::Values(ipc()));

}  // namespace
}  // namespace leat::transport::conformance
