#include "transport/zmq/zmq.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include "transport/link/socket.h"
#include "transport/zmq/context.h"
#include "transport/zmq/dealer_link.h"
#include "transport/zmq/router.h"
#include "transport/zmq/sockets.h"

namespace leat::transport {

void bound_unsent(int fd) noexcept {
  const int unsent = 128 * 1024;
  setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

namespace {

class ZmqListener final : public Listener {
 public:
  explicit ZmqListener(std::shared_ptr<Router> router) noexcept : router_(std::move(router)) {}
  ~ZmqListener() override { router_->close(); }

  [[nodiscard]] const std::string& url() const noexcept override { return router_->url(); }
  [[nodiscard]] int descriptor() const noexcept override { return router_->descriptor(); }
  [[nodiscard]] bool pending() override { return false; }
  void service(ListenerEvents& events) override { router_->service(events); }
  void close() noexcept override { router_->close(); }

 private:
  std::shared_ptr<Router> router_;
};

class ZmqTransport final : public Transport {
 public:
  explicit ZmqTransport(bool tcp) noexcept : tcp_(tcp) {}

  [[nodiscard]] std::string_view scheme() const noexcept override { return tcp_ ? "zmq+tcp" : "zmq+ipc"; }

  Result<std::unique_ptr<Link>> connect(std::string_view address, const ConnectLimits& limits) override try {
    const TimePoint deadline = deadline_after(limits.timeout);
    auto candidates = addresses(address);
    if (!candidates) return failure(std::move(candidates.error()));
    const std::string url = make_url(scheme(), address);
    const std::shared_ptr<zmq::context_t> context = context_.get();
    Status first;
    for (std::size_t i = 0; i < candidates->size(); ++i) {
      TimePoint until = deadline;
      if (deadline != kNever) {
        const TimePoint now = std::chrono::steady_clock::now();
        until = now + std::max((deadline - now) / static_cast<std::int64_t>(candidates->size() - i),
                               Duration::zero());
      }
      auto link = DealerLink::connect(context, scheme(), url, (*candidates)[i], until, limits);
      if (link || link.error().code() == Code::kCancelled) return link;
      if (first.ok()) first = std::move(link.error());
    }
    return failure(std::move(first));
  } catch (const zmq::error_t& error) {
    return failure(connect_failure(make_url(scheme(), address), error.num()));
  }

  Result<std::unique_ptr<Listener>> listen(std::string_view address, const ListenLimits& limits) override
      try {
    auto socket = tcp_ ? ListenSocket::open_tcp(scheme(), address, limits)
                       : ListenSocket::open_unix(scheme(), address, limits);
    if (!socket) return failure(std::move(socket.error()));
    if (tcp_) bound_unsent(socket->descriptor());  // accepted sockets inherit it
    auto router = std::make_shared<Router>(context_.get(), scheme());
    if (Status opened = router->open(std::move(*socket)); !opened.ok()) return failure(std::move(opened));
    return std::make_unique<ZmqListener>(std::move(router));
  } catch (const zmq::error_t& error) {
    return failure(listen_failure(make_url(scheme(), address), error.num()));
  }

 private:
  Result<std::vector<SocketAddress>> addresses(std::string_view address) const {
    if (tcp_) return resolve(scheme(), address, Use::kConnect);
    auto one = unix_address(scheme(), address);
    if (!one) return failure(std::move(one.error()));
    return std::vector{*one};
  }

  bool tcp_;
  ContextSource context_;
};

}  // namespace

std::unique_ptr<Transport> make_zmq_tcp_transport() { return std::make_unique<ZmqTransport>(true); }
std::unique_ptr<Transport> make_zmq_ipc_transport() { return std::make_unique<ZmqTransport>(false); }

}  // namespace leat::transport
