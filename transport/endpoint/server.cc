#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <leat/server.h>

#include "transport/endpoint/schemes.h"
#include "transport/endpoint/server_loop.h"
#include "transport/runtime/clock.h"

namespace leat {

struct Server::Impl {
  explicit Impl(ServerOptions options) : loop(std::make_shared<transport::ServerLoop>(std::move(options))) {}
  std::shared_ptr<transport::ServerLoop> loop;
};

Server::Server(ServerOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {}
Server::~Server() { close(); }

Status Server::add(std::shared_ptr<Service> service) {
  return impl_->loop->dispatcher().add(std::move(service));
}
Result<std::string> Server::listen(std::string_view url) { return impl_->loop->listen(url); }
std::vector<std::string> Server::urls() const { return impl_->loop->urls(); }
void Server::wait() { impl_->loop->wait_until(kNever); }
bool Server::wait_for(Duration limit) { return impl_->loop->wait_until(transport::after(limit)); }
bool Server::drain(Duration limit) { return impl_->loop->drain(transport::after(limit)); }
Status Server::set_health(std::string_view service, bool serving) {
  return impl_->loop->set_health(service, serving);
}
void Server::close() noexcept { impl_->loop->close(); }
ServerStats Server::stats() const { return impl_->loop->stats(); }

}  // namespace leat
