// The second lane: how it is had, what travels on it, and what overtakes what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/session/session_fixture.h"

namespace leat::session {
namespace {

using ::testing::HasSubstr;

/// A pair with a second lane.
struct TwoLanes : Ready {
  explicit TwoLanes(Options connector = {}, Options acceptor = {})
      : Ready(std::move(connector), std::move(acceptor)) {
    attach();
    EXPECT_TRUE(client.lane_attached());
    EXPECT_TRUE(server.lane_attached());
  }
  std::vector<std::byte> bulk(Session& from) const { return output(from, 1U << 30U, Lane::kBulk); }
};

std::size_t count(const std::vector<Event>& events, Kind kind) {
  return static_cast<std::size_t>(std::ranges::count(events, kind, &Event::kind));
}

std::string message_in(const std::vector<Event>& events) {
  for (const Event& event : events) {
    if (event.kind == Kind::kMessage) return std::string(event.payload.head.text());
  }
  return "no message";
}

TEST(Lanes, AreAskedForByTheConnectorWhenItHasBulk) {
  Ready pair;
  pair.open();
  EXPECT_FALSE(pair.client.has_event());
  const wire::StreamId id = pair.open(Channel::kBulk);
  pair.open(Channel::kBulk);
  EXPECT_EQ(count(Pair::events(pair.client), Kind::kLaneWanted), 1U) << "once";
  ASSERT_TRUE(pair.client.send(id, raw(1'000'000), true).ok());
  pair.run();
  EXPECT_EQ(message_in(Pair::events(pair.server)).size(), 1'000'000U)
      << "lane 0 serves until the other is there";
}

constexpr Duration kPatience = std::chrono::milliseconds(100);

TEST(Lanes, AreWaitedForByTheBulkThatAskedForThem) {
  Ready pair({}, {}, kPatience);
  const wire::StreamId up = pair.open(Channel::kBulk);
  ASSERT_TRUE(pair.client.send(up, raw(1000), false).ok());
  EXPECT_FALSE(pair.client.has_output()) << "what begins on lane 0 would stay there";
  EXPECT_EQ(pair.client.next_timeout(), pair.now + kPatience);
  const wire::StreamId small = pair.open();
  ASSERT_TRUE(pair.client.send(small, raw("small"), true).ok());
  EXPECT_TRUE(pair.client.has_output(Lane::kMain)) << "calls don't wait";
  pair.attach();
  EXPECT_GT(pair.client.next_timeout(), pair.now + kPatience);
  pair.run();
  EXPECT_EQ(count(Pair::events(pair.server), Kind::kMessage), 2U);
  ASSERT_TRUE(pair.client.send(up, raw("more"), true).ok());
  EXPECT_FALSE(pair.client.has_output(Lane::kMain));
  EXPECT_TRUE(pair.client.has_output(Lane::kBulk));
}

TEST(Lanes, AreWaitedForOnlySoLong) {
  Ready pair({}, {}, kPatience);
  const wire::StreamId id = pair.open(Channel::kBulk);
  ASSERT_TRUE(pair.client.send(id, raw(1'000'000), true).ok());
  pair.now += kPatience;
  pair.client.on_timeout(pair.now);
  EXPECT_TRUE(pair.client.has_output(Lane::kMain));
  pair.run();
  EXPECT_EQ(message_in(Pair::events(pair.server)).size(), 1'000'000U);
}

TEST(Lanes, AreNotWaitedForOnceTheyAreRefused) {
  Ready pair({}, {}, kPatience);
  const wire::StreamId id = pair.open(Channel::kBulk);
  ASSERT_TRUE(pair.client.send(id, raw(1'000'000), true).ok());
  pair.client.lane_lost(Lane::kBulk, {Code::kUnavailable, "no second connection"}, pair.now);
  EXPECT_TRUE(pair.client.has_output(Lane::kMain));
  pair.run();
  EXPECT_EQ(message_in(Pair::events(pair.server)).size(), 1'000'000U);
}

TEST(Lanes, AreWaitedForByAnAnswerToo) {
  Ready pair({}, {}, kPatience);
  const wire::StreamId id = pair.open();
  ASSERT_TRUE(pair.client.send(id, raw("go"), true).ok());
  pair.run();
  ASSERT_TRUE(pair.server.send(id, raw(1U << 20U), true).ok());
  pair.run();
  EXPECT_EQ(count(Pair::events(pair.client), Kind::kMessage), 0U);
  pair.attach();
  EXPECT_FALSE(pair.server.has_output(Lane::kMain));
  pair.run();
  EXPECT_EQ(message_in(Pair::events(pair.client)).size(), 1U << 20U);
}

TEST(Lanes, MayGoAwayWhileBulkWaitsForThem) {
  Ready pair({}, {}, kPatience);
  const wire::StreamId id = pair.open(Channel::kBulk);
  ASSERT_TRUE(pair.client.send(id, raw(1'000'000), true).ok());
  pair.client.cancel(id, Code::kCancelled, "never mind");
  pair.now += kPatience;
  pair.client.on_timeout(pair.now);
  EXPECT_EQ(pair.client.stream_count(), 0U);
  EXPECT_FALSE(pair.client.has_output());
}

TEST(Lanes, AreAskedForByTheAcceptorThroughTheConnector) {
  Ready pair;
  const wire::StreamId id = pair.open();
  ASSERT_TRUE(pair.client.send(id, raw("go"), true).ok());
  pair.run();
  ASSERT_TRUE(pair.server.send(id, raw(1U << 20U), true).ok());
  EXPECT_FALSE(pair.server.has_event() && count(Pair::events(pair.server), Kind::kLaneWanted) > 0);
  pair.run();
  EXPECT_EQ(count(Pair::events(pair.client), Kind::kLaneWanted), 1U);
}

TEST(Lanes, AreNotAskedForWhereOneSideTakesNone) {
  for (const bool connector : {true, false}) {
    Options none;
    none.second_lane = false;
    Ready pair(connector ? none : Options(), connector ? Options() : none);
    const wire::StreamId id = pair.open(Channel::kBulk);
    pair.run();
    ASSERT_TRUE(pair.server.send(id, raw(1U << 20U), true).ok());
    pair.run();
    EXPECT_EQ(count(Pair::events(pair.client), Kind::kLaneWanted), 0U);
    EXPECT_EQ(pair.client.add_lane(pair.now).code(), Code::kFailedPrecondition);
    EXPECT_EQ(pair.server.add_lane(pair.now).code(), Code::kFailedPrecondition);
  }
}

TEST(Lanes, CarryBulkBothWaysAndNothingElse) {
  TwoLanes pair;
  const wire::StreamId small = pair.open();
  const wire::StreamId large = pair.open(Channel::kBulk);
  ASSERT_TRUE(pair.client.send(small, raw("small"), true).ok());
  ASSERT_TRUE(pair.client.send(large, raw("large"), true).ok());
  EXPECT_TRUE(pair.client.has_output(Lane::kBulk));
  const std::vector<std::byte> main = pair.output(pair.client);
  const std::vector<std::byte> bulk = pair.bulk(pair.client);
  EXPECT_THAT(as_text(main), HasSubstr("small"));
  EXPECT_THAT(as_text(main), Not(HasSubstr("large")));
  EXPECT_THAT(as_text(bulk), HasSubstr("large"));
  pair.give(pair.server, main);
  pair.give(pair.server, bulk, Lane::kBulk);
  EXPECT_EQ(count(Pair::events(pair.server), Kind::kMessage), 2U);

  pair.server.headers(large, {{"k", "v"}});
  ASSERT_TRUE(pair.server.send(large, raw("answer"), false).ok());
  pair.server.end(large, {Code::kAborted, "enough"}, {});
  EXPECT_FALSE(pair.server.has_output(Lane::kMain));
  pair.run();
  const std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].kind, Kind::kHeaders);
  EXPECT_EQ(events[1].payload.head.text(), "answer");
  EXPECT_EQ(events[2].status.to_string(), "aborted: enough");
}

TEST(Lanes, CarryLargeAnswersToSmallCalls) {
  TwoLanes pair;
  const wire::StreamId id = pair.open();
  ASSERT_TRUE(pair.client.send(id, raw("go"), true).ok());
  pair.run();
  pair.server.headers(id, {{"k", "v"}});
  ASSERT_TRUE(pair.server.send(id, raw(1U << 20U), true).ok());
  EXPECT_FALSE(pair.server.has_output(Lane::kMain)) << "the headers go with the message";
  pair.run();
  const std::vector<Event> events = Pair::events(pair.client);
  EXPECT_EQ(events.front().kind, Kind::kHeaders);
  EXPECT_EQ(message_in(events).size(), 1U << 20U);
  EXPECT_EQ(events.back().kind, Kind::kEnded);
}

TEST(Lanes, KeepADirectionThatHasBegunOnLaneZero) {
  TwoLanes pair;
  const wire::StreamId id = pair.open();
  ASSERT_TRUE(pair.client.send(id, raw("go"), true).ok());
  pair.run();
  pair.server.headers(id, {{"k", "v"}});
  pair.run();
  ASSERT_TRUE(pair.server.send(id, raw(1U << 20U), true).ok());
  EXPECT_TRUE(pair.server.has_output(Lane::kMain)) << "bulk by now, but behind its headers";
  EXPECT_FALSE(pair.server.has_output(Lane::kBulk));
  pair.run();
  EXPECT_EQ(message_in(Pair::events(pair.client)).size(), 1U << 20U);
}

TEST(Lanes, LeaveStreamsWhereTheyBeganWhenTheSecondComes) {
  Ready pair;
  const wire::StreamId before = pair.open(Channel::kBulk);
  ASSERT_TRUE(pair.client.send(before, raw(10'000, 'b'), false).ok());
  pair.attach();
  const wire::StreamId after = pair.open(Channel::kBulk);
  ASSERT_TRUE(pair.client.send(after, raw(10'000, 'a'), true).ok());
  ASSERT_TRUE(pair.client.send(before, raw(10'000, 'c'), true).ok());
  const std::vector<std::byte> main = pair.output(pair.client);
  const std::vector<std::byte> bulk = pair.output(pair.client, 1U << 30U, Lane::kBulk);
  EXPECT_EQ(std::ranges::count(main, std::byte{'a'}) < 100, true);
  // The newer lane is the faster one.
  pair.give(pair.server, bulk, Lane::kBulk);
  pair.give(pair.server, main);
  const std::vector<Event> events = Pair::events(pair.server);
  EXPECT_EQ(count(events, Kind::kOpened), 2U);
  EXPECT_EQ(count(events, Kind::kMessage), 3U);
  EXPECT_TRUE(pair.server.ready());
}

TEST(Lanes, RefuseAnOpenOnTheFirstThatIsNewerThanTheSeconds) {
  TwoLanes pair;
  pair.open(Channel::kBulk);
  pair.run();
  Pair::events(pair.server);
  const auto id = wire::StreamId::make(2, false, Channel::kBulk);
  pair.give(pair.server, frame(wire::Kind::kOpen, id, encoded(echo()), Channel::kBulk));
  EXPECT_EQ(close_reason(pair.server), "protocol violation: a stream opened twice, or out of order");
}

TEST(Lanes, LetACancelOvertakeItsOpen) {
  TwoLanes pair;
  const wire::StreamId id = pair.open(Channel::kBulk);
  ASSERT_TRUE(pair.client.send(id, raw("never mind"), true).ok());
  const std::vector<std::byte> bulk = pair.bulk(pair.client);
  pair.client.cancel(id, Code::kCancelled, "changed my mind");
  pair.move(pair.client, pair.server);
  pair.give(pair.server, bulk, Lane::kBulk);
  EXPECT_FALSE(pair.server.has_event()) << "the call was never made";
  EXPECT_EQ(pair.server.stream_count(), 0U);
  EXPECT_TRUE(pair.server.ready());
}

TEST(Lanes, LetCreditOvertakeItsOpen) {
  TwoLanes pair;
  const wire::StreamId id = pair.open(Channel::kBulk);
  const std::vector<std::byte> bulk = pair.bulk(pair.client);
  pair.give(pair.server, frame(wire::Kind::kCredit, id, encoded(wire::Credit{1U << 20U})));
  pair.give(pair.server, bulk, Lane::kBulk);
  ASSERT_TRUE(pair.server.send(id, raw(900'000), false).ok());
  EXPECT_GT(pair.bulk(pair.server).size(), 900'000U) << "all of it, though the window is smaller";
}

TEST(Lanes, BoundWhatIsEarly) {
  Options server;
  server.max_early_frames = 3;
  TwoLanes pair({}, server);
  for (std::uint64_t i = 1; i <= 4; ++i) {
    EXPECT_TRUE(pair.server.ready());
    const auto id = wire::StreamId::make(i, false, Channel::kBulk);
    pair.give(pair.server, frame(wire::Kind::kCredit, id, encoded(wire::Credit{1})));
    pair.give(pair.server, frame(wire::Kind::kCredit, id, encoded(wire::Credit{2})));
  }
  EXPECT_EQ(close_reason(pair.server),
            "protocol violation: frames for more than max_early_frames (3) streams that were not opened");
}

TEST(Lanes, CloseOnWhatWasNeverOpened) {
  for (const Channel channel : {Channel::kRpc, Channel::kBulk}) {
    for (const bool theirs : {true, false}) {
      TwoLanes pair;
      const auto id = wire::StreamId::make(9, theirs, channel);
      const bool early = channel == Channel::kBulk && !theirs;
      pair.give(pair.server, frame(wire::Kind::kCredit, id, encoded(wire::Credit{1})));
      EXPECT_EQ(pair.server.closed(), !early);
      if (early) continue;
      EXPECT_EQ(close_reason(pair.server),
                "protocol violation: a credit frame for a stream that was never opened");
    }
  }
  TwoLanes pair;
  pair.give(pair.server, message({9 << 3U | 2U}, wire::kFirst | wire::kLast, {Codec::kRaw, 1, {}}, 1));
  EXPECT_EQ(close_reason(pair.server),
            "protocol violation: a message frame for a stream that was never opened");
}

TEST(Lanes, TakeNothingButBulk) {
  struct Case {
    std::vector<std::byte> bytes;
    const char* reason;
  };
  const auto id = wire::StreamId::make(1, false, Channel::kRpc);
  for (const auto& [bytes, reason] :
       {Case{frame(wire::Kind::kOpen, id, encoded(echo()), Channel::kRpc), "open"},
        Case{frame(wire::Kind::kPing, {}, {}), "ping"},
        Case{frame(wire::Kind::kAttached, {}, {}), "attached"},
        Case{frame(wire::Kind::kClose, {}, {}), "close"}}) {
    TwoLanes pair;
    pair.give(pair.server, bytes, Lane::kBulk);
    EXPECT_EQ(
        close_reason(pair.server),
        std::string("protocol violation: a frame on the second lane that is not of the bulk channel: ") +
            reason);
  }
  Ready pair;
  pair.give(pair.server, frame(wire::Kind::kAttached, {}, {}), Lane::kBulk);
  EXPECT_THAT(close_reason(pair.server), HasSubstr("a second lane that this session does not have"));
}

TEST(Lanes, BeginWithAttachedAtTheConnector) {
  Ready pair;
  ASSERT_TRUE(pair.client.add_lane(pair.now).ok());
  const wire::StreamId id = pair.open(Channel::kBulk);
  EXPECT_EQ(pair.output(pair.client, 1U << 30U, Lane::kBulk).size(), wire::FrameHeader::kSize + 16)
      << "nothing behind ATTACH before it is answered";
  pair.give(pair.client, frame(wire::Kind::kEnd, id, {}, Channel::kBulk), Lane::kBulk);
  EXPECT_THAT(close_reason(pair.client), HasSubstr("began with something else than an attached frame: end"));
}

TEST(Lanes, AttachOnce) {
  TwoLanes pair;
  for (Session* session : {&pair.client, &pair.server}) {
    const Status again = session->add_lane(pair.now);
    EXPECT_EQ(again.code(), Code::kFailedPrecondition);
    EXPECT_THAT(again.message(), HasSubstr("a token attaches one connection, once"));
    EXPECT_TRUE(session->ready());
  }
  pair.give(pair.server, frame(wire::Kind::kAttach, {}, encoded(wire::Attach{})));
  EXPECT_EQ(close_reason(pair.server), "protocol violation: a attach frame out of place");
}

TEST(Lanes, ThatAreHandedOverNeitherAnswerNorTimeOut) {
  Session stranger(Pair::with_acceptor({}), TimePoint());
  const std::vector<std::byte> attach = frame(wire::Kind::kAttach, {}, encoded(wire::Attach{{7, 8, 9}}));
  for (const std::byte byte : attach) stranger.receive(Lane::kMain, Bytes(&byte, 1), TimePoint());
  const std::vector<Event> events = Pair::events(stranger);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, Kind::kAttach);
  EXPECT_EQ(events[0].token, (wire::Token{7, 8, 9}));
  EXPECT_EQ(stranger.next_timeout(), kNever);
  EXPECT_FALSE(stranger.has_output());
  stranger.close(Code::kUnavailable, "bye");
  EXPECT_FALSE(stranger.has_output()) << "the link is not this session's to speak on";

  Session impatient(Pair::with_acceptor({}), TimePoint());
  impatient.receive(Lane::kMain, attach, TimePoint());
  impatient.receive(Lane::kMain, frame(wire::Kind::kPing, {}, {}), TimePoint());
  EXPECT_TRUE(impatient.saw_garbage());
  EXPECT_FALSE(impatient.has_output());
}

TEST(Lanes, ThatCannotBeHadAreDoneWithout) {
  for (const bool opened : {false, true}) {
    Ready pair;
    pair.open(Channel::kBulk);
    EXPECT_EQ(count(Pair::events(pair.client), Kind::kLaneWanted), 1U);
    if (opened) {
      EXPECT_TRUE(pair.client.add_lane(pair.now).ok());
    }
    pair.client.lane_lost(Lane::kBulk, {Code::kUnavailable, "refused"}, pair.now);
    EXPECT_FALSE(pair.client.has_output(Lane::kBulk));
    const wire::StreamId id = pair.open(Channel::kBulk);
    ASSERT_TRUE(pair.client.send(id, raw("on lane 0"), true).ok());
    pair.run();
    EXPECT_EQ(message_in(Pair::events(pair.server)), "on lane 0");
    EXPECT_FALSE(pair.client.has_event()) << "it is not wanted again";
    EXPECT_EQ(pair.client.add_lane(pair.now).code(), Code::kFailedPrecondition);
  }
}

TEST(Lanes, LostBeforeTheyWereKnownToBeAttachedLeaveNobodyToBlame) {
  Ready pair;
  ASSERT_TRUE(pair.client.add_lane(pair.now).ok());
  EXPECT_FALSE(pair.output(pair.client, 1U << 30U, Lane::kBulk).empty()) << "ATTACH";
  pair.client.lane_lost(Lane::kBulk, {Code::kUnavailable, "reset"}, pair.now);
  // The acceptor has begun to use the lane meanwhile: it opened a stream there, and gives it up on lane 0.
  ASSERT_TRUE(pair.server.add_lane(pair.now).ok());
  wire::Open open;
  open.service = "test";
  open.method = "Echo";
  const wire::StreamId id = *pair.server.open(open, Channel::kBulk);
  EXPECT_FALSE(pair.output(pair.server, 1U << 30U, Lane::kBulk).empty()) << "lost with the lane";
  pair.server.cancel(id, Code::kCancelled, "changed my mind");
  pair.move(pair.server, pair.client);
  EXPECT_TRUE(pair.client.ready());
  EXPECT_FALSE(pair.client.has_event());
}

TEST(Lanes, TakeTheSessionWithThemWhenTheyAreLost) {
  for (const Lane lane : {Lane::kMain, Lane::kBulk}) {
    TwoLanes pair;
    pair.open();
    pair.client.lane_lost(lane, {Code::kUnavailable, "connection reset"}, pair.now);
    const std::vector<Event> events = Pair::events(pair.client);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].kind, Kind::kEnded);
    EXPECT_EQ(events[1].kind, Kind::kClosed);
    EXPECT_EQ(events[1].status.message(), "connection reset");
  }
}

}  // namespace
}  // namespace leat::session
