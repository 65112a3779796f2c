#include "transport/zmq/router.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <utility>

#include "transport/link/address.h"
#include "transport/zmq/router_link.h"

namespace leat::transport {
namespace {

// What one turn reads at most, so that accepting and answering are not held up by a flood.
constexpr std::size_t kMessagesPerTurn = 1024;
constexpr std::size_t kBytesPerTurn = 4 << 20;

// A peer that was told of the end has this long to leave by itself.
constexpr auto kLeaveLimit = std::chrono::seconds(1);

constexpr auto kUnbindLimit = std::chrono::milliseconds(200);

enum Ready : std::uint32_t { kMessages = 1, kEvents = 2, kBell = 3, kTimer = 4 };

bool watch(int set, int fd, Ready what) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = what;
  return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

/// One incarnation of a descriptor. `duplicate` is ours: with it the connection can be shut down at any time,
/// while the number may be somebody else's by now. Empty if there were no descriptors left.
struct Router::Connection {
  Descriptor duplicate;
  bool may_have_spoken = false;  // a handshake was completed while it was open, perhaps its own
  bool ended = false;
  bool met = false;  // it had a peer once
  std::weak_ptr<Peer> peer;

  void shut(int how) const noexcept {
    if (duplicate) shutdown(duplicate.get(), how);
  }
};

Status Router::open(ListenSocket socket) {
  url_ = socket.url();
  auto bell = Bell::make();
  if (!bell) return listen_failure(url_, bell.error());
  bell_ = std::move(*bell);
  socket_ = make_socket(*context_, zmq::socket_type::router);
  monitor_ = std::make_unique<Monitor>(*context_, socket_);
  set_.reset(epoll_create1(EPOLL_CLOEXEC));
  timer_.reset(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!set_ || !timer_ || !watch(set_.get(), socket_.get(zmq::sockopt::fd), kMessages) ||
      !watch(set_.get(), monitor_->descriptor(), kEvents) || !watch(set_.get(), bell_->descriptor(), kBell) ||
      !watch(set_.get(), timer_.get(), kTimer)) {
    return listen_failure(url_, errno);
  }
  // Our own listening socket, since ZeroMQ would take a path away from a live server, and to have one set of
  // errors.
  const std::string address = url_.substr(std::string_view("zmq+").size());
  listening_ = std::move(socket);
  Descriptor descriptor = listening_.take_descriptor();
  const int fd = descriptor.get();
  zmq_setsockopt(socket_.handle(), ZMQ_USE_FD, &fd, sizeof fd);
  socket_.bind(address);
  static_cast<void>(descriptor.release());  // ZeroMQ closes it
  return {};
}

void Router::service(ListenerEvents& events) {
  std::vector<std::unique_ptr<Link>> accepted;
  std::vector<Link*> ready;
  std::vector<std::string> refused;
  {
    const std::lock_guard lock(mutex_);
    if (!socket_) return;
    look_at_bell_and_timer();
    read_events();
    if (read_messages(accepted)) {
      end_connections();
    } else {
      bell_->ring();
    }
    find_ready();
    ready.swap(ready_);
    refused.swap(refused_);
  }
  for (std::unique_ptr<Link>& link : accepted) events.accepted(std::move(link));
  for (Link* link : ready) events.ready(*link);
  for (const std::string& remote : refused) events.refused(remote);
}

void Router::look_at_bell_and_timer() {
  std::array<epoll_event, 4> ready{};
  const int count = epoll_wait(set_.get(), ready.data(), static_cast<int>(ready.size()), 0);
  for (int i = 0; i < count; ++i) {
    const std::uint32_t what = ready.at(static_cast<std::size_t>(i)).data.u32;
    if (what == kBell) bell_->clear();
    if (what != kTimer) continue;
    const TimePoint now = std::chrono::steady_clock::now();
    while (!closing_.empty() && closing_.front().first <= now) {
      if (const auto connection = closing_.front().second.lock()) connection->shut(SHUT_RDWR);
      closing_.pop_front();
    }
    set_timer();
  }
}

/// Setting it also takes back an expiry that was not read.
void Router::set_timer() noexcept {
  itimerspec when{};
  if (!closing_.empty()) when.it_value.tv_sec = kLeaveLimit.count();
  timerfd_settime(timer_.get(), 0, &when, nullptr);
}

void Router::read_events() {
  while (const auto event = monitor_->next()) {
    if (event->kind == ZMQ_EVENT_ACCEPTED) {
      auto connection = std::make_shared<Connection>();
      // Should the number be another's by now, DISCONNECTED is already in the queue, and nobody will use
      // this.
      connection->duplicate.reset(fcntl(event->value, F_DUPFD_CLOEXEC, 0));
      connections_.emplace(event->value, std::move(connection));
    } else if (event->kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
      // The event does not say whose handshake it was.
      for (const auto& [fd, connection] : connections_) connection->may_have_spoken |= !connection->ended;
    } else if (event->kind == ZMQ_EVENT_DISCONNECTED) {
      const auto [first, last] = connections_.equal_range(event->value);
      const auto open = std::find_if(first, last, [](const auto& entry) { return !entry.second->ended; });
      if (open == last) continue;
      open->second->ended = true;
      if (open->second->may_have_spoken) continue;
      refused_.push_back(remote_of(*open->second));
      connections_.erase(open);
    }
  }
}

bool Router::read_messages(std::vector<std::unique_ptr<Link>>& accepted) {
  zmq::message_t id;
  zmq::message_t message;
  std::size_t bytes = 0;
  for (std::size_t count = 0; count < kMessagesPerTurn && bytes < kBytesPerTurn; ++count) {
    if (!try_receive(socket_, id)) return true;
    if (!id.more() || !try_receive(socket_, message)) continue;
    const bool padding = skip_parts(socket_, message);
    const std::string_view name(id.data<char>(), id.size());
    auto found = peers_.find(name);
    if (found == peers_.end()) {
      auto link = meet(std::string(name), zmq_msg_get(id.handle(), ZMQ_SRCFD));
      if (!link) continue;
      accepted.push_back(std::move(link));
      found = peers_.find(name);
    }
    Peer& peer = *found->second;
    if (padding || message.empty() || peer.closed) continue;
    bytes += message.size();
    peer.inbox.push_back(std::move(message));
    if (peer.inbox.size() == 1) ready_.push_back(peer.link);
  }
  return false;
}

std::shared_ptr<Router::Connection> Router::connection_of_new_peer(int fd) {
  read_events();
  std::shared_ptr<Connection> chosen;
  const auto [first, last] = connections_.equal_range(fd);
  for (auto at = first; at != last; ++at) {
    Connection& candidate = *at->second;
    if (!candidate.may_have_spoken || candidate.met) continue;
    if (!chosen) {
      chosen = at->second;
    } else {
      // Within one turn a connection with this number ended and another began, and the message may be of
      // either. Give it to the first, and end the second too: a client that connects anew is better than one
      // that waits for ever.
      candidate.shut(SHUT_RDWR);
    }
  }
  return chosen;
}

std::string Router::remote_of(const Connection& connection) const {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (connection.duplicate &&
      getpeername(connection.duplicate.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0 &&
      name.ss_family != AF_UNIX) {
    return make_url(scheme_, SocketAddress(reinterpret_cast<const sockaddr*>(&name), size).text());
  }
  return url_;
}

std::unique_ptr<Link> Router::meet(const std::string& id, int fd) {
  const std::shared_ptr<Connection> connection = connection_of_new_peer(fd);
  if (!connection) return nullptr;
  auto peer = std::make_shared<Peer>();
  peer->id = id;
  peer->connection = connection;
  peer->flight = std::make_shared<Flight>(bell_);
  connection->peer = peer;
  connection->met = true;
  auto link = std::make_unique<RouterLink>(shared_from_this(), peer, remote_of(*connection));
  peer->link = link.get();
  peers_.emplace(id, std::move(peer));
  return link;
}

/// Connections whose end the monitor told, now that all they received is in the inboxes.
void Router::end_connections() {
  for (auto at = connections_.begin(); at != connections_.end();) {
    if (!at->second->ended) {
      ++at;
      continue;
    }
    if (const std::shared_ptr<Peer> peer = at->second->peer.lock()) {
      peer->lost = true;
      peer->connection.reset();
      if (peer->link != nullptr) ready_.push_back(peer->link);
      peers_.erase(peer->id);
    }
    if (!at->second->met) refused_.push_back(remote_of(*at->second));
    at = connections_.erase(at);
  }
}

void Router::find_ready() {
  for (const auto& [id, peer] : peers_) {
    if (peer->flight->take_room() && peer->link != nullptr) ready_.push_back(peer->link);
  }
  for (const std::shared_ptr<Peer>& peer : std::exchange(again_, {})) {
    if (peer->link != nullptr) ready_.push_back(peer->link);
  }
  std::ranges::sort(ready_);
  const auto twice = std::ranges::unique(ready_);
  ready_.erase(twice.begin(), twice.end());
}

Result<std::size_t> Router::send(Peer& peer, std::span<const Slice> slices) {
  const std::lock_guard lock(mutex_);
  if (peer.closed) return peer.fail(ECONNABORTED);
  if (!peer.failure.ok()) return failure(peer.failure);
  if (peer.lost && peer.inbox.empty()) return peer.fail(0);
  bool refused = peer.lost;
  std::size_t sent = 0;
  if (!refused) {
    sent = peer.flight->cut(slices, [&](zmq::message_t message) {
      zmq::message_t id(peer.id.data(), peer.id.size());
      refused = !try_send(socket_, id, true) || !try_send(socket_, message);
      return !refused;
    });
  }
  if (refused) {
    // The monitor will tell of the loss, behind what the peer sent before it; until then these bytes share
    // its fate.
    sent = 0;
    for (const Slice& slice : slices) sent += slice.bytes.size();
    return sent;
  }
  if (sent > 0 && has_input(socket_)) bell_->ring();
  return sent;
}

Result<std::size_t> Router::receive(const std::shared_ptr<Peer>& peer, Receiver& receiver,
                                    std::size_t limit) {
  std::vector<zmq::message_t> taken;
  std::size_t total = 0;
  {
    const std::lock_guard lock(mutex_);
    if (peer->closed) return peer->fail(ECONNABORTED);
    if (!peer->failure.ok()) return failure(peer->failure);
    while (!peer->inbox.empty() && total < limit) {
      total += peer->inbox.front().size();
      taken.push_back(std::move(peer->inbox.front()));
      peer->inbox.pop_front();
    }
    if (total == 0 && peer->lost) return peer->fail(0);
    if (!peer->inbox.empty() || peer->lost) {
      again_.push_back(peer);
      bell_->ring();
    }
  }
  for (const zmq::message_t& message : taken) {
    receiver.deliver({message.data<std::byte>(), message.size()});
  }
  return total;
}

std::size_t Router::budget(Peer& peer) noexcept {
  const std::lock_guard lock(mutex_);
  return peer.closed || peer.lost || !peer.failure.ok() ? 0 : peer.flight->budget();
}

void Router::close_locked(Peer& peer) noexcept {
  if (peer.closed) return;
  peer.closed = true;
  peer.inbox.clear();
  const std::shared_ptr<Connection> connection = std::exchange(peer.connection, nullptr);
  if (!connection || !socket_) return;
  // Once all before the padding is in the kernel, the peer is told of the end. It leaves then, which ends the
  // connection here; one that stays is cut off.
  zmq::message_t padding = Flight::padding([connection] { connection->shut(SHUT_WR); });
  zmq::message_t id(peer.id.data(), peer.id.size());
  zmq::message_t empty;
  if (try_send(socket_, id, true) && try_send(socket_, empty, true))
    static_cast<void>(try_send(socket_, padding));
  closing_.emplace_back(TimePoint(std::chrono::steady_clock::now()) + kLeaveLimit, connection);
  if (closing_.size() == 1) set_timer();
  if (has_input(socket_)) bell_->ring();
}

void Router::close(Peer& peer) noexcept {
  const std::lock_guard lock(mutex_);
  close_locked(peer);
}

void Router::forget(Peer& peer) noexcept {
  const std::lock_guard lock(mutex_);
  close_locked(peer);
  std::erase(ready_, peer.link);
  peer.link = nullptr;
}

void Router::close() noexcept {
  const std::lock_guard lock(mutex_);
  if (!socket_) return;
  for (const auto& [id, peer] : peers_) {
    if (peer->closed) continue;
    close_locked(*peer);
    // Not closed by its owner, who is to be told.
    peer->closed = false;
    peer->lost = true;
  }
  // ZeroMQ closes in the background; wait until it no longer listens, so that nobody connects to a listener
  // that is gone and the address can be used again. That takes its thread a moment.
  listening_.close();
  const int linger = kZmqLingerMs;
  zmq_setsockopt(socket_.handle(), ZMQ_LINGER, &linger, sizeof linger);
  std::array<char, 256> endpoint{};
  std::size_t size = endpoint.size();
  if (zmq_getsockopt(socket_.handle(), ZMQ_LAST_ENDPOINT, endpoint.data(), &size) == 0 &&
      zmq_unbind(socket_.handle(), endpoint.data()) == 0) {
    monitor_->wait_for(ZMQ_EVENT_CLOSED, kUnbindLimit);
  }
  monitor_.reset();
  set_.reset();
  close_gently(socket_);
  peers_.clear();
  connections_.clear();
  closing_.clear();
  again_.clear();
}

}  // namespace leat::transport
