// Conformance: bytes, order, back-pressure and wake-ups.
#include <thread>

#include <gmock/gmock.h>

#include "transport/link/conformance/conformance.h"

namespace leat::transport::conformance {

TEST_P(LinkConformance, ConnectsAndIsAcceptedBeforeAnybodySpeaks) {
  pair();
  EXPECT_EQ(left_->link().scheme(), GetParam().scheme);
  EXPECT_EQ(right_->link().scheme(), GetParam().scheme);
  EXPECT_THAT(left_->link().remote(), testing::StartsWith(GetParam().scheme + "://"));
  EXPECT_THAT(right_->link().remote(), testing::StartsWith(GetParam().scheme + "://"));
  EXPECT_GT(left_->link().send_budget(), 0U);
  EXPECT_GT(right_->link().send_budget(), 0U);
  EXPECT_FALSE(left_->link().wants_write());
  EXPECT_EQ(left_->link().receive(*std::make_unique<Collector>(1), 1000).value(), 0U);
}

TEST_P(LinkConformance, BytesArriveInOrderHoweverTheyAreCutBothWaysAtOnce) {
  pair();
  constexpr std::uint64_t kBytes = 300'000;
  left_->queue(kBytes, 1000);
  right_->queue(kBytes, 1000);
  ASSERT_TRUE(loop_.run_until([&] { return left_->received() == kBytes && right_->received() == kBytes; }));
  EXPECT_TRUE(left_->intact());
  EXPECT_TRUE(right_->intact());
  left_->queue(kBytes, 400'000);
  right_->queue(kBytes, 50);
  ASSERT_TRUE(
      loop_.run_until([&] { return left_->received() == 2 * kBytes && right_->received() == 2 * kBytes; }));
  EXPECT_TRUE(left_->intact());
  EXPECT_TRUE(right_->intact());
}

TEST_P(LinkConformance, LargeTransfersLoseNothingUnderBackPressure) {
  pair();
  constexpr std::uint64_t kBytes = 64 << 20;
  right_->pause(true);
  left_->queue(kBytes, 3 << 20);
  // Fill whatever is between the ends, then let the reader begin.
  for (int turn = 0; turn < 20 && left_->unsent() > 0; ++turn) loop_.turn();
  if (GetParam().stops_the_sender) {
    EXPECT_GT(left_->unsent(), 0U) << "the link takes in more than it can hold";
    EXPECT_EQ(left_->link().send_budget(), 0U);
  }
  right_->pause(false);
  right_->queue(kBytes, 300'000);
  ASSERT_TRUE(loop_.run_until([&] { return left_->received() == kBytes && right_->received() == kBytes; }));
  EXPECT_TRUE(left_->intact());
  EXPECT_TRUE(right_->intact());
  EXPECT_EQ(left_->unsent(), 0U);
  EXPECT_FALSE(left_->link().wants_write());
}

TEST_P(LinkConformance, OneSendTakesABoundedPartOfWhatIsOffered) {
  pair();
  const Buffer all = Buffer::allocate(256 << 20);
  const Slice slice{all.bytes(), all};
  const auto taken = left_->link().send({&slice, 1});
  ASSERT_TRUE(taken.has_value());
  EXPECT_GT(*taken, 0U);
  EXPECT_LT(*taken, 64U << 20);
  EXPECT_EQ(left_->link().send_budget(), 0U);
}

TEST_P(LinkConformance, ReceivesAboutAsMuchAsAskedFor) {
  pair();
  left_->queue(3'000'000, 50'000);
  right_->pause(true);
  Collector collector(1);
  std::uint64_t before = 0;
  ASSERT_TRUE(loop_.run_until([&] {
    for (std::size_t got = 1; got > 0;) {
      got = right_->link().receive(collector, 10'000).value();
      EXPECT_LT(got, 10'000U + 200'000U);
      EXPECT_EQ(collector.received() - before, got);
      before = collector.received();
      left_->turn();
    }
    return before == 3'000'000;
  }));
  EXPECT_TRUE(collector.intact());
}

TEST_P(LinkConformance, SendingNothingIsNothing) {
  pair();
  EXPECT_EQ(left_->link().send({}).value(), 0U);
  const std::vector<Slice> empty(3);
  EXPECT_EQ(left_->link().send(empty).value(), 0U);
  left_->queue(10);
  ASSERT_TRUE(loop_.run_until([&] { return right_->received() == 10; }));
}

// Each end sleeps in poll() until the other's message comes: one lost wake-up, and this stands still.
TEST_P(LinkConformance, NoWakeUpIsLostInTenThousandRoundTrips) {
  constexpr std::uint64_t kRounds = 10'000;
  constexpr std::uint64_t kSize = 64;
  const std::string address = listen(loop_);
  bool answered = false;
  std::thread server([&] {
    if (!loop_.run_until([&] { return !loop_.accepted_ends().empty(); })) return;
    const auto end = loop_.accepted_ends().front();
    std::uint64_t rounds = 0;
    answered = loop_.run_until([&] {
      if (end->received() > rounds * kSize) {
        ++rounds;
        end->queue(kSize, 64);
      }
      return rounds == kRounds && end->unsent() == 0;
    });
  });
  Loop loop;
  auto link = connect(address);
  if (link) {
    const auto end = loop.add(std::move(link));
    std::uint64_t rounds = 0;
    end->queue(kSize, 64);
    EXPECT_TRUE(loop.run_until([&] {
      if (end->received() == (rounds + 1) * kSize) {
        if (++rounds < kRounds) end->queue(kSize, 64);
      }
      return rounds == kRounds;
    }));
    EXPECT_TRUE(end->intact());
  }
  server.join();
  EXPECT_TRUE(answered);
}

TEST_P(LinkConformance, SixtyFourLinksToOneListenerStayApart) {
  constexpr std::size_t kLinks = 64;
  constexpr std::uint64_t kBytes = 50'000;
  const std::string address = listen(loop_);
  std::vector<std::shared_ptr<End>> ends;
  for (std::size_t i = 0; i < kLinks; ++i) {
    auto link = connect(address);
    ASSERT_NE(link, nullptr);
    ends.push_back(loop_.add(std::move(link)));
    ends.back()->queue(kBytes + i, 5000);
  }
  // Every accepted end answers with as much as its client sent, which differs from client to client.
  std::size_t answered = 0;
  ASSERT_TRUE(loop_.run_until([&] {
    if (loop_.accepted_ends().size() < kLinks) return false;
    std::uint64_t total = 0;
    for (const auto& end : loop_.accepted_ends()) total += end->received();
    return total == kLinks * kBytes + kLinks * (kLinks - 1) / 2;
  }));
  for (const auto& end : loop_.accepted_ends()) end->queue(end->received(), 5000);
  ASSERT_TRUE(loop_.run_until([&] {
    answered = 0;
    for (std::size_t i = 0; i < kLinks; ++i) answered += ends[i]->received() == kBytes + i ? 1U : 0U;
    return answered == kLinks;
  }));
  for (const auto& end : ends) EXPECT_TRUE(end->intact());
  for (const auto& end : loop_.accepted_ends()) EXPECT_TRUE(end->intact());
}

TEST_P(LinkConformance, DifferentLinksMayBeUsedFromDifferentThreads) {
  constexpr std::size_t kThreads = 4;
  constexpr std::uint64_t kBytes = 2'000'000;
  const std::string address = listen(loop_);
  std::vector<std::unique_ptr<Link>> links;
  for (std::size_t i = 0; i < kThreads; ++i) {
    links.push_back(connect(address));
    ASSERT_NE(links.back(), nullptr);
  }
  ASSERT_TRUE(loop_.run_until([&] { return loop_.accepted_ends().size() == kThreads; }));
  for (const auto& end : loop_.accepted_ends()) end->queue(kBytes);
  std::vector<std::thread> threads;
  std::vector<int> whole(kThreads, 0);
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      Loop loop;
      const auto end = loop.add(std::move(links[i]));
      end->queue(kBytes);
      const bool done = loop.run_until([&] { return end->received() == kBytes && end->unsent() == 0; });
      whole[i] = done && end->intact() ? 1 : 0;
    });
  }
  EXPECT_TRUE(loop_.run_until([&] {
    for (const auto& end : loop_.accepted_ends()) {
      if (end->received() < kBytes || end->unsent() > 0) return false;
    }
    return true;
  }));
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(whole, testing::Each(1));
  for (const auto& end : loop_.accepted_ends()) EXPECT_TRUE(end->intact());
}

}  // namespace leat::transport::conformance
