// Who drives a connection: each rule of connection.h, over real sockets made by hand.
#include "transport/runtime/connection.h"

#include <atomic>
#include <sys/socket.h>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/runtime/client_call.h"
#include "transport/runtime/clock.h"
#include "transport/runtime/dispatcher.h"
#include "transport/runtime/executor.h"
#include "transport/runtime/keeper.h"
#include "transport/tcp/socket_link.h"

namespace leat::transport {
namespace {

using std::chrono::milliseconds;

/// Methods: 0 answers at once, 1 waits for `gate`, 2 reports its thread.
class Gate final : public Service {
 public:
  [[nodiscard]] const ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<MethodInfo, 3> kMethods = {
        {{.name = "Quick"}, {.name = "Gated"}, {.name = "Thread"}}};
    static const ServiceInfo kInfo{"gate", kMethods, {}};
    return kInfo;
  }
  Status handle_call(std::size_t method, ServerCall& call) override {
    if (method == 1) gate.wait(false);
    if (method == 2) inline_runs += inline_allowed() ? 1 : 0;
    return call.write({});
  }
  std::atomic<bool> gate{false};
  std::atomic<int> inline_runs{0};
};

class Serving final : public Dispatcher {
 public:
  Serving() : Dispatcher({4, 0, 1U << 16U, {}, {}}) {}
  void on_connection(Connection& connection, bool open, const Status& /*status*/) override {
    if (!open) connection.close(Code::kUnavailable, "gone");
  }
};

/// A served connection and a client's, over a socket pair.
class Connected : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(serving_->add(gate_).ok());
    std::array<int, 2> fds{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
    ConnectionOptions of_server;
    of_server.handler = serving_;
    of_server.session.acceptor = true;
    server_ = std::make_shared<Connection>(
        std::make_unique<SocketLink>(Descriptor(fds[0]), "ipc", "ipc:server"), std::move(of_server));
    ConnectionOptions of_client;
    of_client.url = "ipc:client";
    of_client.interrupted = [this] { return interrupted_.load(); };
    client_ = std::make_shared<Connection>(
        std::make_unique<SocketLink>(Descriptor(fds[1]), "ipc", "ipc:client"), std::move(of_client));
    server_->watch(reactor_);
    loop_ = std::thread([this] {
      inline_allowed() = true;
      while (!stopping_) reactor_.turn(kNever);
    });
    client_->set_keeper(Keeper::shared());
    ASSERT_TRUE(client_->wait_ready().ok());
  }
  void TearDown() override {
    open_gate();
    client_->close(Code::kCancelled, "done");
    server_->close(Code::kCancelled, "done");
    stopping_ = true;
    reactor_.wake();
    loop_.join();
    serving_->stop();
  }
  [[nodiscard]] std::uint64_t calls() const { return serving_->calls(); }
  Status call(std::string_view method, const CallOptions& options = {}) {
    const Result<Payload> reply = call_unary(*client_, {"gate", method}, {}, options);
    return reply ? Status() : reply.error();
  }
  void open_gate() {
    gate_->gate = true;
    gate_->gate.notify_all();
  }

  std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  std::shared_ptr<Serving> serving_ = std::make_shared<Serving>();
  Reactor reactor_;
  std::shared_ptr<Connection> server_;
  std::shared_ptr<Connection> client_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> interrupted_{false};
  std::thread loop_;
};

TEST_F(Connected, AFollowerTakesOverWhenTheOwnerHasItsAnswer) {
  // The first caller owns the link while the second waits for a later answer: someone must read it.
  std::thread slow([this] { EXPECT_TRUE(call("Gated").ok()); });
  while (calls() < 1) std::this_thread::yield();
  std::vector<std::thread> quick;
  for (int i = 0; i < 4; ++i) {
    quick.emplace_back([this] {
      for (int n = 0; n < 200; ++n) EXPECT_TRUE(call("Quick").ok());
    });
  }
  for (std::thread& thread : quick) thread.join();
  open_gate();
  slow.join();
}

TEST_F(Connected, ManyThreadsHandTheLinkOnWithoutLosingAWakeUp) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([this, &good] {
      for (int n = 0; n < 300; ++n) good += call("Quick").ok() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 16 * 300);
}

TEST_F(Connected, AParkedOwnerLearnsOfAnEarlierDeadline) {
  std::thread slow([this] { EXPECT_TRUE(call("Gated").ok()); });
  while (calls() < 1) std::this_thread::yield();
  CallOptions options;
  options.timeout = milliseconds(20);
  EXPECT_EQ(call("Gated", options).code(), Code::kDeadlineExceeded);
  open_gate();
  slow.join();
}

TEST_F(Connected, TheKeeperNoticesTheLossOfAConnectionNobodyDrives) {
  EXPECT_TRUE(call("Quick").ok());
  server_->close(Code::kUnavailable, "bye");
  while (client_->open()) std::this_thread::sleep_for(milliseconds(1));
  const Status refused = call("Quick");
  EXPECT_EQ(refused.code(), Code::kUnavailable);
  EXPECT_TRUE(refused.not_started());
}

TEST_F(Connected, ACallerTakesTheLinkBackFromTheKeeper) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(call("Quick").ok());
    std::this_thread::sleep_for(milliseconds(3));  // long enough for the keeper to adopt it
  }
}

TEST_F(Connected, AnInterruptedOwnerLeavesAndAFollowerDrivesOn) {
  interrupted_ = true;
  EXPECT_EQ(call("Gated").code(), Code::kCancelled);
  interrupted_ = false;
  EXPECT_TRUE(call("Quick").ok());
}

TEST_F(Connected, ClosingEndsWaitsOfOwnerAndFollowers) {
  std::vector<std::thread> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.emplace_back([this] { EXPECT_EQ(call("Gated").code(), Code::kCancelled); });
  }
  while (calls() < 3) std::this_thread::yield();
  client_->close(Code::kCancelled, "enough");
  for (std::thread& thread : waiting) thread.join();
}

TEST_F(Connected, AQuickMethodRunsInlineOnceItsMeanIsKnown) {
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(call("Thread").ok());
  EXPECT_GT(gate_->inline_runs, 0);
}

TEST_F(Connected, AnAnswerThatTheKeeperReadsReachesTheCallerThatPolls) {
  // The keeper may be on its way into service() when a caller takes the link back; what it then reads is the
  // caller's.
  for (int i = 0; i < 300; ++i) {
    EXPECT_TRUE(call("Quick").ok());
    std::thread keeper([this] { client_->service(now()); });
    EXPECT_TRUE(call("Quick").ok());
    keeper.join();
  }
}

/// Takes nothing, and gives what no Leat server says.
class Clogged final : public Link {
 public:
  explicit Clogged(bool& closed) : closed_(closed) {}
  [[nodiscard]] std::string_view scheme() const noexcept override { return "ipc"; }
  [[nodiscard]] const std::string& remote() const noexcept override { return remote_; }
  [[nodiscard]] int descriptor() const noexcept override { return -1; }
  [[nodiscard]] bool wants_write() const noexcept override { return true; }
  [[nodiscard]] bool pending() override { return false; }
  [[nodiscard]] std::size_t send_budget() const noexcept override { return 0; }
  Result<std::size_t> send(std::span<const Slice> /*slices*/) override { return 0; }
  Result<std::size_t> receive(Receiver& receiver, std::size_t /*limit*/) override {
    constexpr std::string_view kText = "HTTP/1.0 400 Bad Request";
    receiver.deliver(as_bytes(kText));
    return kText.size();
  }
  void close() noexcept override { closed_ = true; }

 private:
  bool& closed_;
  std::string remote_ = "ipc:clogged";
};

/// One whose descriptor tells nothing, with nothing there.
class Asked final : public Link {
 public:
  [[nodiscard]] std::string_view scheme() const noexcept override { return "zmq+tcp"; }
  [[nodiscard]] const std::string& remote() const noexcept override { return remote_; }
  [[nodiscard]] int descriptor() const noexcept override { return -1; }
  [[nodiscard]] bool wants_write() const noexcept override { return false; }
  [[nodiscard]] bool pending() override { return false; }
  [[nodiscard]] std::size_t send_budget() const noexcept override { return 1U << 20U; }
  Result<std::size_t> send(std::span<const Slice> slices) override { return slices.front().bytes.size(); }
  Result<std::size_t> receive(Receiver& /*receiver*/, std::size_t /*limit*/) override { return 0; }
  void close() noexcept override {}

 private:
  std::string remote_ = "zmq+tcp:asked";
};

TEST(LaneEnds, AskForNoTurnOnceNothingIsLeftToSend) {
  session::Options acceptor;
  acceptor.acceptor = true;
  session::Session session(acceptor, now());
  LaneEnd lane(Lane::kMain, std::make_unique<Asked>(), session);
  lane.send_later();
  EXPECT_TRUE(lane.has_unreported());
  ASSERT_TRUE(lane.send(1U << 20U, now()).has_value());
  EXPECT_FALSE(lane.has_unreported()) << "or whoever polls would never sleep again";
}

TEST(Connections, DoNotLingerOnALinkThatTakesNothing) {
  bool closed = false;
  const auto connection =
      std::make_shared<Connection>(std::make_unique<Clogged>(closed), ConnectionOptions());
  const TimePoint at = now();
  connection->service(at);
  ASSERT_TRUE(connection->saw_garbage());
  EXPECT_FALSE(closed) << "it has had no time to take what was to be said";
  EXPECT_EQ(connection->next_timeout(), at + std::chrono::seconds(1));
  connection->service(connection->next_timeout());
  EXPECT_TRUE(closed);
  EXPECT_EQ(connection->next_timeout(), kNever);
}

TEST(Reactors, PassOnARingThatAnotherThreadsTurnHasSeen) {
  // As the keeper's turn on the reactor of a server that is being closed.
  Reactor reactor;
  for (int i = 0; i < 500; ++i) {
    std::atomic<bool> woken{false};
    std::thread waiting([&] {
      while (!woken) reactor.turn(now() + std::chrono::hours(1));
    });
    woken = true;
    reactor.wake();
    reactor.turn(TimePoint::min());
    waiting.join();
  }
}

TEST(Executors, RunMoreUrgentChannelsFirst) {
  Executor executor(1);
  std::atomic<bool> gate{false};
  std::atomic<int> done{0};
  std::vector<Channel> order;
  executor.run(Channel::kRpc, [&gate] { gate.wait(false); });
  for (const Channel channel : {Channel::kBulk, Channel::kRpc, Channel::kStream, Channel::kRpc}) {
    executor.run(channel, [&order, &done, channel] {
      order.push_back(channel);
      ++done;
    });
  }
  gate = true;
  gate.notify_all();
  while (done < 4) std::this_thread::yield();
  executor.stop();
  EXPECT_THAT(order, ::testing::ElementsAre(Channel::kStream, Channel::kRpc, Channel::kRpc, Channel::kBulk));
}

TEST(Executors, StopDropsWhatHasNotBegunAndWaitsForTheRest) {
  Executor executor(1);
  std::atomic<bool> gate{false};
  std::atomic<bool> ended{false};
  std::atomic<bool> begun{false};
  auto token = std::make_shared<int>(0);
  executor.run(Channel::kRpc, [&] {
    begun = true;
    gate.wait(false);
    ended = true;
  });
  executor.run(Channel::kRpc, [token] { FAIL() << "stopped before"; });
  while (!begun) std::this_thread::yield();
  std::thread opener([&gate] {
    std::this_thread::sleep_for(milliseconds(5));
    gate = true;
    gate.notify_all();
  });
  executor.stop();
  EXPECT_TRUE(ended);
  EXPECT_EQ(token.use_count(), 1);
  opener.join();
}

TEST(RunTimes, JudgeOnlyAfterSomeRuns) {
  MethodRuns time(0, false);
  for (int i = 0; i < 3; ++i) time.add(std::chrono::microseconds(1));
  EXPECT_FALSE(time.quick());
  time.add(std::chrono::microseconds(1));
  EXPECT_TRUE(time.quick());
  time.add(milliseconds(1));
  EXPECT_FALSE(time.quick());
  for (int i = 0; i < 60; ++i) time.add(std::chrono::microseconds(1));
  EXPECT_TRUE(time.quick());
}

}  // namespace
}  // namespace leat::transport
