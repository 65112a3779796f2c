// Raw ZeroMQ, DEALER to ROUTER: one message a call. What it does without a protocol above it is what Leat
// over ZeroMQ is measured by, and what its users have now.
#include <algorithm>

#include <zmq.hpp>

#include "round.h"

namespace {

using bench::Options;

zmq::message_t message_of(std::span<const std::byte> bytes) { return {bytes.data(), bytes.size()}; }
std::span<const std::byte> bytes_of(const zmq::message_t& message) {
  return {message.data<std::byte>(), message.size()};
}

/// Items that one message asks for: enough that asking costs nothing, and no queue grows without bound.
std::uint64_t grant(std::size_t size) { return std::clamp<std::uint64_t>((4U << 20U) / size, 16, 1000); }

/// Answers one such message, which holds the number of the first item.
void source(zmq::socket_t& socket, const zmq::message_t& peer, bench::Pattern& pattern,
            const zmq::message_t& asked, std::uint64_t count) {
  std::uint64_t number = 0;
  std::memcpy(&number, asked.data(), sizeof number);
  for (const std::uint64_t end = number + count; number < end; ++number) {
    socket.send(message_of(bytes_of(peer)), zmq::send_flags::sndmore);
    socket.send(message_of(pattern.request(number)), zmq::send_flags::none);
  }
}

bench::Receipt receipt_for(std::span<const std::byte> array) {
  bench::Receipt receipt{.number = 0, .size = array.size()};
  std::memcpy(&receipt.number, array.data(), sizeof receipt.number);
  return bench::stamped(array, receipt.number) ? receipt : bench::Receipt{};
}

int serve(const Options& options) {
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::router);
  socket.set(zmq::sockopt::sndhwm, 0);
  socket.set(zmq::sockopt::rcvhwm, 0);
  socket.bind(options.address);
  bench::announce(socket.get(zmq::sockopt::last_endpoint));
  bench::Pattern pattern(options.size);
  for (std::int64_t answers = 0;; ++answers) {
    zmq::message_t peer;
    zmq::message_t body;
    if (!socket.recv(peer) || !socket.recv(body)) return 1;
    if (options.work == "source") {
      source(socket, peer, pattern, body, grant(options.size));
      continue;
    }
    if (options.work == "put") {
      const bench::Receipt receipt = receipt_for(bytes_of(body));
      body = message_of(std::as_bytes(std::span(&receipt, 1)));
    }
    if (answers == options.wrong) body.data<std::byte>()[0] ^= std::byte{1};
    socket.send(peer, zmq::send_flags::sndmore);
    socket.send(body, zmq::send_flags::none);
  }
}

/// Sent from where it lies: the answer comes after ZeroMQ has let go of it.
zmq::message_t borrow(std::vector<std::byte>& array) {
  return {array.data(), array.size(), [](void*, void*) {}, nullptr};
}

class Caller {
 public:
  explicit Caller(const Options& options) : socket_(context_, zmq::socket_type::dealer) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::sndhwm, 0);
    socket_.set(zmq::sockopt::rcvhwm, 0);
    socket_.connect(options.address);
  }
  void send(zmq::message_t message) { socket_.send(message, zmq::send_flags::none); }
  std::span<const std::byte> receive() {
    (void)socket_.recv(answer_);
    return bytes_of(answer_);
  }

 private:
  zmq::context_t context_;
  zmq::socket_t socket_;
  zmq::message_t answer_;
};

int arrays(const Options& options) {
  const bool back = options.work == "echo";
  Caller caller(options);
  std::vector<std::byte> array(options.size);
  return bench::measure(
      options,
      [&](std::uint64_t number) {
        bench::stamp(array, number);
        caller.send(borrow(array));
        const std::span<const std::byte> answer = caller.receive();
        if (back) return answer.size() == options.size && bench::stamped(answer, number);
        const bench::Receipt right{.number = number, .size = options.size};
        return answer.size() == sizeof right && std::memcmp(answer.data(), &right, sizeof right) == 0;
      },
      options.size * (back ? 2 : 1));
}

int run_client(const Options& options) {
  const std::string& work = options.work;
  if (work == "put" || work == "echo") return arrays(options);
  bench::Pattern pattern(options.size);
  if (work == "connect") {
    return bench::measure(options, [&](std::uint64_t number) {
      Caller caller(options);
      caller.send(message_of(pattern.request(number)));
      return pattern.matches(caller.receive());
    });
  }
  Caller caller(options);
  if (work == "unary") {
    return bench::measure(options, [&](std::uint64_t number) {
      caller.send(message_of(pattern.request(number)));
      return pattern.matches(caller.receive());
    });
  }
  if (work == "calls") {
    return bench::measure_window(
        options,
        [&](std::size_t /*slot*/, std::span<const std::byte> request) { caller.send(message_of(request)); },
        [&](std::size_t /*slot*/) { return caller.receive(); });
  }
  if (work == "source") {
    const std::uint64_t granted = grant(options.size);
    const auto ask = [&](std::uint64_t first) {
      caller.send(message_of(std::as_bytes(std::span(&first, 1))));
    };
    ask(0);
    return bench::measure_items(
        options,
        [&](std::uint64_t number) {
          if (number % granted == 0) ask(number + granted);
          return pattern.is(caller.receive(), number);
        },
        [](std::uint64_t /*count*/) { return true; });
  }
  return bench::no_such_work(options);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = bench::parse(argc, argv, "Work over raw ZeroMQ", "tcp://127.0.0.1:*");
  try {
    return options.server ? serve(options) : run_client(options);
  } catch (const zmq::error_t& error) {
    fmt::print(stderr, "zmq: {}\n", error.what());
    return 1;
  }
}
