#include "transport/link/address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <system_error>

namespace leat::transport {
namespace {

std::unexpected<Status> unreadable(std::string_view scheme, std::string_view address, std::string_view why) {
  std::string text = make_url(scheme, address);
  text.append(": ").append(why).append("; the form is ").append(scheme).append("://host:port, for instance ");
  text.append(scheme).append("://127.0.0.1:5700 or ").append(scheme).append("://[::1]:5700");
  return failure(Code::kInvalidArgument, std::move(text));
}

SocketAddress wildcard_ipv4(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

SocketAddress wildcard_ipv6(std::uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

}  // namespace

std::string make_url(std::string_view scheme, std::string_view address) {
  std::string url(scheme);
  url.append("://").append(address);
  return url;
}

Result<Url> split_url(std::string_view url) {
  const std::size_t end = url.find("://");
  if (end == std::string_view::npos || end == 0) {
    return failure(Code::kInvalidArgument,
                   "\"" + std::string(url) +
                       "\" is not a URL of the form scheme://address; examples are "
                       "tcp://127.0.0.1:5700, ipc:///run/camera.sock, inproc://camera");
  }
  return Url{url.substr(0, end), url.substr(end + 3)};
}

Result<HostPort> parse_host_port(std::string_view scheme, std::string_view address, Use use) {
  HostPort result;
  std::string_view port;
  if (address.starts_with('[')) {
    const std::size_t end = address.find("]:");
    if (end == std::string_view::npos)
      return unreadable(scheme, address, "there is no \"]:port\" at the end");
    result.host = address.substr(1, end - 1);
    port = address.substr(end + 2);
  } else {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string_view::npos) return unreadable(scheme, address, "the port is missing");
    result.host = address.substr(0, colon);
    port = address.substr(colon + 1);
    if (result.host.find(':') != std::string::npos) {
      return unreadable(scheme, address, "an IPv6 address stands in brackets");
    }
  }
  if (result.host.empty()) return unreadable(scheme, address, "the host is missing");
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), result.port);
  if (port.empty() || parsed.ec != std::errc() || parsed.ptr != port.data() + port.size()) {
    return unreadable(scheme, address,
                      "the port \"" + std::string(port) + "\" is not a number from 0 to 65535");
  }
  if (use == Use::kConnect && result.port == 0)
    return unreadable(scheme, address, "port 0 is for listening only");
  if (use == Use::kConnect && result.host == "*")
    return unreadable(scheme, address, "\"*\" is for listening only");
  return result;
}

SocketAddress::SocketAddress(const sockaddr* address, socklen_t size) noexcept
    : size_(std::min(size, socklen_t{sizeof storage_})) {
  std::memcpy(&storage_, address, size_);
}

std::uint16_t SocketAddress::port() const noexcept {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
  return 0;
}

bool SocketAddress::is_loopback() const noexcept {
  if (family() == AF_UNIX) return true;
  if (family() == AF_INET) {
    return (ntohl(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr.s_addr) >> 24) == 127;
  }
  if (family() != AF_INET6) return false;
  const in6_addr& host = reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&host)) return host.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&host);
}

std::string SocketAddress::text() const {
  if (family() == AF_UNIX) {
    const auto* address = reinterpret_cast<const sockaddr_un*>(&storage_);
    const std::size_t most =
        size_ > offsetof(sockaddr_un, sun_path) ? size_ - offsetof(sockaddr_un, sun_path) : 0;
    return {address->sun_path, strnlen(address->sun_path, most)};
  }
  char host[NI_MAXHOST] = "?";
  char service[NI_MAXSERV] = "?";
  getnameinfo(data(), size_, host, sizeof host, service, sizeof service, NI_NUMERICHOST | NI_NUMERICSERV);
  std::string text(host);
  if (family() == AF_INET6) text.insert(0, "[").append("]");
  return text.append(":").append(service);
}

Result<std::vector<SocketAddress>> resolve(std::string_view scheme, std::string_view address, Use use) {
  auto parsed = parse_host_port(scheme, address, use);
  if (!parsed) return failure(std::move(parsed.error()));
  std::vector<SocketAddress> found;
  if (parsed->host == "*") {
    found.push_back(wildcard_ipv6(parsed->port));
    found.push_back(wildcard_ipv4(parsed->port));
    return found;
  }
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST;
  const std::string port = std::to_string(parsed->port);
  addrinfo* list = nullptr;
  int error = getaddrinfo(parsed->host.c_str(), port.c_str(), &hints, &list);
  if (error == EAI_NONAME) {
    hints.ai_flags = AI_NUMERICSERV;  // a name: now the resolver may be asked
    error = getaddrinfo(parsed->host.c_str(), port.c_str(), &hints, &list);
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, [](addrinfo* head) {
    if (head != nullptr) freeaddrinfo(head);
  });
  if (error != 0) {
    return failure(Code::kUnavailable, make_url(scheme, address) + ": the host name \"" + parsed->host +
                                           "\" can't be resolved (" + gai_strerror(error) +
                                           "); check its spelling and the name server");
  }
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    const SocketAddress one(entry->ai_addr, entry->ai_addrlen);
    const bool first = use == Use::kListen && one.family() == AF_INET;
    found.insert(first ? found.begin() : found.end(), one);
  }
  return found;
}

Result<SocketAddress> unix_address(std::string_view scheme, std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string url = make_url(scheme, path);
  if (path.empty() || path.find('\0') != std::string_view::npos || path.starts_with('@')) {
    return failure(Code::kInvalidArgument, url + ": a path in the file system is needed, for instance " +
                                               make_url(scheme, "/run/camera.sock"));
  }
  if (path.size() >= sizeof address.sun_path) {
    return failure(Code::kInvalidArgument, url + ": the path has " + std::to_string(path.size()) +
                                               " bytes, and the system takes at most " +
                                               std::to_string(sizeof address.sun_path - 1) +
                                               "; choose a shorter one, for instance below /tmp or /run");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return SocketAddress(reinterpret_cast<const sockaddr*>(&address),
                       static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1));
}

namespace {
std::string explain(std::string_view url, int error) {
  return std::string(url) + ": " + std::generic_category().message(error);
}
}  // namespace

Status connect_failure(std::string_view url, int error) {
  std::string text(url);
  switch (error) {
    case ECONNREFUSED:
      return {Code::kUnavailable,
              text + ": connection refused, nothing listens there: is the server running?"};
    case ENOENT:
      return {Code::kUnavailable,
              text + ": there is no such socket, nothing listens there: is the server running?"};
    case EHOSTUNREACH:
    case ENETUNREACH:
      return {Code::kUnavailable, explain(url, error) + "; check the address and the network"};
    case EACCES:
    case EPERM:
      return {Code::kUnavailable, explain(url, error) + "; check the socket's permissions and the firewall"};
    case EMFILE:
    case ENFILE:
      return {Code::kUnavailable, explain(url, error) + "; close some, or raise the limit (ulimit -n)"};
    default: return {Code::kUnavailable, explain(url, error)};
  }
}

Status connect_timeout(std::string_view url, Duration limit) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
  return {Code::kUnavailable, std::string(url) + ": connecting timed out after " +
                                  std::to_string(milliseconds) +
                                  " ms; check the address, and that no firewall drops the packets"};
}

Status listen_failure(std::string_view url, int error) {
  switch (error) {
    case EADDRINUSE:
      return {
          Code::kAlreadyExists,
          std::string(url) + ": the address is in use by another server; stop it, or choose another address"};
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return {Code::kUnavailable,
              std::string(url) + ": this host has no such address; listen on one that it has"};
    case EACCES:
    case EPERM:
    case EROFS:
      return {Code::kPermissionDenied,
              explain(url, error) +
                  "; ports below 1024 need privileges, and a path needs a directory that may "
                  "be written to"};
    case ENOENT:
    case ENOTDIR:
      return {Code::kUnavailable, std::string(url) + ": the directory does not exist; create it first"};
    default: return {Code::kUnavailable, explain(url, error)};
  }
}

Status beyond_loopback(std::string_view url) {
  return {
      Code::kPermissionDenied,
      std::string(url) +
          ": this address can be reached from other hosts, and without keys anyone there may call; pass "
          "insecure=True (C++: ServerOptions::insecure) if that is meant, or listen on 127.0.0.1 or ipc://"};
}

Status lost(int error) {
  if (error == 0) return {Code::kUnavailable, "connection closed by the peer"};
  return {Code::kUnavailable, "connection lost (" + std::generic_category().message(error) + ")"};
}

}  // namespace leat::transport
