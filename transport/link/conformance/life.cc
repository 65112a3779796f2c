// Conformance: how links begin and end, and what users are told.
#include <array>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "transport/link/conformance/conformance.h"

namespace leat::transport::conformance {
namespace {

using testing::HasSubstr;

void expect_dead(const std::shared_ptr<End>& end) {
  EXPECT_EQ(end->loss().code(), Code::kUnavailable) << end->loss().to_string();
  EXPECT_THAT(end->loss().message(), HasSubstr("connection"));
  const Buffer bytes = Buffer::copy("late");
  const Slice slice{bytes.bytes(), bytes};
  Collector collector(1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(end->link().send({&slice, 1}).error().code(), Code::kUnavailable);
    EXPECT_EQ(end->link().receive(collector, 1000).error().code(), Code::kUnavailable);
  }
  EXPECT_EQ(end->link().send_budget(), 0U);
  EXPECT_FALSE(end->link().wants_write());
}

}  // namespace

TEST_P(LinkConformance, ClosingDeliversWhatWasAcceptedThenTheLoss) {
  for (const std::size_t largest : {std::size_t{20}, std::size_t{300'000}}) {
    SCOPED_TRACE(largest);
    pair();
    right_->pause(true);
    left_->queue(largest < 100 ? 1 << 20 : 16 << 20, largest);
    for (int turn = 0; turn < 5; ++turn) loop_.turn();
    const std::uint64_t accepted = left_->sent();
    EXPECT_GT(accepted, 0U);
    left_->close();
    left_->close();
    right_->pause(false);
    ASSERT_TRUE(loop_.run_until([&] { return !right_->loss().ok(); }));
    EXPECT_EQ(right_->received(), accepted);
    EXPECT_TRUE(right_->intact());
    expect_dead(right_);
    TearDown();
    SetUp();
  }
}

TEST_P(LinkConformance, TheAcceptingSideMayCloseJustAsWell) {
  pair();
  left_->pause(true);
  right_->queue(16 << 20, 300'000);
  for (int turn = 0; turn < 5; ++turn) loop_.turn();
  const std::uint64_t accepted = right_->sent();
  right_->close();
  left_->pause(false);
  ASSERT_TRUE(loop_.run_until([&] { return !left_->loss().ok(); }));
  EXPECT_EQ(left_->received(), accepted);
  EXPECT_TRUE(left_->intact());
  expect_dead(left_);
}

TEST_P(LinkConformance, DestroyingALinkEndsItForTheOtherSide) {
  pair();
  left_->queue(1000);
  ASSERT_TRUE(loop_.run_until([&] { return right_->received() == 1000; }));
  left_->drop();
  ASSERT_TRUE(loop_.run_until([&] { return !right_->loss().ok(); }));
  expect_dead(right_);
}

// A last word must not be lost because the other side had something to say that nobody read.
TEST_P(LinkConformance, ALastWordArrivesThoughTheCloserHadUnreadInput) {
  pair();
  left_->pause(true);
  right_->queue(100'000);
  ASSERT_TRUE(loop_.run_until([&] { return right_->unsent() == 0; }));
  left_->queue(500);
  left_->turn();
  ASSERT_EQ(left_->unsent(), 0U);
  left_->close();
  ASSERT_TRUE(loop_.run_until([&] { return !right_->loss().ok(); }));
  EXPECT_EQ(right_->received(), 500U);
  EXPECT_TRUE(right_->intact());
}

TEST_P(LinkConformance, AClosedLinkReportsFailures) {
  pair();
  left_->close();
  Collector collector(1);
  EXPECT_EQ(left_->link().receive(collector, 10).error().code(), Code::kUnavailable);
  EXPECT_EQ(left_->link().send({}).error().code(), Code::kUnavailable);
  EXPECT_EQ(left_->link().send_budget(), 0U);
}

TEST_P(LinkConformance, SendingToAPeerThatLeftIsNoticedByReading) {
  pair();
  right_->close();
  left_->queue(100 << 20);
  ASSERT_TRUE(loop_.run_until([&] { return !left_->loss().ok(); }));
  expect_dead(left_);
}

TEST_P(LinkConformance, LinksComeAndGoManyTimes) {
  const std::string address = listen(loop_);
  for (std::size_t round = 1; round <= 30; ++round) {
    auto link = connect(address);
    ASSERT_NE(link, nullptr);
    const auto left = loop_.add(std::move(link));
    left->queue(2000);
    ASSERT_TRUE(loop_.run_until([&] { return loop_.accepted_ends().size() == round; }));
    const auto right = loop_.accepted_ends().back();
    right->queue(3000);
    ASSERT_TRUE(loop_.run_until([&] { return right->received() == 2000 && left->received() == 3000; }));
    const auto& [closer, other] = round % 2 == 0 ? std::pair(left, right) : std::pair(right, left);
    closer->drop();
    ASSERT_TRUE(loop_.run_until([&] { return !other->loss().ok(); }));
    other->drop();
  }
}

TEST_P(LinkConformance, LinksOutliveTheirListenerOrAreLostWithIt) {
  pair();
  const bool depends = right_->link().descriptor() < 0;
  loop_.listener().close();
  loop_.listener().close();
  loop_.drop_listener();
  if (depends) {
    right_->turn();
    expect_dead(right_);
    ASSERT_TRUE(loop_.run_until([&] { return !left_->loss().ok(); }));
    return;
  }
  left_->queue(10'000);
  right_->queue(10'000);
  ASSERT_TRUE(loop_.run_until([&] { return left_->received() == 10'000 && right_->received() == 10'000; }));
}

TEST_P(LinkConformance, ConnectingToNobodySaysSoAtOnceAndNamesTheUrl) {
  const std::string address = listen(loop_);
  loop_.listener().close();
  loop_.drop_listener();
  const auto link = transport_->connect(address, {.timeout = std::chrono::hours(1)});
  ASSERT_FALSE(link.has_value());
  EXPECT_EQ(link.error().code(), Code::kUnavailable);
  EXPECT_THAT(link.error().message(), HasSubstr(GetParam().scheme + "://" + address));
  EXPECT_THAT(link.error().message(), HasSubstr("is the server running?"));
}

TEST_P(LinkConformance, AnAddressInUseIsRefusedAndFreeAgainAfterwards) {
  const std::string address = listen(loop_);
  const auto second = transport_->listen(address, {});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), Code::kAlreadyExists) << second.error().to_string();
  EXPECT_THAT(second.error().message(), HasSubstr(GetParam().scheme + "://" + address));
  EXPECT_THAT(second.error().message(), HasSubstr("in use"));

  auto link = connect(address);  // the first one is unharmed
  ASSERT_NE(link, nullptr);
  const auto end = loop_.add(std::move(link));
  ASSERT_TRUE(loop_.run_until([&] { return loop_.accepted_ends().size() == 1; }));

  loop_.drop_listener();
  // ZeroMQ closes in the background, so "afterwards" may take a moment.
  std::unique_ptr<Listener> third;
  ASSERT_TRUE(loop_.run_until([&] {
    auto again = transport_->listen(address, {});
    if (again) third = std::move(*again);
    return third != nullptr;
  }));
  EXPECT_EQ(address_of(third->url()), address);
}

TEST_P(LinkConformance, UnreadableAddressesAreNamedAndExplained) {
  for (const std::string& address : GetParam().unreadable) {
    SCOPED_TRACE(address);
    const auto link = transport_->connect(address, {});
    ASSERT_FALSE(link.has_value());
    EXPECT_EQ(link.error().code(), Code::kInvalidArgument) << link.error().to_string();
    EXPECT_THAT(link.error().message(), HasSubstr(GetParam().scheme + "://" + address));
    const auto listener = transport_->listen(address, {});
    ASSERT_FALSE(listener.has_value());
    EXPECT_EQ(listener.error().code(), Code::kInvalidArgument) << listener.error().to_string();
  }
}

TEST_P(LinkConformance, BeyondLoopbackIsRefusedWithBothWaysOut) {
  for (const std::string& address : GetParam().beyond_loopback) {
    SCOPED_TRACE(address);
    const auto refused = transport_->listen(address, {});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Code::kPermissionDenied) << refused.error().to_string();
    EXPECT_THAT(refused.error().message(), HasSubstr(GetParam().scheme + "://" + address));
    EXPECT_THAT(refused.error().message(), HasSubstr("insecure=True"));
    EXPECT_THAT(refused.error().message(), HasSubstr("127.0.0.1"));
    const auto allowed = transport_->listen(address, {.insecure = true});
    ASSERT_TRUE(allowed.has_value()) << allowed.error().to_string();
    EXPECT_THAT((*allowed)->url(), testing::Not(testing::EndsWith(":0")));
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SocketConformance);

// The child is forked while this process has no thread but this one, and makes a transport of its own.
TEST_P(SocketConformance, TheDeathOfThePeersProcessIsNoticed) {
  std::array<int, 2> channel{};
  ASSERT_EQ(pipe(channel.data()), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto transport = GetParam().make();
    auto listener = transport->listen(GetParam().free_address(), {});
    if (!listener) _exit(1);
    const std::string url = (*listener)->url() + "\n";
    if (write(channel[1], url.data(), url.size()) < 0) _exit(1);
    Loop loop;
    loop.listen(std::move(*listener));
    std::size_t greeted = 0;
    for (;;) {
      loop.turn();
      for (; greeted < loop.accepted_ends().size(); ++greeted) loop.accepted_ends()[greeted]->queue(1000);
    }
  }
  ::close(channel[1]);
  std::string url;
  for (char letter = 0; read(channel[0], &letter, 1) == 1 && letter != '\n';) url += letter;
  ::close(channel[0]);
  ASSERT_FALSE(url.empty());

  transport_ = GetParam().make();
  auto link = connect(address_of(url));
  if (link) {
    left_ = loop_.add(std::move(link));
    left_->queue(1000);
    EXPECT_TRUE(loop_.run_until([&] { return left_->received() == 1000; }));
    kill(child, SIGKILL);
    EXPECT_TRUE(loop_.run_until([&] { return !left_->loss().ok(); }));
    EXPECT_EQ(left_->received(), 1000U);
    expect_dead(left_);
  }
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);

  // A killed server leaves nothing behind that keeps the next one from its address.
  const auto next = transport_->listen(address_of(url), {});
  EXPECT_TRUE(next.has_value()) << next.error().to_string();
}

}  // namespace leat::transport::conformance
