// Connections that break and come back, servers that go away with notice, peers that serve each other.
#include <atomic>
#include <csignal>
#include <future>
#include <mutex>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/peer.h>
#include <leat/server.h>

namespace leat {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

Payload text(std::string_view value) { return {Codec::kRaw, Buffer::copy(value), {}}; }

/// Echo answers; Hold answers when the gate opens; Back calls the caller's "home" service.
class Station final : public Service {
 public:
  explicit Station(std::string name = "station") : name_(std::move(name)) {}
  [[nodiscard]] const ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<MethodInfo, 3> kMethods = {
        {{.name = "Echo"}, {.name = "Hold"}, {.name = "Back"}}};
    info_ = {name_, kMethods, {}};
    return info_;
  }
  Status handle_call(std::size_t method, ServerCall& call) override {
    Payload request = std::move(**call.read());
    switch (method) {
      case 0: return call.write(std::move(request));
      case 1:
        ++holding;
        gate_.wait(false);
        return call.write(std::move(request));
      default: {
        const std::shared_ptr<Caller> caller = call.context().peer();
        const Result<Payload> reply = caller->call({"home", "Echo"}, std::move(request), {});
        if (!reply) return reply.error();
        return call.write(*reply);
      }
    }
  }
  void open_gate() {
    gate_ = true;
    gate_.notify_all();
  }
  std::atomic<int> holding{0};

 private:
  std::string name_;
  mutable ServiceInfo info_;
  std::atomic<bool> gate_{false};
};

struct Site {
  explicit Site(std::string_view url = "tcp://127.0.0.1:0") {
    EXPECT_TRUE(server.add(station).ok());
    const Result<std::string> listening = server.listen(url);
    EXPECT_TRUE(listening) << listening.error().to_string();
    address = *listening;
  }
  std::shared_ptr<Station> station = std::make_shared<Station>();
  Server server;
  std::string address;
};

std::string echo(const Peer& peer, std::string_view value, const CallOptions& options = {}) {
  const Result<Payload> reply = peer.caller()->call({"station", "Echo"}, text(value), options);
  return reply ? std::string(reply->head.text()) : reply.error().to_string();
}

TEST(Reconnection, DoesNotSayOfACallThatItHasNotStartedIfAnAttemptOfItMayHave) {
  auto site = std::make_unique<Site>();
  const std::shared_ptr<Station> station = site->station;
  ConnectOptions connecting;
  connecting.retry.max_attempts = 2;
  connecting.retry.first_backoff = milliseconds(1);
  connecting.reconnect.first_backoff = seconds(20);  // the second attempt finds no connection
  const Result<Peer> peer = connect(site->address, connecting);
  ASSERT_TRUE(peer);
  CallOptions twice;
  twice.idempotent = true;
  auto held = std::async(std::launch::async,
                         [&] { return peer->caller()->call({"station", "Hold"}, text("x"), twice); });
  while (station->holding == 0) std::this_thread::yield();
  std::thread closing([&] { site.reset(); });
  const Result<Payload> reply = held.get();
  station->open_gate();
  closing.join();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kUnavailable);
  EXPECT_THAT(reply.error().message(), HasSubstr("not connected"));
  EXPECT_FALSE(reply.error().not_started());
  EXPECT_TRUE(reply.error().outcome_unknown());
}

TEST(Reconnection, UsesARestartedServerWithoutANewConnect) {
  auto site = std::make_unique<Site>();
  const std::string address = site->address;
  std::mutex mutex;
  std::vector<PeerEvent> events;
  ConnectOptions options;
  options.on_state = [&](const PeerEvent& event) {
    const std::lock_guard lock(mutex);
    events.push_back(event);
  };
  Result<Peer> peer = connect(address, options);
  ASSERT_TRUE(peer);
  EXPECT_EQ(echo(*peer, "one"), "one");
  EXPECT_EQ(peer->epoch(), 1U);
  site.reset();
  while (peer->connected()) std::this_thread::yield();
  const Result<Payload> failed = peer->caller()->call({"station", "Echo"}, text(""), {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Code::kUnavailable);
  EXPECT_TRUE(failed.error().not_started());
  EXPECT_THAT(failed.error().message(), HasSubstr(address + ": not connected, trying again"));

  site = std::make_unique<Site>(address);
  CallOptions wait;
  wait.wait_for_ready = true;
  EXPECT_EQ(echo(*peer, "two", wait), "two");
  EXPECT_EQ(peer->epoch(), 2U);
  EXPECT_EQ(peer->state(), PeerState::kReady);
  peer->close();
  EXPECT_EQ(peer->state(), PeerState::kClosed);
  const std::lock_guard lock(mutex);
  ASSERT_GE(events.size(), 4U);
  EXPECT_EQ(events.front().state, PeerState::kBackoff);
  EXPECT_EQ(events[1].state, PeerState::kConnecting);
  EXPECT_EQ(events[events.size() - 2].state, PeerState::kReady);
  EXPECT_EQ(events[events.size() - 2].epoch, 2U);
  EXPECT_EQ(events.back().state, PeerState::kClosed);
}

TEST(Reconnection, IsGivenUpWhereItIsNotWanted) {
  auto site = std::make_unique<Site>();
  ConnectOptions options;
  options.reconnect.enabled = false;
  const Result<Peer> peer = connect(site->address, options);
  ASSERT_TRUE(peer);
  site.reset();
  while (peer->state() != PeerState::kClosed) std::this_thread::yield();
  EXPECT_EQ(peer->wait_ready(seconds(5)).code(), Code::kUnavailable);
}

TEST(Reconnection, IsGivenUpAfterATime) {
  auto site = std::make_unique<Site>();
  ConnectOptions options;
  options.reconnect.first_backoff = seconds(20);  // longer than it may wait
  options.reconnect.give_up_after = milliseconds(20);
  const Result<Peer> peer = connect(site->address, options);
  ASSERT_TRUE(peer);
  site.reset();
  while (peer->state() != PeerState::kClosed) std::this_thread::yield();
  const Status status = peer->wait_ready(seconds(5));
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_TRUE(status.not_started());
}

TEST(Reconnection, TellsNothingOfAPeerThatNeverWas) {
  std::atomic<int> events = 0;
  ConnectOptions options;
  options.on_state = [&](const PeerEvent& /*event*/) { ++events; };
  EXPECT_FALSE(connect("inproc://nobody-is-here", options));
  EXPECT_EQ(events, 0);
}

TEST(Reconnection, EndsAWaitForReadyAtItsDeadlineAndNamesTheReason) {
  auto site = std::make_unique<Site>();
  const Result<Peer> peer = connect(site->address);
  ASSERT_TRUE(peer);
  site.reset();
  while (peer->connected()) std::this_thread::yield();
  CallOptions options;
  options.wait_for_ready = true;
  options.timeout = milliseconds(30);
  EXPECT_THAT(echo(*peer, "", options), HasSubstr("deadline_exceeded: "));
  EXPECT_EQ(peer->wait_ready(milliseconds(1)).code(), Code::kDeadlineExceeded);
}

TEST(Reconnection, ClosesAPeerThatIsTryingWithoutDelay) {
  auto site = std::make_unique<Site>();
  Result<Peer> peer = connect(site->address);
  ASSERT_TRUE(peer);
  site.reset();
  while (peer->connected()) std::this_thread::yield();
  std::thread waiting(
      [handle = *peer] { EXPECT_EQ(handle.wait_ready(seconds(600)).code(), Code::kUnavailable); });
  peer->close();
  waiting.join();
}

TEST(Retries, RepeatAnIdempotentCallWhoseConnectionWasLost) {
  auto site = std::make_unique<Site>();
  const std::string address = site->address;
  const Result<Peer> peer = connect(address);
  ASSERT_TRUE(peer);
  CallOptions options;
  options.idempotent = true;
  options.timeout = seconds(60);
  std::thread restart([&] {
    while (site->station->holding == 0) std::this_thread::yield();
    site->station->open_gate();
    site->server.close();  // maybe before the answer is out, maybe after
    site = std::make_unique<Site>(address);
    site->station->open_gate();
  });
  const Result<Payload> reply = peer->caller()->call({"station", "Hold"}, text("again"), options);
  restart.join();
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->head.text(), "again");
}

TEST(Retries, AreBoundByTheirBudget) {
  auto site = std::make_unique<Site>();
  ConnectOptions connecting;
  connecting.retry.budget_tokens = 2;  // the first failure leaves no more than half
  connecting.retry.first_backoff = connecting.retry.max_backoff = std::chrono::hours(1);
  connecting.reconnect.first_backoff = seconds(20);
  const Result<Peer> peer = connect(site->address, connecting);
  ASSERT_TRUE(peer);
  site.reset();
  while (peer->connected()) std::this_thread::yield();
  CallOptions options;
  options.idempotent = true;
  const Result<Payload> reply = peer->caller()->call({"station", "Echo"}, text("x"), options);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kUnavailable);  // now, not in an hour
}

TEST(Retries, NeverRepeatACallThatIsNotIdempotent) {
  auto site = std::make_unique<Site>();
  const std::string address = site->address;
  const Result<Peer> peer = connect(address);
  ASSERT_TRUE(peer);
  std::thread restart([&] {
    while (site->station->holding == 0) std::this_thread::yield();
    std::thread opener([&] { site->station->open_gate(); });
    site->server.close();
    opener.join();
  });
  const Result<Payload> reply = peer->caller()->call({"station", "Hold"}, text("once"), {});
  restart.join();
  if (!reply) {
    EXPECT_EQ(reply.error().code(), Code::kUnavailable);
    EXPECT_TRUE(reply.error().outcome_unknown());
    EXPECT_FALSE(reply.error().not_started());
  }
  EXPECT_EQ(site->station->holding, 1);
}

class Symmetric : public ::testing::TestWithParam<const char*> {};

TEST_P(Symmetric, AHandlerCallsItsCaller) {
  const Site site(GetParam());
  ConnectOptions options;
  options.services.push_back(std::make_shared<Station>("home"));
  const Result<Peer> peer = connect(site.address, options);
  ASSERT_TRUE(peer);
  for (int i = 0; i < 200; ++i) {
    const Result<Payload> reply = peer->caller()->call({"station", "Back"}, text(std::to_string(i)), {});
    ASSERT_TRUE(reply) << reply.error().to_string();
    EXPECT_EQ(reply->head.text(), std::to_string(i));
  }
}

TEST_P(Symmetric, ThreadsOfBothSidesCallAtOnce) {
  const Site site(GetParam());
  const Result<Peer> peer = connect(site.address);
  ASSERT_TRUE(peer);
  ASSERT_TRUE(Peer(*peer).add(std::make_shared<Station>("home")).ok());
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        const Result<Payload> reply = peer->caller()->call({"station", "Back"}, text("x"), {});
        if (!reply || reply->head.text() != "x") ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(Symmetric, NamesWhatAClientDoesNotServe) {
  const Site site(GetParam());
  const Result<Peer> peer = connect(site.address);
  ASSERT_TRUE(peer);
  const Result<Payload> reply = peer->caller()->call({"station", "Back"}, text(""), {});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kUnimplemented);
  EXPECT_THAT(reply.error().message(), HasSubstr("nothing is offered here as 'home'"));
}

INSTANTIATE_TEST_SUITE_P(Transports, Symmetric,
                         ::testing::Values("inproc://symmetric", "tcp://127.0.0.1:0",
                                           "zmq+tcp://127.0.0.1:0"),
                         [](const auto& test) {
                           std::string name(test.param);
                           name.resize(name.find(':'));
                           std::erase(name, '+');
                           return name;
                         });

TEST(Draining, LetsRunningCallsFinishAndRefusesNewOnesAsNotStarted) {
  Site site;
  ConnectOptions options;
  options.reconnect.enabled = false;
  const Result<Peer> peer = connect(site.address, options);
  ASSERT_TRUE(peer);
  auto running = peer->caller()->start({"station", "Hold"}, text("done"), {});
  ASSERT_TRUE(running);
  while (site.station->holding == 0) std::this_thread::yield();
  std::future<bool> drained = std::async(std::launch::async, [&] { return site.server.drain(seconds(60)); });
  Status refused;
  while (refused.ok()) {
    const Result<Payload> reply = peer->caller()->call({"station", "Echo"}, text(""), {});
    if (!reply) refused = reply.error();
  }
  EXPECT_EQ(refused.code(), Code::kUnavailable);
  EXPECT_TRUE(refused.not_started());
  site.station->open_gate();
  const std::optional<Payload> reply = (*running)->read();
  ASSERT_TRUE(reply) << (*running)->finish().to_string();
  EXPECT_EQ(reply->head.text(), "done");
  EXPECT_TRUE((*running)->finish().ok());
  EXPECT_TRUE(drained.get());
}

TEST(Draining, ClosesAtItsLimitAndSaysSo) {
  Site site;
  const Result<Peer> peer = connect(site.address);
  ASSERT_TRUE(peer);
  std::thread caller([&] {
    const Result<Payload> reply = peer->caller()->call({"station", "Hold"}, text(""), {});
    EXPECT_FALSE(reply);
    site.station->open_gate();
  });
  while (site.station->holding == 0) std::this_thread::yield();
  EXPECT_FALSE(site.server.drain(milliseconds(10)));
  caller.join();
}

TEST(Draining, SendsTheClientToTheNextServerWhileItsCallsFinish) {
  Site first;
  const Result<Peer> peer = connect(first.address);
  ASSERT_TRUE(peer);
  auto running = peer->caller()->start({"station", "Hold"}, text("old"), {});
  ASSERT_TRUE(running);
  while (first.station->holding == 0) std::this_thread::yield();
  std::future<bool> drained = std::async(std::launch::async, [&] { return first.server.drain(seconds(60)); });
  while (peer->connected()) std::this_thread::yield();
  first.station->open_gate();
  const std::optional<Payload> reply = (*running)->read();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->head.text(), "old");
  EXPECT_TRUE(drained.get());
  const Site second(first.address);
  ASSERT_TRUE(peer->wait_ready(seconds(60)).ok());
  EXPECT_EQ(echo(*peer, "new"), "new");
}

TEST(Draining, FollowsSigtermWhileTheProgramWaits) {
  const pid_t child =
      ::fork();  // before any thread of Leat's: each test runs in a process of its own under ctest
  ASSERT_GE(child, 0);
  if (child == 0) {
    int code = 1;
    {
      Site site;
      std::thread stopper([] {
        struct sigaction now_set{};
        while (::sigaction(SIGTERM, nullptr, &now_set) == 0 && now_set.sa_handler == SIG_DFL)
          std::this_thread::yield();  // until the other thread waits
        ::kill(::getpid(), SIGTERM);
      });
      site.server.wait();
      stopper.join();
      code = 0;
    }
    ::_exit(code);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(Draining, LeavesSigtermAloneWhereItIsToldTo) {
  const pid_t child = ::fork();  // as above
  ASSERT_GE(child, 0);
  if (child == 0) {
    ServerOptions options;
    options.drain_on_sigterm = false;
    Server server(options);
    std::thread sender([] { ::kill(::getpid(), SIGTERM); });
    (void)server.wait_for(seconds(60));
    sender.join();
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) << status;
}

TEST(Health, IsAskedOfTheOtherSide) {
  Site site;
  const Result<Peer> peer = connect(site.address);
  ASSERT_TRUE(peer);
  EXPECT_TRUE(*peer->health("station"));
  EXPECT_TRUE(*peer->health(""));
  ASSERT_TRUE(site.server.set_health("station", false).ok());
  EXPECT_FALSE(*peer->health("station"));
  ASSERT_TRUE(site.server.set_health("station", true).ok());
  EXPECT_TRUE(*peer->health("station"));
  EXPECT_EQ(site.server.set_health("nobody", true).code(), Code::kNotFound);
  const Result<bool> unknown = peer->health("nobody");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), Code::kNotFound);
  EXPECT_EQ(unknown.error().message(), site.address + ": nothing is offered there as 'nobody'");
}

}  // namespace
}  // namespace leat
