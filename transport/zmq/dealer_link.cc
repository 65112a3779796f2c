#include "transport/zmq/dealer_link.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "transport/zmq/sockets.h"

namespace leat::transport {
namespace {

enum Ready : std::uint32_t { kMessages = 1, kEvents = 2, kBell = 3 };

bool watch(int set, int fd, Ready what) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = what;
  return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

DealerLink::DealerLink(std::shared_ptr<zmq::context_t> context, std::string_view scheme, std::string url)
    : context_(std::move(context)), scheme_(scheme), url_(std::move(url)) {}

Result<std::unique_ptr<Link>> DealerLink::connect(const std::shared_ptr<zmq::context_t>& context,
                                                  std::string_view scheme, const std::string& url,
                                                  const SocketAddress& address, TimePoint deadline,
                                                  const ConnectLimits& limits) try {
  std::unique_ptr<DealerLink> link(new DealerLink(context, scheme, url));
  if (Status opened = link->open(); !opened.ok()) return failure(std::move(opened));
  link->socket_.connect(zmq_endpoint(address));
  if (Status shaken = link->wait_for_handshake(address, deadline, limits); !shaken.ok()) {
    return failure(std::move(shaken));
  }
  link->established_ = true;
  // The ROUTER learns of us by our first message; an empty one is no bytes to anybody.
  zmq::message_t greeting;
  if (!try_send(link->socket_, greeting)) return failure(connect_failure(url, ECONNRESET));
  // As above: from here on, the first message is signalled.
  if (link->lost_ || has_input(link->socket_)) link->bell_->ring();
  return link;
} catch (const zmq::error_t& error) {
  return failure(connect_failure(url, error.num()));
}

Status DealerLink::open() {
  socket_ = make_socket(*context_, zmq::socket_type::dealer);
  monitor_ = std::make_unique<Monitor>(*context_, socket_);
  auto bell = Bell::make();
  if (!bell) return connect_failure(url_, bell.error());
  bell_ = std::move(*bell);
  flight_ = std::make_shared<Flight>(bell_);
  set_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!set_ || !watch(set_.get(), socket_.get(zmq::sockopt::fd), kMessages) ||
      !watch(set_.get(), monitor_->descriptor(), kEvents) || !watch(set_.get(), bell_->descriptor(), kBell)) {
    return connect_failure(url_, errno);
  }
  return {};
}

Status DealerLink::wait_for_handshake(const SocketAddress& address, TimePoint deadline,
                                      const ConnectLimits& limits) {
  bool connected = false;
  bool shaken = false;
  for (int error = 0;; error = wait_until(monitor_->descriptor(), POLLIN, deadline, limits)) {
    // Before the wait, and to the end though all be clear: ZeroMQ signals only to a reader that has found
    // nothing.
    while (const auto event = monitor_->next()) {
      if (event->kind == ZMQ_EVENT_CONNECTED) {
        connected = true;
        bound_unsent(event->value);
      } else if (event->kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        shaken = true;
      } else if (event->kind == ZMQ_EVENT_CLOSED && !connected) {
        return explain_refusal(address, deadline, limits);
      } else if (event->kind != ZMQ_EVENT_CLOSED) {  // DISCONNECTED, HANDSHAKE_FAILED_...
        lost_ = true;
      }
    }
    if (shaken) return {};
    if (lost_) {
      return {
          Code::kUnavailable,
          url_ + ": what listens there does not speak ZeroMQ; a Leat server on tcp:// or ipc:// is reached " +
              "under that scheme"};
    }
    if (error == ECANCELED) return {Code::kCancelled, url_ + ": connecting was interrupted"};
    if (error == ETIMEDOUT && connected) {
      return {Code::kUnavailable,
              url_ + ": connected, but what listens there did not answer as ZeroMQ in time; " +
                  "is it a server of another kind, or one that hangs?"};
    }
    if (error == ETIMEDOUT) return connect_timeout(url_, limits.timeout);
    if (error != 0) return connect_failure(url_, error);
  }
}

/// ZeroMQ says that connecting failed, but not why. Trying it ourselves does.
Status DealerLink::explain_refusal(const SocketAddress& address, TimePoint deadline,
                                   const ConnectLimits& limits) const {
  const auto probe = connect_socket(address, deadline, limits);
  // If it connects now, the server has come up between the two; what was true at the time is told.
  const int error = probe ? ECONNREFUSED : probe.error();
  if (error == ETIMEDOUT) return connect_timeout(url_, limits.timeout);
  return connect_failure(url_, error);
}

std::unexpected<Status> DealerLink::fail(int error) {
  if (failure_.ok()) failure_ = lost(error);
  return failure(failure_);
}

std::size_t DealerLink::send_budget() const noexcept {
  return closed_ || lost_ || !failure_.ok() ? 0 : flight_->budget();
}

Result<std::size_t> DealerLink::send(std::span<const Slice> slices) {
  if (!failure_.ok()) return failure(failure_);
  if (closed_) return fail(ECONNABORTED);
  bool refused = lost_;
  std::size_t sent = 0;
  if (!refused) {
    sent = flight_->cut(slices, [&](zmq::message_t message) {
      // Without marks, only a DEALER that has lost its connection can't send.
      refused = !try_send(socket_, message);
      return !refused;
    });
  }
  if (refused) {
    // The loss is told by receive(), behind what the peer sent before it; until then these bytes share its
    // fate.
    lost_ = true;
    bell_->ring();
    sent = 0;
    for (const Slice& slice : slices) sent += slice.bytes.size();
    return sent;
  }
  if (sent > 0 && has_input(socket_)) bell_->ring();
  return sent;
}

void DealerLink::look_at_events() {
  std::array<epoll_event, 3> ready{};
  const int count = epoll_wait(set_.get(), ready.data(), static_cast<int>(ready.size()), 0);
  for (int i = 0; i < count; ++i) {
    const std::uint32_t what = ready.at(static_cast<std::size_t>(i)).data.u32;
    if (what == kBell) bell_->clear();
    if (what != kEvents) continue;
    while (const auto event = monitor_->next()) {
      if (event->kind == ZMQ_EVENT_DISCONNECTED) lost_ = true;
    }
  }
}

std::size_t DealerLink::drain(Receiver& receiver, std::size_t limit) {
  std::size_t total = 0;
  zmq::message_t message;
  while (total < limit) {
    if (!try_receive(socket_, message)) return total;
    if (skip_parts(socket_, message) || message.empty()) continue;
    total += message.size();
    receiver.deliver({message.data<std::byte>(), message.size()});
  }
  return total;
}

Result<std::size_t> DealerLink::receive(Receiver& receiver, std::size_t limit) {
  if (!failure_.ok()) return failure(failure_);
  if (closed_) return fail(ECONNABORTED);
  // Events first: all that a connection received is in the socket before the event of its end is here.
  look_at_events();
  const std::size_t total = drain(receiver, limit);
  if (total == 0 && lost_) return fail(0);
  if (lost_ || (total >= limit && has_input(socket_))) bell_->ring();
  return total;
}

void DealerLink::shut() noexcept {
  if (closed_) return;
  closed_ = true;
  const bool connected = monitor_ && established_ && failure_.ok();
  if (connected) {
    while (const auto event = monitor_->next()) lost_ |= event->kind == ZMQ_EVENT_DISCONNECTED;
  }
  set_.reset();
  monitor_.reset();
  if (!connected || lost_) {
    socket_.close();
    return;
  }
  zmq::message_t empty;
  zmq::message_t padding = Flight::padding({});
  if (try_send(socket_, empty, true)) static_cast<void>(try_send(socket_, padding));
  close_gently(socket_);
}

}  // namespace leat::transport
