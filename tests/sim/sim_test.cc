// The simulation's own parts: chance, time, links, patterns, memory; and that a seed is a seed.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/wire/call_frames.h"
#include "tests/sim/memory.h"
#include "tests/sim/network.h"
#include "tests/sim/pattern.h"
#include "tests/sim/runs.h"
#include "tests/sim/wire_tap.h"
#include "tests/sim/world.h"

namespace leat::sim {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

TEST(Chance, IsTheSameEverywhere) {
  Random random(1);
  EXPECT_EQ(random.next(), 14233695028433725123ULL);
  EXPECT_EQ(random.below(1000), 388U);
  EXPECT_EQ(random.between(milliseconds(1), milliseconds(2)).count(), 1'464'279);
}

TEST(Chance, KeepsWithinItsBounds) {
  Random random(2);
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t size = random.skewed(3, 1000);
    ASSERT_GE(size, 3U);
    ASSERT_LE(size, 1000U);
    const double fraction = random.fraction();
    ASSERT_GE(fraction, 0);
    ASSERT_LT(fraction, 1);
  }
}

TEST(Time, PassesInOrderAndKeepsTheOrderOfPlans) {
  Timeline timeline;
  std::vector<int> order;
  timeline.after(milliseconds(2), [&] { order.push_back(3); });
  timeline.after(milliseconds(1), [&] {
    order.push_back(1);
    timeline.after(milliseconds(1), [&] { order.push_back(4); });
  });
  timeline.after(milliseconds(1), [&] { order.push_back(2); });
  while (timeline.step()) {
  }
  EXPECT_THAT(order, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(timeline.elapsed(), milliseconds(2));
}

TEST(Plans, AreTheSameEverywhere) {
  std::uint64_t digest = 0;
  for (const CallPlan& call : make_plan(1).calls) {
    for (const std::uint64_t size : call.replies.sizes) digest = mix(digest ^ size);
    digest = mix(digest ^ static_cast<std::uint64_t>(call.start.count()) ^ call.result.message().size());
  }
  EXPECT_EQ(digest, 13390390604492654432ULL)
      << "of a plan that was not changed: something depends on the compiler";
}

/// Notes what it hears of a link.
struct Listener final : LinkEnd {
  void on_bytes(Bytes bytes) override {
    text += as_text(bytes);
    ++pieces;
  }
  void on_room() override { ++rooms; }
  void on_lost() override { lost = true; }
  std::string text;
  int pieces = 0;
  int rooms = 0;
  bool lost = false;
};

class Links : public ::testing::Test {
 protected:
  void make(const LinkOptions& options) {
    link_ = std::make_shared<Link>(timeline_, Random(3), options);
    link_->attach(Side::kConnector, connector_);
    link_->attach(Side::kAcceptor, acceptor_);
  }
  std::size_t send(std::string_view text) {
    const Slice slice{as_bytes(text), {}};
    return link_->send(Side::kConnector, std::span(&slice, 1));
  }
  void run() {
    while (timeline_.step()) {
    }
  }
  Timeline timeline_;
  std::shared_ptr<Link> link_;
  Listener connector_;
  Listener acceptor_;
};

TEST_F(Links, CutBytesAnywhereAndKeepTheirOrder) {
  make({.jitter = milliseconds(5), .largest_piece = 7, .shredded = 50});
  std::string all;
  for (int i = 0; i < 100; ++i) {
    const std::string text = std::to_string(i) + ",";
    all += text;
    EXPECT_EQ(send(text), text.size());
    if (i % 10 == 0) timeline_.step();
  }
  run();
  EXPECT_EQ(acceptor_.text, all);
  EXPECT_GT(acceptor_.pieces, 20);
}

TEST_F(Links, TakeNoMoreThanTheyHoldAndSayWhenThereIsRoom) {
  make({.capacity = 100});
  const std::string text(150, 'x');
  EXPECT_EQ(send(text), 100U);
  EXPECT_EQ(send(text), 0U);
  run();
  EXPECT_EQ(connector_.rooms, 1);
  EXPECT_EQ(send(text), 100U);
}

TEST_F(Links, StallAndGoOn) {
  make({});
  link_->stall(Side::kConnector, timeline_.now() + milliseconds(500));
  send("late");
  run();
  EXPECT_EQ(acceptor_.text, "late");
  EXPECT_EQ(timeline_.elapsed(), milliseconds(500));
}

TEST_F(Links, DeliverWhatWasSentBeforeTheyAreClosed) {
  make({});
  send("goodbye");
  link_->close(Side::kConnector);
  run();
  EXPECT_EQ(acceptor_.text, "goodbye");
  EXPECT_TRUE(acceptor_.lost);
  EXPECT_FALSE(connector_.lost) << "who closes hears no more";
}

TEST_F(Links, LoseWhatIsUnderWayWhenTheyBreak) {
  make({});
  send("gone");
  link_->lose();
  run();
  EXPECT_EQ(acceptor_.text, "");
  EXPECT_TRUE(acceptor_.lost);
  EXPECT_TRUE(connector_.lost);
}

TEST(Patterns, TellAMessageFromAnyOther) {
  for (const std::uint64_t size : {0U, 1U, 7U, 100U, 100'000U}) {
    for (std::uint32_t index = 0; index < 20; ++index) {
      const ItemName name{7, Direction::kReply, index};
      const Payload item = make_item(name, size);
      EXPECT_EQ(wrong_with(item, name, size), std::nullopt);
      EXPECT_NE(wrong_with(item, name, size + 1), std::nullopt);
      if (size < 16) continue;
      EXPECT_NE(wrong_with(item, {7, Direction::kReply, index + 1}, size), std::nullopt);
      EXPECT_NE(wrong_with(item, {8, Direction::kReply, index}, size), std::nullopt);
      EXPECT_NE(wrong_with(item, {7, Direction::kRequest, index}, size), std::nullopt);
    }
  }
}

struct Frames final : Observer {
  void on_frame_sent(const Frame& frame) override {
    kinds.push_back(frame.header.kind);
    bodies.push_back(frame.body.size());
  }
  std::vector<wire::Kind> kinds;
  std::vector<std::size_t> bodies;
};

TEST(Taps, ReadFramesAlongHoweverTheyAreCut) {
  std::vector<std::byte> bytes;
  const auto add = [&bytes](wire::Kind kind, std::uint16_t flags, std::uint32_t size) {
    const std::size_t at = bytes.size();
    bytes.resize(at + wire::FrameHeader::kSize + size);
    wire::FrameHeader header;
    header.length = size;
    header.kind = kind;
    header.flags = flags;
    header.encode(std::span(bytes).subspan(at).first<wire::FrameHeader::kSize>());
  };
  add(wire::Kind::kCredit, 0, 8);
  add(wire::Kind::kMessage, wire::kFirst, 500'000);
  add(wire::Kind::kMessage, wire::kLast, 500'000);
  add(wire::Kind::kPing, 0, 0);
  for (const std::size_t piece : {1U, 15U, 16U, 17U, 100'000U, 10'000'000U}) {
    Frames frames;
    Observers observers;
    observers.add(frames);
    WireTap tap(observers, &Observer::on_frame_sent, {}, Lane::kMain);
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      tap.pass(Bytes(bytes).subspan(at, std::min(piece, bytes.size() - at)));
    using enum wire::Kind;
    EXPECT_THAT(frames.kinds, ElementsAre(kCredit, kMessage, kMessage, kPing));
    EXPECT_THAT(frames.bodies, ElementsAre(8, wire::Prologue::kFixedSize + 8 * wire::kMaxAttachments, 0, 0));
  }
}

TEST(Memory, IsCountedToWhomItIsAllocatedFor) {
  if (!counts_memory()) GTEST_SKIP() << "this sanitizer has an operator new of its own";
  Account account;
  {
    std::vector<char> theirs(1000);
    std::optional<Charge> charge(account);
    const auto ours = std::make_unique<std::array<char, 100>>();
    EXPECT_EQ(account.bytes, 100);
    theirs = {};
    const Buffer aligned = Buffer::allocate(64);
    EXPECT_EQ(account.bytes, 100 + 128);
    charge.reset();
    const std::vector<char> later(500);
    EXPECT_EQ(account.bytes, 100 + 128);
  }
  EXPECT_EQ(account.bytes, 0);
  EXPECT_EQ(account.most, 100 + 128);
}

TEST(Seeds, AreReproducedExactly) {
  const Outcome first = run_seed(1, {TraceMode::kKeep, {}});
  const Outcome again = run_seed(1, {TraceMode::kKeep, {}});
  EXPECT_EQ(first.failure ? first.failure->what : "", "");
  EXPECT_EQ(first.digest, again.digest);
  EXPECT_EQ(first.trace, again.trace);
  EXPECT_EQ(first.digest, run_seed(1).digest) << "whether anybody looks or not";
  EXPECT_NE(first.digest, run_seed(2).digest);
}

TEST(Seeds, TellTheSameStoryEachTime) {
  const auto told = [] {
    ::testing::internal::CaptureStdout();
    const Outcome outcome = run_seed(1, {TraceMode::kPrint, {}});
    std::fflush(stdout);
    return ::testing::internal::GetCapturedStdout();
  };
  const std::string story = told();
  EXPECT_GT(std::ranges::count(story, '\n'), 10'000);
  EXPECT_TRUE(told() == story);
  const Outcome kept = run_seed(1, {TraceMode::kKeep, {}});
  EXPECT_TRUE(story.ends_with(kept.trace.back() + "\n")) << kept.trace.back();
}

TEST(Seeds, HaveEnoughOfEverything) {
  for (const std::uint64_t seed : {3U, 4U, 5U}) {
    const Stats stats = run_seed(seed).stats;
    EXPECT_GE(2 * stats.links, 4U);
    EXPECT_GE(stats.calls, 500U);
    for (const std::uint64_t of_kind : stats.by_kind) EXPECT_GE(of_kind, 50U);
  }
}

}  // namespace
}  // namespace leat::sim
