#include "transport/tcp/tcp.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <utility>

#include "transport/link/socket.h"
#include "transport/tcp/socket_link.h"

namespace leat::transport {
namespace {

constexpr std::string_view kTcp = "tcp";
constexpr std::string_view kIpc = "ipc";

// Links accepted in one turn, so that a flood of connections does not hold up those that exist.
constexpr int kAcceptsPerTurn = 64;

// When the process is out of descriptors, connections wait in the backlog; try again this often.
constexpr long kAcceptPauseNs = 100'000'000;

bool out_of_resources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// The descriptor to wait on is an epoll set of the listening socket and a timer. While the process is out of
// descriptors the socket leaves the set and the timer brings it back: a level-triggered wait would spin
// otherwise.
class SocketListener final : public Listener {
 public:
  SocketListener(ListenSocket socket, bool tcp) noexcept
      : socket_(std::move(socket)), tcp_(tcp), url_(socket_.url()) {}
  ~SocketListener() override { close_all(); }

  Status start() {
    set_.reset(epoll_create1(EPOLL_CLOEXEC));
    timer_.reset(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    epoll_event event{};
    event.events = EPOLLIN;
    if (!set_ || !timer_ || epoll_ctl(set_.get(), EPOLL_CTL_ADD, timer_.get(), &event) != 0 ||
        epoll_ctl(set_.get(), EPOLL_CTL_ADD, socket_.descriptor(), &event) != 0) {
      return listen_failure(url_, errno);
    }
    return {};
  }

  [[nodiscard]] const std::string& url() const noexcept override { return url_; }
  [[nodiscard]] int descriptor() const noexcept override { return set_.get(); }
  [[nodiscard]] bool pending() override { return false; }

  void service(ListenerEvents& events) override {
    if (socket_.descriptor() < 0) return;
    if (paused_) resume();
    for (int accepted = 0; accepted < kAcceptsPerTurn;) {
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      Descriptor fd(accept4(socket_.descriptor(), reinterpret_cast<sockaddr*>(&peer), &size,
                            SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) {
        const int error = errno;
        if (error == EINTR || error == ECONNABORTED || error == EPROTO) continue;
        if (out_of_resources(error)) pause();
        return;
      }
      ++accepted;
      tune_socket(fd.get(), tcp_);
      std::string remote =
          tcp_ ? make_url(kTcp, SocketAddress(reinterpret_cast<const sockaddr*>(&peer), size).text()) : url_;
      events.accepted(std::make_unique<SocketLink>(std::move(fd), tcp_ ? kTcp : kIpc, std::move(remote)));
      if (socket_.descriptor() < 0) return;  // closed from inside accepted()
    }
  }

  void close() noexcept override { close_all(); }

 private:
  void close_all() noexcept {
    socket_.close();
    set_.reset();
    timer_.reset();
  }

  void watch_socket(std::uint32_t mask) noexcept {
    epoll_event event{};
    event.events = mask;
    epoll_ctl(set_.get(), EPOLL_CTL_MOD, socket_.descriptor(), &event);
  }

  void pause() noexcept {
    paused_ = true;
    watch_socket(0);
    itimerspec after{};
    after.it_value.tv_nsec = kAcceptPauseNs;
    timerfd_settime(timer_.get(), 0, &after, nullptr);
  }

  void resume() noexcept {
    paused_ = false;
    const itimerspec never{};
    timerfd_settime(timer_.get(), 0, &never, nullptr);  // also takes back an expiry that nobody has read
    watch_socket(EPOLLIN);
  }

  ListenSocket socket_;
  Descriptor set_;
  Descriptor timer_;
  bool tcp_;
  bool paused_ = false;
  std::string url_;
};

class SocketTransport final : public Transport {
 public:
  explicit SocketTransport(bool tcp) noexcept : tcp_(tcp) {}

  [[nodiscard]] std::string_view scheme() const noexcept override { return tcp_ ? kTcp : kIpc; }

  Result<std::unique_ptr<Link>> connect(std::string_view address, const ConnectLimits& limits) override {
    auto socket = connect_stream(scheme(), address, !tcp_, limits);
    if (!socket) return failure(std::move(socket.error()));
    tune_socket(socket->get(), tcp_);
    return std::make_unique<SocketLink>(std::move(*socket), scheme(), make_url(scheme(), address));
  }

  Result<std::unique_ptr<Listener>> listen(std::string_view address, const ListenLimits& limits) override {
    auto socket = tcp_ ? ListenSocket::open_tcp(scheme(), address, limits)
                       : ListenSocket::open_unix(scheme(), address, limits);
    if (!socket) return failure(std::move(socket.error()));
    auto listener = std::make_unique<SocketListener>(std::move(*socket), tcp_);
    if (Status status = listener->start(); !status.ok()) return failure(std::move(status));
    return listener;
  }

 private:
  bool tcp_;
};

}  // namespace

std::unique_ptr<Transport> make_tcp_transport() { return std::make_unique<SocketTransport>(true); }
std::unique_ptr<Transport> make_ipc_transport() { return std::make_unique<SocketTransport>(false); }

}  // namespace leat::transport
