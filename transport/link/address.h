// Addresses as users write them, and what to tell them when one does not work. Shared by every transport over
// sockets, so that tcp:// and zmq+tcp:// read the same addresses and fail with the same words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <vector>

#include <leat/context.h>
#include <leat/status.h>

namespace leat::transport {

/// What an address is for: port 0 and wildcards make sense for listening only.
enum class Use : std::uint8_t { kConnect, kListen };

struct Url {
  std::string_view scheme;   ///< "tcp"
  std::string_view address;  ///< "127.0.0.1:5700"
};
/// Splits "scheme://address"; kInvalidArgument, naming the schemes' form, if there is no "://".
Result<Url> split_url(std::string_view url);
[[nodiscard]] std::string make_url(std::string_view scheme, std::string_view address);

struct HostPort {
  std::string host;  ///< without brackets: "127.0.0.1", "::1", "localhost", "*"
  std::uint16_t port = 0;
};
/// Reads "host:port" with IPv6 literals in brackets.
Result<HostPort> parse_host_port(std::string_view scheme, std::string_view address, Use use);

/// An address as the kernel takes it.
class SocketAddress {
 public:
  SocketAddress() = default;
  SocketAddress(const sockaddr* address, socklen_t size) noexcept;

  [[nodiscard]] const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const noexcept { return size_; }
  [[nodiscard]] int family() const noexcept { return storage_.ss_family; }
  [[nodiscard]] std::uint16_t port() const noexcept;
  /// True for 127.0.0.0/8, ::1, their mapped forms, and Unix sockets: nobody outside this host reaches them.
  [[nodiscard]] bool is_loopback() const noexcept;
  /// "127.0.0.1:5700", "[::1]:5700", or a path.
  [[nodiscard]] std::string text() const;

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

/// All addresses that "host:port" stands for, best first. Asks the resolver for names, which may block for as
/// long as the resolver's own limits (/etc/resolv.conf) allow; literals and "*" never do. For listening, IPv4
/// comes first, so that "localhost" is where clients of "127.0.0.1" look for it; "*" is every interface, IPv6
/// included where there is.
Result<std::vector<SocketAddress>> resolve(std::string_view scheme, std::string_view address, Use use);

/// The Unix socket at `path`; kInvalidArgument if the kernel can't take such a path.
Result<SocketAddress> unix_address(std::string_view scheme, std::string_view path);

/// The failures that users meet, each with its cause and the way out. `error` is an errno.
[[nodiscard]] Status connect_failure(std::string_view url, int error);
[[nodiscard]] Status connect_timeout(std::string_view url, Duration limit);
[[nodiscard]] Status listen_failure(std::string_view url, int error);
[[nodiscard]] Status beyond_loopback(std::string_view url);
/// The loss of an established link; `error` 0 is an orderly end by the other side. Does not name the URL:
/// whoever holds the link knows which one its user calls it by.
[[nodiscard]] Status lost(int error);

}  // namespace leat::transport
