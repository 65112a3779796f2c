#include "transport/zmq/zmq.h"

#include <array>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <zmq.hpp>

#include "transport/link/address.h"
#include "transport/link/conformance/conformance.h"
#include "transport/link/socket.h"

namespace leat::transport::conformance {
namespace {

using testing::HasSubstr;

Subject zmq_tcp() {
  return {.scheme = "zmq+tcp",
          .make = make_zmq_tcp_transport,
          .free_address = [] { return "127.0.0.1:0"; },
          .unreadable = {"", "127.0.0.1", ":5700", "127.0.0.1:x", "::1:5700"},
          .beyond_loopback = {"0.0.0.0:0", "*:0", "[::]:0"},
          .stops_the_sender = false};
}

Subject zmq_ipc() {
  return {.scheme = "zmq+ipc",
          .make = make_zmq_ipc_transport,
          .free_address = [] { return testing::TempDir() + unique_name("leat-zmq") + ".sock"; },
          .unreadable = {"", "@abstract", "/tmp/" + std::string(120, 'x')},
          .stops_the_sender = false};
}

INSTANTIATE_TEST_SUITE_P(ZmqTcp, LinkConformance, testing::Values(zmq_tcp()));
INSTANTIATE_TEST_SUITE_P(ZmqTcp, SocketConformance, testing::Values(zmq_tcp()));
INSTANTIATE_TEST_SUITE_P(ZmqIpc, LinkConformance, testing::Values(zmq_ipc()));
INSTANTIATE_TEST_SUITE_P(ZmqIpc, SocketConformance, testing::Values(zmq_ipc()));

class ZmqListening : public testing::Test {
 protected:
  void SetUp() override {
    loop_.listen(transport_->listen("127.0.0.1:0", {}).value());
    address_ = address_of(loop_.listener().url());
  }
  void TearDown() override { loop_ = Loop(); }

  /// A connection that says this and waits for the end; true if the end came.
  bool is_turned_away(std::string_view words) {
    auto socket = connect_socket(resolve("tcp", address_, Use::kConnect).value().front(), kNever, {});
    if (!socket || ::send(socket->get(), words.data(), words.size(), MSG_NOSIGNAL) < 0) return false;
    for (;;) {
      wait_until(socket->get(), POLLIN, kNever, {});
      std::array<char, 256> answer{};
      if (recv(socket->get(), answer.data(), answer.size(), 0) <= 0) return true;
    }
  }

  std::unique_ptr<Transport> transport_ = make_zmq_tcp_transport();
  Loop loop_;
  std::string address_;
};

TEST_F(ZmqListening, AnHttpRequestAndATlsHelloAreTurnedAwayAtOnce) {
  EXPECT_TRUE(is_turned_away("GET / HTTP/1.1\r\nHost: microscope\r\n\r\n"));
  EXPECT_TRUE(is_turned_away(std::string_view("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)));
  loop_.turn();
  EXPECT_TRUE(loop_.accepted_ends().empty());
}

// Garbage connections leave descriptor numbers behind that the next client gets.
TEST_F(ZmqListening, ClientsAreServedAmidGarbage) {
  for (std::size_t round = 1; round <= 30; ++round) {
    EXPECT_TRUE(is_turned_away("GET / HTTP/1.1\r\n\r\n"));
    const auto end = loop_.add(transport_->connect(address_, {}).value());
    end->queue(1000);
    EXPECT_TRUE(is_turned_away("GET / HTTP/1.1\r\n\r\n"));
    ASSERT_TRUE(loop_.run_until([&] { return loop_.accepted_ends().size() == round; }));
    const auto accepted = loop_.accepted_ends().back();
    accepted->queue(1000);
    ASSERT_TRUE(loop_.run_until([&] { return accepted->received() == 1000 && end->received() == 1000; }));
    if (round % 3 == 0) end->drop();
  }
}

// Not Leat's frames, but what they are is the session's to judge.
TEST_F(ZmqListening, AnyDealersMessagesArriveAsBytes) {
  zmq::context_t context;
  zmq::socket_t dealer(context, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::linger, 0);
  dealer.connect("tcp://" + address_);
  std::array<std::byte, 3000> bytes{};
  Pattern::write(0, bytes);
  dealer.send(zmq::buffer(bytes));
  ASSERT_TRUE(loop_.run_until([&] {
    return !loop_.accepted_ends().empty() && loop_.accepted_ends().front()->received() == bytes.size();
  }));
  EXPECT_TRUE(loop_.accepted_ends().front()->intact());
  // Closing one link ends that connection, though ZeroMQ's ROUTER can't.
  zmq::socket_t monitor(context, zmq::socket_type::pair);
  ASSERT_EQ(zmq_socket_monitor(dealer.handle(), "inproc://monitor", ZMQ_EVENT_DISCONNECTED), 0);
  monitor.connect("inproc://monitor");
  loop_.accepted_ends().front()->close();
  zmq::message_t event;
  ASSERT_TRUE(loop_.run_until([&] { return monitor.recv(event, zmq::recv_flags::dontwait).has_value(); }));
  zmq_socket_monitor(dealer.handle(), nullptr, 0);
}

/// A TCP server that is not ZeroMQ's.
class ForeignServer : public testing::Test {
 protected:
  void SetUp() override { socket_ = ListenSocket::open_tcp("zmq+tcp", "127.0.0.1:0", {}).value(); }
  ListenSocket socket_;
};

TEST_F(ForeignServer, OneThatClosesIsNamedForWhatItIsNot) {
  const auto transport = make_zmq_tcp_transport();
  int asked = 0;
  ConnectLimits limits{.timeout = std::chrono::hours(1)};
  // The server's part, from inside the wait: accept, and close.
  limits.interrupted = [&] {
    const Descriptor accepted(accept(socket_.descriptor(), nullptr, nullptr));
    return ++asked > 600;
  };
  const auto link = transport->connect(address_of(socket_.url()), limits);
  ASSERT_FALSE(link.has_value());
  EXPECT_EQ(link.error().code(), Code::kUnavailable);
  EXPECT_THAT(link.error().message(), HasSubstr(socket_.url()));
  EXPECT_THAT(link.error().message(), HasSubstr("does not speak ZeroMQ"));
}

TEST_F(ForeignServer, OneThatSaysNothingIsGivenUpAtTheTimeLimit) {
  const auto link = make_zmq_tcp_transport()->connect(address_of(socket_.url()),
                                                      {.timeout = std::chrono::milliseconds(100)});
  ASSERT_FALSE(link.has_value());
  EXPECT_EQ(link.error().code(), Code::kUnavailable);
  EXPECT_THAT(link.error().message(), HasSubstr(socket_.url()));
  EXPECT_THAT(link.error().message(), HasSubstr("did not answer as ZeroMQ"));
}

#if defined(__has_feature)
#define LEAT_HAS_FEATURE(feature) __has_feature(feature)
#else
#define LEAT_HAS_FEATURE(feature) 0
#endif
// ThreadSanitizer allows no threads in the child of a process that has some.
#if !defined(__SANITIZE_THREAD__) && !LEAT_HAS_FEATURE(thread_sanitizer)
TEST_F(ZmqListening, AForkedChildHasAContextOfItsOwn) {
  ASSERT_TRUE(transport_->connect(address_, {}).has_value());
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Loop loop;
    auto listener = transport_->listen("127.0.0.1:0", {});
    if (!listener) _exit(1);
    loop.listen(std::move(*listener));
    auto link = transport_->connect(address_of(loop.listener().url()), {});
    if (!link) _exit(2);
    _exit(loop.run_until([&] { return loop.accepted_ends().size() == 1; }) ? 0 : 3);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}
#endif

}  // namespace
}  // namespace leat::transport::conformance
