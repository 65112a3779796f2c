// What the transports over sockets share below the protocol: descriptors that close themselves, connecting
// within a time limit, and listening sockets with their rules (loopback, addresses in use, stale Unix
// sockets).
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>

#include <leat/context.h>
#include <leat/status.h>

#include "transport/link/address.h"
#include "transport/link/link.h"

namespace leat::transport {

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Descriptor() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

/// The end of a time limit that starts now; a limit beyond the clock's range is no limit.
[[nodiscard]] TimePoint deadline_after(Duration limit) noexcept;

/// Waits with poll() until `fd` has one of `events`; 0 once it has, else ETIMEDOUT, or ECANCELED if
/// `limits.interrupted` said so. Signals do not end it.
int wait_until(int fd, short events, TimePoint deadline, const ConnectLimits& limits);

/// A connected, non-blocking stream socket, or the errno of why not. ETIMEDOUT at the deadline.
std::expected<Descriptor, int> connect_socket(const SocketAddress& address, TimePoint deadline,
                                              const ConnectLimits& limits);

/// As connect_socket over all addresses that "host:port" or (if `unix_path`) a path stands for: each gets its
/// share of the time that is left. Fails with a text for users.
Result<Descriptor> connect_stream(std::string_view scheme, std::string_view address, bool unix_path,
                                  const ConnectLimits& limits);

/// A listening socket; a Unix one's file goes with it.
class ListenSocket {
 public:
  ListenSocket() = default;
  ListenSocket(ListenSocket&& other) noexcept { swap(other); }
  ListenSocket& operator=(ListenSocket&& other) noexcept {
    ListenSocket(std::move(other)).swap(*this);
    return *this;
  }
  ~ListenSocket() { close(); }

  /// For "host:port" and for paths. kAlreadyExists, kPermissionDenied and so on as Transport::listen says.
  static Result<ListenSocket> open_tcp(std::string_view scheme, std::string_view address,
                                       const ListenLimits& limits);
  static Result<ListenSocket> open_unix(std::string_view scheme, std::string_view path,
                                        const ListenLimits& limits);

  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
  /// With port 0 resolved.
  [[nodiscard]] const std::string& url() const noexcept { return url_; }
  /// Hands the descriptor to somebody who closes it; the file is still ours, and removed by close().
  [[nodiscard]] Descriptor take_descriptor() noexcept { return std::move(socket_); }
  /// Idempotent. Removes the file if it is still the one that was made here, by this process.
  void close() noexcept;

 private:
  void swap(ListenSocket& other) noexcept;

  Descriptor socket_;
  Descriptor lock_;  // on the file beside path_
  std::string url_;
  std::string path_;  // empty unless this object has to remove it
  pid_t owner_ = 0;   // a forked child must not remove its parent's file
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace leat::transport
