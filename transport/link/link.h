// The contract between a connection and what carries its bytes.
//
// A link is an established connection between two peers: an ordered, reliable pipe of bytes each way that
// hold whole frames one after another. It is one lane of a session; a session with two has two links
// (docs/decisions/0002). The link does not know what a frame is, except that what it is given in one Slice
// run may be cut anywhere (byte-stream links) or arrives as it was cut (message links).
//
// Rules that every implementation keeps, and that conformance.h tests:
//  1. It never blocks, except in connect(), which takes a time limit.
//  2. It dies once. After send() or receive() has reported a failure every later call reports one too; there
//  is no
//     reconnection below a session.
//  3. What was accepted by send() before close() is delivered if the other side still reads (within reason:
//  `linger`).
//     The receiver sees all delivered bytes before it sees the loss.
//  4. It calls nobody back with a lock held, and never calls the receiver except from inside receive().
//  5. Threads: the calls on one link are serialised by its owner (the connection's mutex); different links,
//  and a link
//     beside its listener, may be used from different threads at the same time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <leat/bytes.h>
#include <leat/context.h>
#include <leat/status.h>

#include "core/base/slice.h"

namespace leat::transport {

using leat::Slice;

/// Where a link puts what it receives; implemented by the connection over its session.
class Receiver {
 public:
  virtual ~Receiver() = default;

  /// Where the next bytes should be read to: first the rest of the body that is being assembled
  /// (may be empty), then scratch memory for what follows (never empty). Byte-stream links read into both
  /// with one readv and then commit() the total. The spans are valid until the next call on the receiver.
  struct Space {
    std::span<std::byte> body;
    std::span<std::byte> scratch;
  };
  virtual Space prepare() = 0;
  /// `size` bytes were put into the spans that prepare() gave last.
  virtual void commit(std::size_t size) = 0;
  /// For links that already hold the bytes: whole frames, or any part of the byte stream. Copies what it
  /// keeps.
  virtual void deliver(Bytes bytes) = 0;
};

class Link {
 public:
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  virtual ~Link() = default;

  /// The scheme: "inproc", "tcp", "ipc", "zmq+tcp", "zmq+ipc". Shown to users as `peer.transport`.
  [[nodiscard]] virtual std::string_view scheme() const noexcept = 0;
  /// The other side's address for logs and errors: "tcp://127.0.0.1:40312".
  [[nodiscard]] virtual const std::string& remote() const noexcept = 0;

  /// What to wait on (poll, epoll; level-triggered as seen from outside). -1: there is nothing to wait on,
  /// the listener that made this link says when it is readable or writable (ListenerEvents::ready).
  [[nodiscard]] virtual int descriptor() const noexcept = 0;
  /// True while a send() was cut short and the descriptor's writability will tell of room, so that the owner
  /// waits for that too. Always false where readability tells it (descriptors that are never, or always,
  /// writable).
  [[nodiscard]] virtual bool wants_write() const noexcept = 0;
  /// To be asked right before waiting, under the owner's lock: true if there is something to receive, or room
  /// to send again, that the descriptor will not report (ZeroMQ's edge-triggered one). Then call
  /// receive()/send() first.
  [[nodiscard]] virtual bool pending() = 0;

  /// How many bytes the link would like to be given now, so that little is queued below the scheduler: bytes
  /// handed down that the kernel has not taken yet count against it. 0 until it becomes writable again.
  [[nodiscard]] virtual std::size_t send_budget() const noexcept = 0;
  /// Sends what it can of the slices, in order, and returns how many bytes it took (the caller offers the
  /// rest again, beginning exactly there). Fails with kUnavailable once the link is lost.
  virtual Result<std::size_t> send(std::span<const Slice> slices) = 0;

  /// Receives what is there, at most about `limit` bytes, into the receiver. Returns the number of bytes
  /// received; 0 if there was nothing. Fails with kUnavailable once the other side is gone and all it sent
  /// was delivered.
  virtual Result<std::size_t> receive(Receiver& receiver, std::size_t limit) = 0;

  /// Ends the link. What send() accepted is still delivered where that takes no waiting. Idempotent.
  virtual void close() noexcept = 0;
};

/// Receives what a listener has to say, from inside Listener::service().
class ListenerEvents {
 public:
  virtual ~ListenerEvents() = default;
  /// A new link; nothing was received on it yet (but it may be readable already).
  virtual void accepted(std::unique_ptr<Link> link) = 0;
  /// A link without a descriptor has something to receive, room to send again, or was lost. Where links are
  /// destroyed by other threads than the listener's, this one may be gone by now: then its address is a key
  /// to look up, no more.
  virtual void ready(Link& link) = 0;
  /// Somebody came and went, or was sent away, below the level where links are made: what knocked did not
  /// speak the transport's own protocol.
  virtual void refused(std::string_view /*remote*/) {}
};

class Listener {
 public:
  Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  /// Closes. Links that it accepted live on, except those without a descriptor, which are lost with it.
  virtual ~Listener() = default;

  /// The address that clients connect to, with port 0 resolved: "tcp://127.0.0.1:43210".
  [[nodiscard]] virtual const std::string& url() const noexcept = 0;
  [[nodiscard]] virtual int descriptor() const noexcept = 0;
  /// As Link::pending().
  [[nodiscard]] virtual bool pending() = 0;
  /// Accepts what waits, and serves the links without descriptors; does not block. A failure to accept (too
  /// many descriptors) is not the listener's end: it is retried at the next call.
  virtual void service(ListenerEvents& events) = 0;
  virtual void close() noexcept = 0;
};

/// A transport: the two ways to get a link. Stateless but for inproc's and ZeroMQ's shared context.
/// `address` is the part behind "scheme://": "127.0.0.1:5700", "/run/x.sock", "name".
struct ConnectLimits {
  Duration timeout = std::chrono::seconds(5);  ///< connect() gives up as kUnavailable naming URL and cause
  /// Asked every 100 ms while connect() waits, if set: true ends it as kCancelled (Python asks for Ctrl-C
  /// here).
  std::function<bool()> interrupted = {};
};
struct ListenLimits {
  bool insecure = false;  ///< allows addresses beyond loopback without keys
  int backlog = 512;      ///< connections the kernel holds before accept
};
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;
  [[nodiscard]] virtual std::string_view scheme() const noexcept = 0;
  /// Blocks up to the time limit. kInvalidArgument for an address it can't read, kUnavailable for one it
  /// can't reach.
  virtual Result<std::unique_ptr<Link>> connect(std::string_view address, const ConnectLimits& limits) = 0;
  /// kInvalidArgument for an address it can't read; kPermissionDenied for one beyond loopback without
  /// `insecure`, saying both ways out; kAlreadyExists for one in use; kUnavailable for one that this host
  /// doesn't have.
  virtual Result<std::unique_ptr<Listener>> listen(std::string_view address, const ListenLimits& limits) = 0;
};

}  // namespace leat::transport
