// Heartbeats, drain, health, and what a failed call can say about whether it ran.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/session/session_fixture.h"

namespace leat::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// Lets time pass on both sides, moving bytes, in steps of `step`.
void pass(Pair& pair, Duration duration, Duration step = seconds(1)) {
  for (const TimePoint until = pair.now + duration; pair.now < until;) {
    pair.now += step;
    for (Session* side : {&pair.client, &pair.server}) {
      if (pair.now >= side->next_timeout()) side->on_timeout(pair.now);
    }
    pair.run();
  }
}

std::vector<Kind> kinds(Session& session) {
  std::vector<Kind> all;
  for (const Event& event : Pair::events(session)) all.push_back(event.kind);
  return all;
}

// ---- heartbeats

TEST(Heartbeats, KeepASilentSessionOpenForEver) {
  Ready pair;
  pass(pair, std::chrono::hours(1));
  EXPECT_TRUE(pair.client.ready());
  EXPECT_TRUE(pair.server.ready());
  EXPECT_EQ(pair.client.round_trip(), Duration::zero()) << "answered at once by the clock of this test";
}

TEST(Heartbeats, AskAfterSilenceAndMeasureTheRoundTrip) {
  Options quiet;
  quiet.heartbeat_interval = {};
  Ready pair({}, quiet);
  EXPECT_EQ(pair.client.next_timeout(), pair.now + seconds(10));
  EXPECT_EQ(pair.server.next_timeout(), kNever);
  EXPECT_EQ(pair.client.round_trip(), std::nullopt);
  pair.now += seconds(10);
  pair.client.on_timeout(pair.now);
  const std::vector<std::byte> ping = pair.output(pair.client);
  EXPECT_EQ(wire::FrameHeader::decode(Bytes(ping).first<16>()).kind, wire::Kind::kPing);
  pair.now += milliseconds(30);
  pair.server.receive(Lane::kMain, ping, pair.now);
  pair.run();
  EXPECT_EQ(pair.client.round_trip(), milliseconds(30));
}

TEST(Heartbeats, AreNotNeededWhileAnythingArrives) {
  Ready pair;
  for (int i = 0; i < 10; ++i) {
    pair.now += seconds(9);
    if (pair.now >= pair.client.next_timeout()) pair.client.on_timeout(pair.now);
    EXPECT_FALSE(pair.client.has_output());
    pair.client.receive(Lane::kMain, std::vector<std::byte>(1),
                        pair.now);  // part of a frame is a sign of life, too
  }
}

TEST(Heartbeats, FindADeadPeerAndSayHowLongItWasSilent) {
  Ready pair;
  const TimePoint start = pair.now;
  while (!pair.client.closed() && pair.now < start + seconds(60)) {
    pair.now = pair.client.next_timeout();
    pair.client.on_timeout(pair.now);
  }
  EXPECT_EQ(pair.now - start, seconds(30));
  EXPECT_EQ(close_reason(pair.client),
            "nothing was heard from the other side for 30 s, not even an answer to a heartbeat "
            "(heartbeat_interval 10 s, heartbeat_timeout 20 s)");
}

TEST(Heartbeats, FindAPeerThatDiesAfterAnAnswerAsSoon) {
  Ready pair;
  pass(pair, seconds(15));  // one heartbeat, answered after 10 s
  const TimePoint start = pair.now - seconds(5);
  while (!pair.client.closed() && pair.now < start + seconds(60)) {
    pair.now = pair.client.next_timeout();
    pair.client.on_timeout(pair.now);
  }
  EXPECT_EQ(pair.now - start, seconds(30));
}

/// A client whose ping stands behind a large frame that its link was given before; `batch` is that frame.
void hold_ping(Pair& pair, wire::StreamId stream, Batch& batch) {
  ASSERT_TRUE(pair.client.send(stream, raw(64U << 10U), true).ok());
  pair.client.transmit(Lane::kMain, batch, 1, pair.now);
  ASSERT_FALSE(batch.empty());
  pair.now += seconds(10);
  pair.client.on_timeout(pair.now);
  ASSERT_TRUE(pair.client.has_output());
}

/// Goes through the client's timeouts until it gives up, for `longest` at most; how long that took.
Duration until_closed(Pair& pair, Duration longest) {
  const TimePoint start = pair.now;
  while (!pair.client.closed() && pair.client.next_timeout() <= start + longest) {
    pair.now = pair.client.next_timeout();
    pair.client.on_timeout(pair.now);
  }
  return pair.now - start;
}

TEST(Heartbeats, WaitForTheirPingToLeaveWhileASlowLinkTakesWhatStandsBeforeIt) {
  Ready pair;
  Batch batch;
  hold_ping(pair, pair.open(), batch);
  for (int i = 0; i < 60; ++i) {
    pair.now += seconds(1);
    pair.client.link_took(Lane::kMain, pair.now);
    if (pair.now >= pair.client.next_timeout()) pair.client.on_timeout(pair.now);
    ASSERT_FALSE(pair.client.closed()) << "after " << i << " s";
  }
  // Now the ping leaves. What is taken behind it says nothing of the peer.
  Batch ping;
  pair.client.transmit(Lane::kMain, ping, 1U << 20U, pair.now);
  pair.client.link_took(Lane::kMain, pair.now + seconds(5));
  EXPECT_EQ(until_closed(pair, seconds(60)), seconds(20));
  EXPECT_TRUE(pair.client.closed());
}

TEST(Heartbeats, FindADeadPeerBehindALinkThatTakesNothing) {
  Ready pair;
  Batch batch;
  hold_ping(pair, pair.open(), batch);
  pair.client.link_took(Lane::kBulk, pair.now + seconds(5));  // the ping is not on that one
  EXPECT_EQ(until_closed(pair, seconds(60)), seconds(20));
  EXPECT_TRUE(pair.client.closed());
}

TEST(Heartbeats, AskFirstWhenThisSideItselfWasStopped) {
  Ready pair;
  pair.now += std::chrono::hours(1);
  pair.client.on_timeout(pair.now);
  EXPECT_FALSE(pair.client.closed());
  pair.run();
  pass(pair, seconds(60));
  EXPECT_TRUE(pair.client.ready());
}

TEST(Heartbeats, CanBeTurnedOffByEitherOption) {
  Options no_timeout;
  no_timeout.heartbeat_timeout = {};
  Options no_interval;
  no_interval.heartbeat_interval = {};
  Ready pair(no_timeout, no_interval);
  EXPECT_EQ(pair.client.next_timeout(), kNever);
  EXPECT_EQ(pair.server.next_timeout(), kNever);
}

TEST(Pings, OfMoreThanAFewBytesAreNoPings) {
  Ready pair;
  pair.server.receive(Lane::kMain, frame(wire::Kind::kPing, {}, std::vector<std::byte>(wire::kMaxPingBody)),
                      pair.now);
  EXPECT_TRUE(pair.server.ready());
  pair.server.receive(Lane::kMain,
                      frame(wire::Kind::kPing, {}, std::vector<std::byte>(wire::kMaxPingBody + 1)), pair.now);
  EXPECT_EQ(close_reason(pair.server), "protocol violation: a ping of 65 bytes where at most 64 are allowed");
}

// ---- drain

TEST(Drain, ServesWhatIsOpenRefusesWhatIsNotAndCloses) {
  Ready pair;
  const wire::StreamId running = pair.open();
  ASSERT_TRUE(pair.client.send(running, raw("go"), true).ok());
  pair.run();
  Pair::events(pair.server);

  pair.server.drain("the server is restarted");
  EXPECT_TRUE(pair.server.draining());
  pair.run();
  std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, Kind::kGoingAway);
  EXPECT_EQ(events[0].status.to_string(),
            "unavailable: the other side takes no more calls: the server is restarted");
  EXPECT_TRUE(pair.client.going_away());
  const auto refused = pair.client.open(echo(), Channel::kRpc);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kUnavailable);
  EXPECT_TRUE(refused.error().not_started());
  EXPECT_THAT(refused.error().message(), HasSubstr("draining"));

  ASSERT_TRUE(pair.server.send(running, raw("done"), true).ok());
  pair.run();
  events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].payload.head.text(), "done");
  EXPECT_TRUE(events[1].status.ok());
  EXPECT_EQ(events[2].kind, Kind::kClosed);
  EXPECT_EQ(events[2].status.to_string(), "unavailable: closed by the other side: drained");
  EXPECT_EQ(close_reason(pair.server), "drained");
}

TEST(Drain, EndsAtOnceTheStreamsThatItCrossed) {
  Ready pair;
  const wire::StreamId before = pair.open();
  pair.run();
  const wire::StreamId crossing = pair.open();
  const std::vector<std::byte> open = pair.output(pair.client);
  const wire::StreamId unsent = pair.open(Channel::kStream);
  pair.server.drain("maintenance");
  pair.move(pair.server, pair.client);
  const std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].kind, Kind::kGoingAway);
  for (const std::size_t i : {1UL, 2UL}) {
    EXPECT_EQ(events[i].kind, Kind::kEnded);
    EXPECT_EQ(events[i].status.code(), Code::kUnavailable);
    EXPECT_TRUE(events[i].status.not_started());
  }
  EXPECT_EQ(events[1].stream, std::min(crossing, unsent));
  EXPECT_EQ(pair.client.stream_count(), 1U);

  // The stream that crossed reaches the server after all, and no handler.
  pair.server.receive(Lane::kMain, open, pair.now);
  pair.run();
  const std::vector<Event> served = Pair::events(pair.server);
  ASSERT_EQ(served.size(), 1U);
  EXPECT_EQ(served[0].stream, before);
  pair.server.end(before, {}, {});
  pair.run();
  EXPECT_EQ(close_reason(pair.server), "drained");
}

TEST(Drain, TellsAPeerThatMissedItThatItsCallHasNotStarted) {
  Ready pair;
  pair.open();
  pair.run();
  pair.server.drain("maintenance");
  pair.output(pair.server);  // the goaway is still on its way when the next call is opened
  const wire::StreamId late = pair.open();
  pair.run();
  const std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].stream, late);
  EXPECT_EQ(events[0].status.to_string(), "unavailable: the server is draining and takes no more calls");
  EXPECT_TRUE(events[0].status.not_started());
}

TEST(Drain, LetsEitherSideFinishTheCallsThatItMakes) {
  Ready pair;
  const wire::StreamId back = *pair.server.open(echo(), Channel::kRpc);
  pair.run();
  pair.client.drain("the client leaves");
  pair.run();
  // Its own calls go on, and new ones may be made.
  const wire::StreamId forth = pair.open();
  ASSERT_TRUE(pair.client.send(forth, raw("bye"), true).ok());
  pair.run();
  EXPECT_EQ(kinds(pair.server), (std::vector{Kind::kGoingAway, Kind::kOpened, Kind::kMessage}));
  EXPECT_FALSE(pair.server.open(echo(), Channel::kRpc));
  pair.client.end(back, {}, {});
  pair.run();
  EXPECT_TRUE(pair.client.ready()) << "its own call is open";
  pair.server.end(forth, {}, {});
  pair.run();
  EXPECT_EQ(close_reason(pair.client), "drained");
  EXPECT_TRUE(pair.server.closed());
}

TEST(Drain, FromBothSidesAtOnceCloses) {
  Ready pair;
  const wire::StreamId id = pair.open();
  pair.run();
  pair.client.drain("a");
  pair.server.drain("b");
  pair.run();
  EXPECT_TRUE(pair.server.ready());
  pair.server.end(id, {}, {});
  pair.run();
  EXPECT_TRUE(pair.client.closed());
  EXPECT_TRUE(pair.server.closed());
}

TEST(Drain, DoesNotCloseBeforeTheOtherSideHasItsAnswers) {
  Ready pair;
  const wire::StreamId id = pair.open();
  pair.run();
  pair.server.drain("maintenance");
  pair.server.end(id, {}, {});
  const std::vector<std::byte> answer = pair.output(pair.server);
  EXPECT_TRUE(pair.server.ready()) << "the answer may be on a slow lane";
  EXPECT_EQ(pair.server.next_timeout(), pair.now + seconds(1));
  pair.client.receive(Lane::kMain, answer, pair.now);
  pair.run();
  EXPECT_TRUE(pair.server.closed());
}

TEST(Drain, ClosesInTheEndUponAPeerThatDoesNotSayThatItHasItsAnswers) {
  Ready pair;
  pair.server.drain("maintenance");
  pair.output(pair.server);
  pair.now += seconds(1);
  pair.server.on_timeout(pair.now);
  EXPECT_EQ(close_reason(pair.server), "drained");
}

TEST(Drain, BeforeTheHandshakeIsJustAClose) {
  Pair pair;
  pair.server.drain("maintenance");
  EXPECT_EQ(close_reason(pair.server), "maintenance");
}

TEST(Drain, IsNotConfirmedByThoseWhomNobodyAsked) {
  Ready pair;
  pair.server.receive(Lane::kMain, frame(wire::Kind::kDrained, {}, {}), pair.now);
  EXPECT_EQ(close_reason(pair.server), "protocol violation: a drained frame without a goaway");
}

// ---- goodbyes

TEST(Goodbyes, AreGivenUpWhenTheLinkTakesNothing) {
  Ready pair;
  pair.now += seconds(60);  // nobody has told the session since
  pair.client.close(Code::kCancelled, "done");
  ASSERT_LE(pair.client.next_timeout(), pair.now);
  pair.client.on_timeout(pair.now);
  EXPECT_EQ(pair.client.next_timeout(), pair.now + seconds(1));
  pair.now += milliseconds(999);
  pair.client.on_timeout(pair.now);
  EXPECT_TRUE(pair.client.has_output());
  pair.now += milliseconds(1);
  pair.client.on_timeout(pair.now);
  EXPECT_FALSE(pair.client.has_output());
  EXPECT_EQ(pair.client.next_timeout(), kNever);
}

TEST(Goodbyes, NeedNoTimeOnceTheyAreOut) {
  Ready pair;
  pair.client.close(Code::kCancelled, "done");
  pair.run();
  EXPECT_EQ(close_reason(pair.server), "closed by the other side: done");
  EXPECT_EQ(pair.client.next_timeout(), kNever);
}

TEST(Goodbyes, AreNotSaidToALinkThatIsLost) {
  Ready pair;
  pair.client.close(Code::kCancelled, "done");
  pair.client.link_lost({Code::kUnavailable, "reset"});
  EXPECT_FALSE(pair.client.has_output());
  EXPECT_EQ(pair.client.next_timeout(), kNever);
}

// ---- health

TEST(Health, IsAskedAndAnswered) {
  Ready pair;
  const std::uint32_t first = *pair.client.ask_health("camera");
  const std::uint32_t second = *pair.client.ask_health("");
  pair.run();
  const std::vector<Event> asked = Pair::events(pair.server);
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].kind, Kind::kHealthAsked);
  EXPECT_EQ(asked[0].open->service, "camera");
  pair.server.answer_health(asked[1].health_id, wire::HealthState::kServing);
  pair.server.answer_health(asked[0].health_id, wire::HealthState::kNotServing);
  pair.server.answer_health(asked[0].health_id, wire::HealthState::kServing);  // once is enough
  pair.run();
  const std::vector<Event> answers = Pair::events(pair.client);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].kind, Kind::kHealth);
  EXPECT_EQ(answers[0].health_id, second);
  EXPECT_EQ(answers[0].health, wire::HealthState::kServing);
  EXPECT_EQ(answers[1].health_id, first);
  EXPECT_EQ(answers[1].health, wire::HealthState::kNotServing);
}

TEST(Health, HasABoundOnQuestionsWithoutAnAnswer) {
  Ready pair;
  for (std::size_t i = 0; i < wire::kMaxHealthAsks; ++i) ASSERT_TRUE(pair.client.ask_health("s"));
  const auto refused = pair.client.ask_health("s");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kResourceExhausted);
  pair.run();
  EXPECT_TRUE(pair.server.ready());
  pair.server.receive(Lane::kMain, frame(wire::Kind::kHealthAsk, {}, encoded(wire::HealthAsk{1000, "s"})),
                      pair.now);
  EXPECT_EQ(close_reason(pair.server), "protocol violation: more than 64 health asks without an answer");
}

TEST(Health, IsNotAnsweredToThoseWhoDidNotAsk) {
  Ready pair;
  pair.client.receive(Lane::kMain, frame(wire::Kind::kHealth, {}, encoded(wire::Health{7, {}})), pair.now);
  EXPECT_EQ(close_reason(pair.client), "protocol violation: a health frame that nobody asked for");
  EXPECT_FALSE(pair.client.ask_health("s"));
}

// ---- outcome

TEST(Outcome, OfACallThatHadNotLeftIsKnown) {
  Ready pair;
  pair.open();
  pair.output(pair.client);
  pair.open();
  pair.client.link_lost({Code::kUnavailable, "connection reset"});
  std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 3U);
  std::ranges::sort(events, {}, &Event::stream);  // kClosed has none and comes first
  EXPECT_EQ(events[0].status.message(), "connection reset");
  EXPECT_EQ(events[1].status.to_string(), "unavailable: connection reset; the call's outcome is unknown");
  EXPECT_FALSE(events[1].status.not_started());
  EXPECT_TRUE(events[1].status.outcome_unknown());
  EXPECT_FALSE(events[2].status.outcome_unknown());
  EXPECT_EQ(events[2].status.to_string(), "unavailable: connection reset; the call had not been sent");
  EXPECT_TRUE(events[2].status.not_started());
  EXPECT_TRUE(pair.client.open(echo(), Channel::kRpc).error().not_started());
}

TEST(Outcome, OfARejectedCallIsKnownButAHandlersOwnFailureIsNot) {
  Ready pair;
  const wire::StreamId rejected = pair.open();
  const wire::StreamId failed = pair.open();
  pair.run();
  Status inner(Code::kUnavailable, "a call of the handler's own");
  pair.server.reject(rejected, {Code::kUnimplemented, "no such method"});
  pair.server.end(failed, inner.mark_not_started(), {});
  pair.run();
  const std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].status.to_string(), "unimplemented: no such method");
  EXPECT_TRUE(events[0].status.not_started());
  EXPECT_FALSE(events[1].status.not_started()) << "the handler has run";
  EXPECT_TRUE(inner.not_started()) << "the handler's own status is as it was";
}

TEST(Outcome, OfACallAboveALimitIsKnown) {
  Options server;
  server.max_streams = 1;
  Ready pair({}, server);
  pair.open();
  pair.open();
  pair.run();
  const std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_TRUE(events[0].status.not_started());
}

}  // namespace
}  // namespace leat::session
