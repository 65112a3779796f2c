// Sockets as a floor needs them: "127.0.0.1:PORT" is TCP, a path a Unix socket.
#pragma once

#include <arpa/inet.h>
#include <cstdio>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <span>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace bench {

class Address {
 public:
  explicit Address(const std::string& text) {
    if (text.starts_with('/')) {
      local_.sun_family = AF_UNIX;
      text.copy(local_.sun_path, sizeof local_.sun_path - 1);
      return;
    }
    const auto colon = text.rfind(':');
    internet_.sin_family = AF_INET;
    internet_.sin_port = htons(static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1))));
    inet_pton(AF_INET, text.substr(0, colon).c_str(), &internet_.sin_addr);
  }
  [[nodiscard]] bool is_local() const noexcept { return local_.sun_family == AF_UNIX; }
  [[nodiscard]] const sockaddr* get() const noexcept {
    return is_local() ? reinterpret_cast<const sockaddr*>(&local_)
                      : reinterpret_cast<const sockaddr*>(&internet_);
  }
  [[nodiscard]] socklen_t size() const noexcept { return is_local() ? sizeof local_ : sizeof internet_; }
  [[nodiscard]] int family() const noexcept { return is_local() ? AF_UNIX : AF_INET; }

 private:
  sockaddr_un local_{};
  sockaddr_in internet_{};
};

inline void no_delay(int fd) noexcept {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // a Unix socket has no such option
}

/// A connected socket, or -1 having said why.
inline int connect_to(const std::string& text) {
  const Address address(text);
  const int fd = socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, address.get(), address.size()) != 0) {
    std::perror("connect");
    return -1;
  }
  no_delay(fd);
  return fd;
}

/// A listening socket, and in `text` where it is reached; or -1 having said why.
inline int listen_at(std::string& text) {
  const Address address(text);
  if (address.is_local()) unlink(text.c_str());
  const int fd = socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, address.get(), address.size()) != 0 || listen(fd, 128) != 0) {
    std::perror("listen");
    return -1;
  }
  if (!address.is_local()) {
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
    text = "127.0.0.1:" + std::to_string(ntohs(bound.sin_port));
  }
  return fd;
}

inline int accept_at(int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) no_delay(fd);
  return fd;
}

inline bool send_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

inline bool receive_all(int fd, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = recv(fd, bytes.data(), bytes.size(), 0);
    if (got <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

template <class T>
[[nodiscard]] std::span<std::byte> writable_bytes(T& value) noexcept {
  return std::as_writable_bytes(std::span(&value, 1));
}

}  // namespace bench
