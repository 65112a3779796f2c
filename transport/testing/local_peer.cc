#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <leat/testing.h>

namespace leat::testing {
namespace {

[[noreturn]] void give_up(const Status& status) {
  std::fprintf(stderr, "leat::testing::LocalPeer: %s\n", status.to_string().c_str());
  std::abort();
}

std::unique_ptr<Server> serve(std::vector<std::shared_ptr<Service>> services, ServerOptions options) {
  auto server = std::make_unique<Server>(std::move(options));
  for (std::shared_ptr<Service>& service : services) {
    if (Status added = server->add(std::move(service)); !added.ok()) give_up(added);
  }
  return server;
}

Peer connect_to(Server& server, const ConnectOptions& options) {
  static std::atomic<unsigned> count{0};
  const Result<std::string> url = server.listen("inproc://leat-testing-" + std::to_string(++count));
  if (!url) give_up(url.error());
  Result<Peer> peer = connect(*url, options);
  if (!peer) give_up(peer.error());
  return std::move(*peer);
}

}  // namespace

LocalPeer::LocalPeer(std::vector<std::shared_ptr<Service>> services, LocalPeerOptions options)
    : server_(serve(std::move(services), std::move(options.server))),
      peer_(connect_to(*server_, options.client)) {}

LocalPeer::LocalPeer(std::shared_ptr<Service> service, LocalPeerOptions options)
    : LocalPeer(std::vector<std::shared_ptr<Service>>{std::move(service)}, std::move(options)) {}

LocalPeer::~LocalPeer() {
  peer_.close();
  server_->close();
}

}  // namespace leat::testing
