#include "transport/zmq/context.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>
#include <poll.h>
#include <unistd.h>

#include "transport/link/socket.h"

namespace leat::transport {
namespace {

/// ZeroMQ starts its I/O threads when the first socket is made; they inherit the mask. A signal must reach
/// the user's threads (Python's main thread), never ours.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all{};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

// A peer that announces a larger message is cut off instead of being given the memory. Ours are 256 KiB at
// most.
constexpr std::int64_t kMaxMessage = 4 << 20;

// A day: as good as never, see below.
constexpr int kReconnectMs = 24 * 60 * 60 * 1000;

// As TCP_USER_TIMEOUT in transport/tcp.
constexpr int kUserTimeoutMs = 20'000;

// A connection has this long to shake hands as ZeroMQ; Leat's own handshake comes on top.
constexpr int kHandshakeMs = 5000;

}  // namespace

ContextSource::~ContextSource() {
  // In a forked child the parent's context can't be terminated (its threads are not here), so it is left
  // alone.
  if (context_ && owner_ != getpid()) new (std::nothrow) std::shared_ptr<zmq::context_t>(std::move(context_));
}

std::shared_ptr<zmq::context_t> ContextSource::get() {
  const std::lock_guard lock(mutex_);
  if (context_ && owner_ == getpid()) return context_;
  if (context_) new std::shared_ptr<zmq::context_t>(std::move(context_));
  const SignalsBlocked blocked;
  // One I/O thread: events and messages of different connections then have one order, which the server relies
  // on.
  context_ = std::make_shared<zmq::context_t>(1);
  context_->set(zmq::ctxopt::blocky, 0);
  context_->set(zmq::ctxopt::max_sockets, 65535);
  owner_ = getpid();
  return context_;
}

zmq::socket_t make_socket(zmq::context_t& context, zmq::socket_type type) {
  const SignalsBlocked blocked;
  zmq::socket_t socket(context, type);
  // A link dies once: by default, what was sent to a dead server reaches the restarted one. Not -1 (never):
  // then ZeroMQ throws away what the lost connection had received and we have not read yet. Links are closed
  // long before this.
  socket.set(zmq::sockopt::reconnect_ivl, kReconnectMs);
  // At the default mark a ROUTER drops what it can't queue. Credit bounds memory instead.
  socket.set(zmq::sockopt::sndhwm, 0);
  socket.set(zmq::sockopt::rcvhwm, 0);
  // Unless close_gently() is called.
  socket.set(zmq::sockopt::linger, 0);
  // With a domain, peers of ZMTP 1.0 are refused, and that is what an HTTP request is taken for. Nobody
  // answers for the domain, so that others still connect as usual.
  socket.set(zmq::sockopt::zap_domain, "leat");
  socket.set(zmq::sockopt::maxmsgsize, kMaxMessage);
  socket.set(zmq::sockopt::tcp_maxrt, kUserTimeoutMs);
  socket.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
  socket.set(zmq::sockopt::ipv6, true);
  if (type == zmq::socket_type::router) socket.set(zmq::sockopt::router_mandatory, true);
  return socket;
}

void close_gently(zmq::socket_t& socket) noexcept {
  if (!socket) return;
  zmq_setsockopt(socket.handle(), ZMQ_LINGER, &kZmqLingerMs, sizeof kZmqLingerMs);
  socket.close();
}

Monitor::Monitor(zmq::context_t& context, zmq::socket_t& socket)
    : socket_(socket), pair_(context, zmq::socket_type::pair) {
  static std::atomic<std::uint64_t> count = 0;
  const std::string address = "inproc://leat-monitor-" + std::to_string(++count);
  const int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_ACCEPTED |
                     ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
  if (zmq_socket_monitor(socket.handle(), address.c_str(), events) != 0) throw zmq::error_t();
  // Without a mark: an I/O thread that can't get rid of an event blocks, and with it every connection.
  pair_.set(zmq::sockopt::rcvhwm, 0);
  pair_.set(zmq::sockopt::linger, 0);
  pair_.connect(address);
}

Monitor::~Monitor() {
  // An I/O thread that has an event for a monitor without a reader waits for one, and every connection with
  // it. So ZeroMQ has to stop before the reader goes.
  zmq_socket_monitor(socket_.handle(), nullptr, 0);
}

void Monitor::wait_for(std::uint16_t kind, Duration limit) {
  const TimePoint deadline = deadline_after(limit);
  do {
    while (const auto event = next()) {
      if (event->kind == kind) return;
    }
  } while (wait_until(descriptor(), POLLIN, deadline, {}) == 0);
}

int Monitor::descriptor() { return pair_.get(zmq::sockopt::fd); }

std::optional<Monitor::Event> Monitor::next() {
  zmq::message_t message;
  if (!try_receive(pair_, message)) return std::nullopt;
  Event event;
  std::int32_t value = 0;
  if (message.size() == sizeof event.kind + sizeof value) {
    std::memcpy(&event.kind, message.data(), sizeof event.kind);
    std::memcpy(&value, message.data<std::byte>() + sizeof event.kind, sizeof value);
    event.value = value;
  }
  skip_parts(pair_, message);
  return event;
}

bool try_receive(zmq::socket_t& socket, zmq::message_t& message) noexcept {
  int got = 0;
  do got = zmq_msg_recv(message.handle(), socket.handle(), ZMQ_DONTWAIT);
  while (got < 0 && zmq_errno() == EINTR);
  return got >= 0;
}

bool try_send(zmq::socket_t& socket, zmq::message_t& message, bool more) noexcept {
  int sent = 0;
  do sent = zmq_msg_send(message.handle(), socket.handle(), ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
  while (sent < 0 && zmq_errno() == EINTR);
  return sent >= 0;
}

bool skip_parts(zmq::socket_t& socket, zmq::message_t& message) noexcept {
  bool several = false;
  while (message.more() && try_receive(socket, message)) several = true;
  return several;
}

bool has_input(zmq::socket_t& socket) noexcept {
  int events = 0;
  std::size_t size = sizeof events;
  return zmq_getsockopt(socket.handle(), ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
}

}  // namespace leat::transport
