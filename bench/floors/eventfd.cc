// The floor under calls through shared memory that wait: 64 B in a page that both map, and an eventfd each
// way to wake the other. The server hands its descriptors over a Unix socket.
#include <array>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "floors/socket.h"
#include "round.h"

namespace {

using bench::Options;

constexpr std::size_t kPage = 4096;

struct Channel {
  int memory = -1;
  int to_server = -1;
  int to_client = -1;
  std::byte* page = nullptr;

  bool map() {
    void* at = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (at == MAP_FAILED) return false;
    page = static_cast<std::byte*>(at);
    return true;
  }
};

bool ring(int fd) {
  const std::uint64_t one = 1;
  return write(fd, &one, sizeof one) == sizeof one;
}
bool wait(int fd) {
  std::uint64_t count = 0;
  return read(fd, &count, sizeof count) == sizeof count;
}

/// One byte, and with it the channel's three descriptors.
bool pass(int fd, Channel& channel, bool send) {
  std::array<int, 3> descriptors = {channel.memory, channel.to_server, channel.to_client};
  std::byte byte{};
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof descriptors)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (send) {
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptors);
    std::memcpy(CMSG_DATA(header), descriptors.data(), sizeof descriptors);
    return sendmsg(fd, &message, 0) == 1;
  }
  if (recvmsg(fd, &message, 0) != 1 || header->cmsg_type != SCM_RIGHTS) return false;
  std::memcpy(descriptors.data(), CMSG_DATA(header), sizeof descriptors);
  channel = {descriptors[0], descriptors[1], descriptors[2]};
  return channel.map();
}

/// The answer stands in the second half of the page.
void answer(int fd, const Options& options) {
  Channel channel{memfd_create("bench", MFD_CLOEXEC), eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC)};
  if (ftruncate(channel.memory, kPage) != 0 || !channel.map() || !pass(fd, channel, true)) return;
  for (std::int64_t answers = 0; wait(channel.to_server);) {
    std::memcpy(channel.page + kPage / 2, channel.page, options.size);
    if (answers++ == options.wrong) channel.page[kPage / 2] ^= std::byte{1};
    if (!ring(channel.to_client)) return;
  }
}

int serve(const Options& options) {
  std::string address = options.address;
  const int listener = bench::listen_at(address);
  if (listener < 0) return 1;
  bench::announce(address);
  for (;;) {
    const int fd = bench::accept_at(listener);
    if (fd < 0) return 1;
    // The descriptors live on until the process ends: a client a round.
    std::thread([fd, &options] { answer(fd, options); }).detach();
  }
}

int run_client(const Options& options) {
  Channel channel;
  const int fd = bench::connect_to(options.address);
  if (options.size > kPage / 2 || !pass(fd, channel, false)) return 1;
  bench::Pattern pattern(options.size);
  return bench::measure(options, [&](std::uint64_t number) {
    const std::span<const std::byte> request = pattern.request(number);
    std::memcpy(channel.page, request.data(), request.size());
    return ring(channel.to_server) && wait(channel.to_client) &&
           pattern.matches({channel.page + kPage / 2, request.size()});
  });
}

}  // namespace

int main(int argc, char** argv) {
  const Options options =
      bench::parse(argc, argv, "Ping-pong through shared memory and eventfd", "/tmp/bench");
  return options.server ? serve(options) : run_client(options);
}
