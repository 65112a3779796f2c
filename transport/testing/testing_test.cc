#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/log_calls.h>
#include <leat/testing.h>

namespace leat::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Payload text(std::string_view value) { return {Codec::kRaw, Buffer::copy(value), {}}; }

class Lab final : public Service {
 public:
  [[nodiscard]] const ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<MethodInfo, 4> kMethods = {
        {{.name = "Echo"}, {.name = "Hang"}, {.name = "Doze"}, {.name = "Flaky", .idempotent = true}}};
    static const ServiceInfo kInfo{"lab", kMethods, {}};
    return kInfo;
  }
  Status handle_call(std::size_t method, ServerCall& call) override {
    Context& context = call.context();
    switch (method) {
      case 0: return call.write(std::move(**call.read()));
      case 1:
        left = context.remaining();
        ++running;
        while (!context.wait_for(hours(1000))) {
        }
        return {};
      case 2:
        ++running;
        context.wait_for(hours(2));
        return call.write(text("awake"));
      default: return {Code::kUnavailable, "later"};
    }
  }
  /// Until so many handlers have begun to wait.
  void await(int count) const {
    while (running < count) std::this_thread::yield();
  }

  std::atomic<int> running{0};
  std::optional<Duration> left;
};

class Testing : public ::testing::Test {
 protected:
  std::unique_ptr<ClientCall> start(LocalPeer& local, std::string_view method,
                                    std::optional<Duration> timeout = std::nullopt) {
    CallOptions options;
    options.timeout = timeout;
    return std::move(*local.peer().caller()->start({"lab", method}, text("x"), options));
  }
  /// Time, until the call has ended: nobody knows just when its handler began to wait.
  static void pass(ManualClock& clock, ClientCall& call) {
    while (!call.ended()) {
      clock.advance(hours(1));
      std::this_thread::yield();
    }
  }

  std::shared_ptr<Lab> lab_ = std::make_shared<Lab>();
};

TEST_F(Testing, CallsAServiceThroughARealConnection) {
  LocalPeer local(lab_);
  EXPECT_EQ(local.peer().transport(), "inproc");
  EXPECT_EQ(local.peer().caller()->call({"lab", "Echo"}, text("hi"), {})->head.text(), "hi");
  EXPECT_EQ(local.server().stats().calls, 1U);
  const Result<Peer> second = connect(local.url());
  ASSERT_TRUE(second);
  EXPECT_EQ(local.peer().caller()->call({"lab", "Nothing"}, {}, {}).error().code(), Code::kUnimplemented);
}

TEST_F(Testing, TakesTheOptionsOfBothSides) {
  LocalPeerOptions options;
  std::atomic<int> lines{0};
  const auto count = [&](LogLevel, std::string_view) { ++lines; };
  options.server.interceptors = {log_calls(count)};
  options.client.interceptors = {log_calls(count)};
  LocalPeer local(lab_, options);
  ASSERT_TRUE(local.peer().caller()->call({"lab", "Echo"}, text("hi"), {}));
  EXPECT_EQ(lines, 2);
}

TEST_F(Testing, LivesBesideOthers) {
  LocalPeer first(lab_);
  LocalPeer second(std::vector<std::shared_ptr<Service>>{lab_});
  EXPECT_NE(first.url(), second.url());
  EXPECT_TRUE(second.peer().caller()->call({"lab", "Echo"}, text(""), {}));
}

TEST_F(Testing, SaysWhyItCanNotBeSetUp) {
  EXPECT_DEATH(LocalPeer(std::vector<std::shared_ptr<Service>>{lab_, lab_}), "lab");
}

TEST_F(Testing, LetsAnHourPassWhenTheTestSaysSo) {
  const auto began = std::chrono::steady_clock::now();
  ManualClock clock;
  LocalPeer local(lab_);
  const auto call = start(local, "Hang", hours(1));
  lab_->await(1);
  ASSERT_TRUE(lab_->left);
  EXPECT_EQ(*lab_->left, hours(1));
  clock.advance(hours(1) - milliseconds(1));
  EXPECT_FALSE(call->ended());
  clock.advance(milliseconds(1));
  EXPECT_EQ(call->finish().code(), Code::kDeadlineExceeded);
  EXPECT_LT(std::chrono::steady_clock::now() - began, minutes(30));
}

TEST_F(Testing, LetsABlockingCallsTimePass) {
  ManualClock clock;
  LocalPeer local(lab_);
  std::future<Status> ended = std::async(std::launch::async, [&] {
    CallOptions options;
    options.timeout = minutes(5);
    return local.peer().caller()->call({"lab", "Hang"}, text(""), options).error();
  });
  lab_->await(1);
  clock.advance(minutes(5));
  EXPECT_EQ(ended.get().code(), Code::kDeadlineExceeded);
}

TEST_F(Testing, WakesAHandlerThatWaits) {
  ManualClock clock;
  LocalPeer local(lab_);
  const auto call = start(local, "Doze");
  lab_->await(1);
  clock.advance(hours(1));
  EXPECT_FALSE(call->ended());
  pass(clock, *call);
  EXPECT_EQ(call->read()->head.text(), "awake");
  EXPECT_TRUE(call->finish().ok());
}

TEST_F(Testing, TellsOfTheEndOfACallThatNobodyWaitsForWhileTimeStandsStill) {
  ManualClock clock;
  LocalPeer local(lab_);
  for (int i = 0; i < 20; ++i) {
    const auto call = start(local, "Echo");
    std::promise<void> ended;
    call->when(Moment::kEnded, [&] { ended.set_value(); });
    ended.get_future().wait();
    EXPECT_TRUE(call->finish().ok());
  }
}

TEST_F(Testing, LeavesHandlersOnTheirThreadsWhileTimeStandsStill) {
  // A method that seems to take no time must not be run where the connection is read: it would wait for ever.
  ManualClock clock;
  LocalPeer local(lab_);
  for (int i = 1; i <= 10; ++i) {
    const auto call = start(local, "Doze");
    lab_->await(i);
    ASSERT_TRUE(local.peer().caller()->call({"lab", "Echo"}, text(""), {}));
    pass(clock, *call);
    EXPECT_TRUE(call->finish().ok());
  }
}

TEST_F(Testing, ReconnectsWhenItIsTime) {
  ManualClock clock;
  auto server = std::make_unique<Server>();
  ASSERT_TRUE(server->add(lab_).ok());
  const std::string url = server->listen("inproc://testing-reconnects").value();
  std::atomic<int> attempts{0};
  ConnectOptions options;
  options.reconnect.first_backoff = hours(1);
  options.reconnect.max_backoff = hours(1);
  options.on_state = [&](const PeerEvent& event) {
    attempts += event.state == PeerState::kConnecting ? 1 : 0;
  };
  Result<Peer> peer = connect(url, options);
  ASSERT_TRUE(peer);
  server = std::make_unique<Server>();
  while (peer->state() != PeerState::kBackoff) std::this_thread::yield();
  ASSERT_TRUE(server->add(lab_).ok());
  ASSERT_TRUE(server->listen("inproc://testing-reconnects"));
  EXPECT_EQ(attempts, 0);
  while (!peer->connected()) {
    if (peer->state() == PeerState::kBackoff) clock.advance(hours(1));
    std::this_thread::yield();
  }
  EXPECT_EQ(peer->epoch(), 2U);
  peer->close();  // all events have been told by then
  EXPECT_GE(attempts, 1);
}

TEST_F(Testing, KeepsAPeerThatAnswersThoughTimeJumps) {
  ManualClock clock;
  LocalPeerOptions options;
  options.client.limits.heartbeat_interval = hours(1);
  LocalPeer local(lab_, options);
  for (int i = 0; i < 5; ++i) {
    clock.advance(hours(1));
    ASSERT_TRUE(local.peer().caller()->call({"lab", "Echo"}, text(""), {}));  // it lives: it answered
  }
  EXPECT_TRUE(local.peer().connected());
  EXPECT_EQ(local.peer().epoch(), 1U);
}

TEST_F(Testing, HasOneClockAtATime) {
  const ManualClock clock;
  EXPECT_DEATH(ManualClock(), "one at a time");
}

TEST_F(Testing, GoesBackToTheWallsClock) {
  {
    ManualClock clock;
    clock.advance(hours(1));
    EXPECT_GT(clock.now() - std::chrono::steady_clock::now(), minutes(30));
  }
  LocalPeer local(lab_);
  const auto call = start(local, "Hang", milliseconds(1));
  EXPECT_EQ(call->finish().code(), Code::kDeadlineExceeded);
}

}  // namespace
}  // namespace leat::testing
