#include <utility>

#include <leat/peer.h>

#include "transport/endpoint/schemes.h"
#include "transport/endpoint/session_options.h"
#include "transport/runtime/client_call.h"
#include "transport/runtime/clock.h"
#include "transport/runtime/connection.h"
#include "transport/runtime/keeper.h"

namespace leat {

using transport::Connection;

/// Everything a handle shares; as the Caller it is what calls keep alive.
struct Peer::Impl final : Caller, std::enable_shared_from_this<Peer::Impl> {
  explicit Impl(std::shared_ptr<Connection> open_connection) : connection(std::move(open_connection)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() override { connection->close(Code::kCancelled, "the client closed the connection"); }

  Result<Payload> call(const MethodRef& method, Payload request, const CallOptions& options) override {
    return transport::call_unary(*connection, method, std::move(request), options);
  }
  Result<std::unique_ptr<ClientCall>> start(const MethodRef& method, std::optional<Payload> request,
                                            const CallOptions& options) override {
    return transport::start_call(connection, shared_from_this(), method, std::move(request), options);
  }

  std::shared_ptr<Connection> connection;
};

Result<Peer> connect(std::string_view url, const ConnectOptions& options) {
  const auto endpoint = transport::find_endpoint(url);
  if (!endpoint) return failure(endpoint.error());
  const TimePoint deadline = transport::now() + options.timeout;
  auto link = endpoint->transport->connect(endpoint->address, {options.timeout, options.interrupted});
  if (!link) return failure(link.error());

  transport::ConnectionOptions connection_options;
  connection_options.url = url;
  connection_options.interrupted = options.interrupted;
  connection_options.session = transport::session_options(options.limits);
  connection_options.session.name = options.name;
  connection_options.session.link = endpoint->transport->scheme();
  // A little before the limit, so that all of connect() stays within it.
  const Duration left = std::max(deadline - transport::now(), Duration::zero());
  connection_options.session.handshake_timeout = left - left / 50;
  auto connection = std::make_shared<Connection>(std::move(*link), std::move(connection_options));
  connection->set_keeper(transport::Keeper::shared());
  if (Status ready = connection->wait_ready(); !ready.ok()) {
    connection->close(Code::kCancelled, "the client gave up");
    if (!ready.message().starts_with(url)) ready.with_context(url);
    return failure(std::move(ready));
  }
  auto impl = std::make_shared<Peer::Impl>(std::move(connection));
  return Peer(impl, impl);
}

const std::string& Peer::url() const noexcept { return impl_->connection->url(); }
std::string_view Peer::transport() const noexcept { return impl_->connection->scheme(); }
bool Peer::connected() const noexcept { return impl_->connection->open(); }
PeerStats Peer::stats() const { return impl_->connection->stats(); }
void Peer::close() noexcept {
  impl_->connection->close(Code::kCancelled, "the client closed the connection");
}

std::vector<RemoteService> Peer::services() const {
  std::vector<RemoteService> list;
  for (wire::Announcement& announced : impl_->connection->remote_terms().services) {
    list.push_back({std::move(announced.service), announced.fingerprint});
  }
  return list;
}

}  // namespace leat
