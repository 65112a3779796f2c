// The floor under everything over a socket: blocking send() and recv() and nothing else, over TCP or a Unix
// socket. A thread for each connection.
#include "floors/socket.h"

#include <algorithm>

#include "round.h"

namespace {

using bench::Options;

// What reads bulk fastest here: a warm buffer that stays in the cache.
constexpr std::size_t kPiece = 256U << 10U;

void spoil(const Options& options, std::atomic<std::int64_t>& answers, std::span<std::byte> answer) {
  if (options.wrong >= 0 && answers++ == options.wrong) answer.front() ^= std::byte{1};
}

/// An array in pieces; the receipt for it.
bool receive_array(int fd, std::size_t size, std::span<std::byte> piece, bench::Receipt& receipt) {
  for (std::size_t from = 0; from < size;) {
    const std::span<std::byte> part = piece.first(std::min(piece.size(), size - from));
    if (!bench::receive_all(fd, part)) return false;
    if (from == 0) std::memcpy(&receipt.number, part.data(), sizeof receipt.number);
    if (!bench::stamped(part, receipt.number, from)) return false;
    from += part.size();
  }
  receipt.size = size;
  return true;
}

void answer(int fd, const Options& options, std::atomic<std::int64_t>& answers) {
  if (options.work == "put") {
    std::vector<std::byte> piece(kPiece);
    for (bench::Receipt receipt; receive_array(fd, options.size, piece, receipt);) {
      spoil(options, answers, bench::writable_bytes(receipt));
      if (!bench::send_all(fd, bench::writable_bytes(receipt))) break;
    }
  } else {
    std::vector<std::byte> bytes(options.size);
    while (bench::receive_all(fd, bytes)) {
      spoil(options, answers, bytes);
      if (!bench::send_all(fd, bytes)) break;
    }
  }
  close(fd);
}

int serve(const Options& options) {
  std::string address = options.address;
  const int listener = bench::listen_at(address);
  if (listener < 0) return 1;
  bench::announce(address);
  std::atomic<std::int64_t> answers{0};
  for (;;) {
    const int fd = bench::accept_at(listener);
    if (fd < 0) return 1;
    std::thread([fd, &options, &answers] { answer(fd, options, answers); }).detach();
  }
}

/// A connection that calls: bytes there and back.
class Caller {
 public:
  explicit Caller(const Options& options) : fd_(bench::connect_to(options.address)), answer_(options.size) {}
  Caller(Caller&& other) noexcept : fd_(std::exchange(other.fd_, -1)), answer_(std::move(other.answer_)) {}
  Caller& operator=(Caller&&) = delete;
  ~Caller() { close(fd_); }
  std::span<const std::byte> operator()(std::span<const std::byte> request) {
    if (!bench::send_all(fd_, request) || !bench::receive_all(fd_, answer_)) return {};
    return answer_;
  }

 private:
  int fd_;
  std::vector<std::byte> answer_;
};

int arrays(const Options& options) {
  const bool back = options.work == "echo";
  const int fd = bench::connect_to(options.address);
  std::vector<std::byte> array(options.size);
  std::vector<std::byte> returned(back ? options.size : 0);
  return bench::measure(
      options,
      [&](std::uint64_t number) {
        bench::stamp(array, number);
        if (!bench::send_all(fd, array)) return false;
        if (back) return bench::receive_all(fd, returned) && bench::stamped(returned, number);
        bench::Receipt receipt;
        return bench::receive_all(fd, bench::writable_bytes(receipt)) &&
               receipt == bench::Receipt{.number = number, .size = options.size};
      },
      options.size * (back ? 2 : 1));
}

int run_client(const Options& options) {
  if (options.work == "put" || options.work == "echo") return arrays(options);
  if (options.work == "threads") {
    return bench::measure_threads(options, [&](std::size_t /*thread*/) { return Caller(options); });
  }
  bench::Pattern pattern(options.size);
  if (options.work == "connect") {
    return bench::measure(options, [&](std::uint64_t number) {
      Caller caller(options);
      return pattern.matches(caller(pattern.request(number)));
    });
  }
  if (options.work != "unary") return bench::no_such_work(options);
  Caller caller(options);
  return bench::measure(
      options, [&](std::uint64_t number) { return pattern.matches(caller(pattern.request(number))); });
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = bench::parse(argc, argv, "Work over a bare socket", "127.0.0.1:0");
  return options.server ? serve(options) : run_client(options);
}
