// The floor under every call over TCP: the same bytes there and back, with blocking send() and recv() and
// nothing else.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "round.h"

namespace {

using bench::Options;

int fail(const char* what) {
  std::perror(what);
  return 1;
}

sockaddr_in to_address(const std::string& text) {
  const auto colon = text.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1))));
  inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr);
  return address;
}

void no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool send_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

bool receive_all(int fd, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = recv(fd, bytes.data(), bytes.size(), 0);
    if (got <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

int serve(const Options& options) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = to_address(options.address);
  socklen_t length = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(listener, 16) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return fail("listen");
  }
  bench::announce("127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  std::vector<std::byte> bytes(options.size);
  for (std::int64_t answers = 0;;) {
    const int fd = accept(listener, nullptr, nullptr);
    if (fd < 0) return fail("accept");
    no_delay(fd);
    while (receive_all(fd, bytes)) {
      if (answers++ == options.wrong) bytes.back() ^= std::byte{1};
      if (!send_all(fd, bytes)) break;
    }
    close(fd);
  }
}

int run_client(const Options& options) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = to_address(options.address);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return fail("connect");
  no_delay(fd);
  bench::Pattern pattern(options.size);
  std::vector<std::byte> answer(options.size);
  return bench::measure(options, [&](std::uint64_t number) {
    return send_all(fd, pattern.request(number)) && receive_all(fd, answer) && pattern.matches(answer);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = bench::parse(argc, argv, "Raw TCP ping-pong", "127.0.0.1:0");
  return options.server ? serve(options) : run_client(options);
}
