#include <array>
#include <utility>

#include <leat/peer.h>

#include "transport/endpoint/check_options.h"
#include "transport/endpoint/client.h"
#include "transport/endpoint/schemes.h"
#include "transport/intercept/client.h"
#include "transport/runtime/clock.h"

namespace leat {

using transport::Client;

std::string_view state_name(PeerState state) noexcept {
  static constexpr std::array<std::string_view, 4> kNames = {"ready", "connecting", "backoff", "closed"};
  const auto index = static_cast<std::size_t>(state);
  return index < kNames.size() ? kNames[index] : "unknown";
}

/// Everything a handle shares; as the Caller it is what calls keep alive. The last one gone closes.
struct Peer::Impl final : Caller, std::enable_shared_from_this<Peer::Impl> {
  explicit Impl(std::shared_ptr<Client> connected) : client(std::move(connected)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() override { client->close(); }

  Result<Payload> call(const MethodRef& method, Payload request, const CallOptions& options) override {
    return client->call(method, std::move(request), options);
  }
  Result<std::unique_ptr<ClientCall>> start(const MethodRef& method, std::optional<Payload> request,
                                            const CallOptions& options) override {
    return client->start(shared_from_this(), method, std::move(request), options);
  }
  void post(std::function<void()> work) override {
    const std::shared_ptr<Client> alive = client;  // the work may be the end of this
    alive->post(std::move(work));
  }

  std::shared_ptr<Client> client;
};

Result<Peer> connect(std::string_view url, const ConnectOptions& options) {
  auto endpoint = transport::find_endpoint(url);
  if (!endpoint) return failure(endpoint.error());
  if (Status valid = transport::check_options(options); !valid.ok()) return failure(std::move(valid));
  auto client = std::make_shared<Client>(std::string(url), std::move(*endpoint), options);
  for (const std::shared_ptr<Service>& service : options.services) {
    if (Status added = client->add(service); !added.ok()) return failure(std::move(added));
  }
  auto impl = std::make_shared<Peer::Impl>(client);
  const std::shared_ptr<Caller> caller =
      transport::intercept_caller(impl, options.interceptors, impl->client->url());
  client->set_handle(caller);
  if (Status connected = client->connect_first(); !connected.ok()) return failure(std::move(connected));
  return Peer(impl, caller);
}

const std::string& Peer::url() const noexcept { return impl_->client->url(); }
std::string_view Peer::transport() const noexcept { return impl_->client->scheme(); }
bool Peer::connected() const noexcept { return impl_->client->state() == PeerState::kReady; }
PeerState Peer::state() const noexcept { return impl_->client->state(); }
std::uint64_t Peer::epoch() const noexcept { return impl_->client->epoch(); }
Status Peer::wait_ready(Duration limit) const { return impl_->client->wait_ready(transport::after(limit)); }
Status Peer::add(std::shared_ptr<Service> service) { return impl_->client->add(std::move(service)); }
Result<bool> Peer::health(std::string_view service, Duration limit) const {
  return impl_->client->ask_health(service, transport::after(limit));
}
PeerStats Peer::stats() const { return impl_->client->stats(); }
void Peer::close() noexcept { impl_->client->close(); }
std::vector<RemoteService> Peer::services() const { return impl_->client->services(); }

}  // namespace leat
