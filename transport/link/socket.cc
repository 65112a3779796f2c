#include "transport/link/socket.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace leat::transport {
namespace {

// A signal that another thread handled does not interrupt our poll(), so `interrupted` is asked this often
// anyway.
constexpr Duration kInterruptStep = std::chrono::milliseconds(100);

// Connecting from an ephemeral port to the same port of the same host succeeds without anybody listening
// (TCP's simultaneous open).
bool is_connected_to_itself(int fd) {
  sockaddr_storage local{};
  sockaddr_storage remote{};
  socklen_t local_size = sizeof local;
  socklen_t remote_size = sizeof remote;
  return getsockname(fd, reinterpret_cast<sockaddr*>(&local), &local_size) == 0 &&
         local.ss_family != AF_UNIX &&
         getpeername(fd, reinterpret_cast<sockaddr*>(&remote), &remote_size) == 0 &&
         local_size == remote_size && std::memcmp(&local, &remote, local_size) == 0;
}

std::expected<Descriptor, int> bind_and_listen(const SocketAddress& address, const ListenLimits& limits) {
  Descriptor socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return std::unexpected(errno);
  const int on = 1;
  const int off = 0;
  // Lets a restarted server have its port back while old connections linger in TIME_WAIT. On Linux it does
  // not let two servers share one.
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (bind(socket.get(), address.data(), address.size()) != 0) return std::unexpected(errno);
  if (listen(socket.get(), limits.backlog) != 0) return std::unexpected(errno);
  return socket;
}

}  // namespace

void Descriptor::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

TimePoint deadline_after(Duration limit) noexcept {
  const TimePoint now = std::chrono::steady_clock::now();
  return limit > kNever - now ? kNever : now + std::max(limit, Duration::zero());
}

int wait_until(int fd, short events, TimePoint deadline, const ConnectLimits& limits) {
  for (;;) {
    if (limits.interrupted && limits.interrupted()) return ECANCELED;
    const Duration left = std::max(deadline - TimePoint(std::chrono::steady_clock::now()), Duration::zero());
    const Duration step =
        std::min(left, limits.interrupted ? kInterruptStep : Duration(std::chrono::hours(1)));
    pollfd entry{fd, events, 0};
    const int ready =
        poll(&entry, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(step).count()));
    if (ready > 0) return 0;
    if (ready < 0 && errno != EINTR) return errno;
    if (left == Duration::zero()) return ETIMEDOUT;
  }
}

std::expected<Descriptor, int> connect_socket(const SocketAddress& address, TimePoint deadline,
                                              const ConnectLimits& limits) {
  Descriptor socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return std::unexpected(errno);
  while (connect(socket.get(), address.data(), address.size()) != 0) {
    int error = errno;
    if (error == EAGAIN && address.family() == AF_UNIX) {
      // The listener's backlog is full. The kernel does not tell when it no longer is, so try again in a
      // moment; a pipe end that is never ready serves as the thing to wait for.
      error = wait_until(-1, 0, std::min(deadline, deadline_after(std::chrono::milliseconds(5))), limits);
      if (error == ECANCELED) return std::unexpected(error);
      if (TimePoint(std::chrono::steady_clock::now()) >= deadline) return std::unexpected(ETIMEDOUT);
      continue;
    }
    // An interrupted connect() goes on in the background, as one in progress does.
    if (error != EINPROGRESS && error != EINTR) return std::unexpected(error);
    error = wait_until(socket.get(), POLLOUT, deadline, limits);
    if (error != 0) return std::unexpected(error);
    socklen_t size = sizeof error;
    if (getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return std::unexpected(error);
    break;
  }
  if (is_connected_to_itself(socket.get())) return std::unexpected(ECONNREFUSED);
  return socket;
}

Result<Descriptor> connect_stream(std::string_view scheme, std::string_view address, bool unix_path,
                                  const ConnectLimits& limits) {
  const TimePoint deadline = deadline_after(limits.timeout);
  const std::string url = make_url(scheme, address);
  std::vector<SocketAddress> candidates;
  if (unix_path) {
    auto one = unix_address(scheme, address);
    if (!one) return failure(std::move(one.error()));
    candidates.push_back(*one);
  } else {
    auto all = resolve(scheme, address, Use::kConnect);
    if (!all) return failure(std::move(all.error()));
    candidates = std::move(*all);
  }
  int error = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    // One address that swallows packets must not use up the time of those behind it.
    TimePoint until = deadline;
    if (deadline != kNever) {
      const TimePoint now = std::chrono::steady_clock::now();
      until = now + (deadline - now) / static_cast<std::int64_t>(candidates.size() - i);
    }
    auto connected = connect_socket(candidates[i], until, limits);
    if (connected) return std::move(*connected);
    if (connected.error() == ECANCELED) {
      return failure(Code::kCancelled, url + ": connecting was interrupted");
    }
    // "localhost" is ::1 and 127.0.0.1: if any of them refuses outright, that says more than a family without
    // a route.
    if (error == 0 || connected.error() == ECONNREFUSED) error = connected.error();
  }
  if (error == ETIMEDOUT) return failure(connect_timeout(url, limits.timeout));
  return failure(connect_failure(url, error));
}

Result<ListenSocket> ListenSocket::open_tcp(std::string_view scheme, std::string_view address,
                                            const ListenLimits& limits) {
  auto candidates = resolve(scheme, address, Use::kListen);
  if (!candidates) return failure(std::move(candidates.error()));
  const std::string url = make_url(scheme, address);
  int error = EADDRNOTAVAIL;
  for (const SocketAddress& candidate : *candidates) {
    if (!limits.insecure && !candidate.is_loopback()) return failure(beyond_loopback(url));
    auto socket = bind_and_listen(candidate, limits);
    if (!socket) {
      error = socket.error();
      if (error == EADDRINUSE) break;  // the next family may be free, but then clients would find two servers
      continue;
    }
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (getsockname(socket->get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
      error = errno;
      continue;
    }
    ListenSocket result;
    result.socket_ = std::move(*socket);
    result.url_ = make_url(scheme, SocketAddress(reinterpret_cast<const sockaddr*>(&bound), size).text());
    return result;
  }
  return failure(listen_failure(url, error));
}

void ListenSocket::swap(ListenSocket& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(lock_, other.lock_);
  url_.swap(other.url_);
  path_.swap(other.path_);
  std::swap(owner_, other.owner_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
}

}  // namespace leat::transport
