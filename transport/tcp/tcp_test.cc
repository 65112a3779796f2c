#include "transport/tcp/tcp.h"

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>

#include "transport/link/address.h"
#include "transport/link/conformance/conformance.h"
#include "transport/link/socket.h"

namespace leat::transport::conformance {
namespace {

using testing::HasSubstr;

Subject tcp() {
  return {.scheme = "tcp",
          .make = make_tcp_transport,
          .free_address = [] { return "127.0.0.1:0"; },
          .unreadable = {"", "127.0.0.1", "127.0.0.1:", ":5700", "127.0.0.1:x", "127.0.0.1:65536", "::1:5700",
                         "[::1]", "127.0.0.1:5700/path"},
          .beyond_loopback = {"0.0.0.0:0", "*:0", "[::]:0"}};
}

std::string free_path() { return testing::TempDir() + unique_name("leat") + ".sock"; }

Subject ipc() {
  return {.scheme = "ipc",
          .make = make_ipc_transport,
          .free_address = free_path,
          .unreadable = {"", "@abstract", "/tmp/" + std::string(120, 'x')}};
}

INSTANTIATE_TEST_SUITE_P(Tcp, LinkConformance, testing::Values(tcp()));
INSTANTIATE_TEST_SUITE_P(Tcp, SocketConformance, testing::Values(tcp()));
INSTANTIATE_TEST_SUITE_P(Ipc, LinkConformance, testing::Values(ipc()));
INSTANTIATE_TEST_SUITE_P(Ipc, SocketConformance, testing::Values(ipc()));

/// A socket of another program: bound to a path, listening or not.
Descriptor foreign_socket(const std::string& path, bool listens) {
  const SocketAddress address = unix_address("ipc", path).value();
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(bind(socket.get(), address.data(), address.size()), 0);
  if (listens) {
    EXPECT_EQ(::listen(socket.get(), 1), 0);
  }
  return socket;
}

TEST(IpcListener, TakesOverAStaleFile) {
  const std::string path = free_path();
  foreign_socket(path, true).reset();
  ASSERT_TRUE(std::filesystem::exists(path));
  const auto transport = make_ipc_transport();
  const auto listener = transport->listen(path, {});
  ASSERT_TRUE(listener.has_value()) << listener.error().to_string();
  EXPECT_TRUE(transport->connect(path, {}).has_value());
}

TEST(IpcListener, LeavesALiveServerOfAnotherKindAlone) {
  const std::string path = free_path();
  const Descriptor other = foreign_socket(path, true);
  const auto listener = make_ipc_transport()->listen(path, {});
  ASSERT_FALSE(listener.has_value());
  EXPECT_EQ(listener.error().code(), Code::kAlreadyExists);
  EXPECT_TRUE(make_ipc_transport()->connect(path, {}).has_value());
  std::filesystem::remove(path);
}

TEST(IpcListener, LeavesAFileThatIsNoSocketAlone) {
  const std::string path = free_path();
  std::ofstream(path) << "results";
  const auto listener = make_ipc_transport()->listen(path, {});
  ASSERT_FALSE(listener.has_value());
  EXPECT_EQ(listener.error().code(), Code::kAlreadyExists);
  EXPECT_THAT(listener.error().message(), HasSubstr("not a socket"));
  EXPECT_EQ(std::filesystem::file_size(path), 7U);
  std::filesystem::remove(path);
}

TEST(IpcListener, RemovesOnlyItsOwnFile) {
  const std::string path = free_path();
  const auto transport = make_ipc_transport();
  transport->listen(path, {}).value().reset();
  EXPECT_FALSE(std::filesystem::exists(path));

  auto listener = transport->listen(path, {}).value();
  const std::string aside = path + ".aside";  // keeps the number of the file from being used again
  std::filesystem::rename(path, aside);
  std::ofstream(path) << "somebody else's";
  listener.reset();
  EXPECT_TRUE(std::filesystem::exists(path));
  std::filesystem::remove(path);
  std::filesystem::remove(aside);
}

TEST(IpcListener, AForkedChildDoesNotRemoveItsParentsFile) {
  const std::string path = free_path();
  auto listener = make_ipc_transport()->listen(path, {}).value();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    listener.reset();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_TRUE(make_ipc_transport()->connect(path, {}).has_value());
}

TEST(IpcListener, SaysThatADirectoryIsMissing) {
  const auto listener = make_ipc_transport()->listen("/tmp/leat-no-such-directory/x.sock", {});
  ASSERT_FALSE(listener.has_value());
  EXPECT_THAT(listener.error().message(), HasSubstr("directory does not exist"));
}

TEST(TcpListener, ResolvesPortZeroAndNames) {
  const auto transport = make_tcp_transport();
  const auto listener = transport->listen("localhost:0", {});
  ASSERT_TRUE(listener.has_value()) << listener.error().to_string();
  EXPECT_THAT((*listener)->url(), testing::StartsWith("tcp://127.0.0.1:"));
  EXPECT_THAT((*listener)->url(), testing::Not(testing::EndsWith(":0")));
  const std::string port = (*listener)->url().substr((*listener)->url().rfind(':'));
  EXPECT_TRUE(transport->connect("localhost" + port, {}).has_value());
}

TEST(TcpListener, ServesIpv6Loopback) {
  const auto transport = make_tcp_transport();
  const auto listener = transport->listen("[::1]:0", {});
  if (!listener) {
    EXPECT_EQ(listener.error().code(), Code::kUnavailable);  // a host without IPv6 says so
    return;
  }
  EXPECT_THAT((*listener)->url(), testing::StartsWith("tcp://[::1]:"));
  EXPECT_TRUE(transport->connect(address_of((*listener)->url()), {}).has_value());
}

TEST(TcpListener, WaitsWithoutSpinningWhileThereAreNoDescriptors) {
  const auto transport = make_tcp_transport();
  Loop loop;
  loop.listen(transport->listen("127.0.0.1:0", {}).value());
  const auto link = transport->connect(address_of(loop.listener().url()), {});
  ASSERT_TRUE(link.has_value());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 3;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  loop.listener().service(loop);
  pollfd entry{loop.listener().descriptor(), POLLIN, 0};
  const int readable = poll(&entry, 1, 0);
  const bool accepted = !loop.accepted_ends().empty();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(readable, 0) << "the connection waits, and a level-triggered wait would spin";
  EXPECT_FALSE(accepted);
  EXPECT_TRUE(loop.run_until([&] { return !loop.accepted_ends().empty(); }));
}

/// A listener that takes no more connections: the kernel ignores further ones, as a firewall would.
class FullBacklog : public testing::Test {
 protected:
  void SetUp() override {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listening_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(bind(listening_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
    ASSERT_EQ(::listen(listening_.get(), 0), 0);
    socklen_t size = sizeof any;
    ASSERT_EQ(getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&any), &size), 0);
    address_ = SocketAddress(reinterpret_cast<const sockaddr*>(&any), size);
    for (int i = 0; i < 4; ++i) {
      fillers_.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      static_cast<void>(connect(fillers_.back().get(), address_.data(), address_.size()));
    }
  }

  Descriptor listening_;
  std::vector<Descriptor> fillers_;
  SocketAddress address_;
};

TEST_F(FullBacklog, ConnectingEndsAtItsTimeLimit) {
  const auto link =
      make_tcp_transport()->connect(address_.text(), {.timeout = std::chrono::milliseconds(50)});
  ASSERT_FALSE(link.has_value());
  EXPECT_EQ(link.error().code(), Code::kUnavailable);
  EXPECT_THAT(link.error().message(),
              HasSubstr("tcp://" + address_.text() + ": connecting timed out after 50 ms"));
}

TEST_F(FullBacklog, ConnectingCanBeInterrupted) {
  int asked = 0;
  const auto link = make_tcp_transport()->connect(
      address_.text(), {.timeout = std::chrono::hours(1), .interrupted = [&] { return ++asked == 2; }});
  ASSERT_FALSE(link.has_value());
  EXPECT_EQ(link.error().code(), Code::kCancelled);
}

TEST(TcpConnect, NamesAHostThatCannotBeResolved) {
  const std::string host =
      std::string(70, 'x') + ".invalid";  // too long for a label: no name server is asked
  const auto link = make_tcp_transport()->connect(host + ":5700", {});
  ASSERT_FALSE(link.has_value());
  EXPECT_EQ(link.error().code(), Code::kUnavailable);
  EXPECT_THAT(link.error().message(), HasSubstr(host));
  EXPECT_THAT(link.error().message(), HasSubstr("can't be resolved"));
}

TEST(TcpLink, APeersLastWordsComeBeforeTheFailureOfSending) {
  const auto transport = make_tcp_transport();
  Loop loop;
  loop.listen(transport->listen("127.0.0.1:0", {}).value());
  const auto left = loop.add(transport->connect(address_of(loop.listener().url()), {}).value());
  ASSERT_TRUE(loop.run_until([&] { return loop.accepted_ends().size() == 1; }));
  const auto right = loop.accepted_ends().front();
  right->queue(200);
  right->turn();
  right->close();
  const Buffer bytes = Buffer::copy("hello");
  const Slice slice{bytes.bytes(), bytes};
  // The first one provokes the reset, the next ones meet it.
  for (int i = 0; i < 10; ++i) EXPECT_EQ(left->link().send({&slice, 1}).value(), 5U);
  ASSERT_TRUE(loop.run_until([&] { return !left->loss().ok(); }));
  EXPECT_EQ(left->received(), 200U);
  EXPECT_TRUE(left->intact());
}

}  // namespace
}  // namespace leat::transport::conformance
