// Small frames that go as bytes: in order, one after another, and what can still be said of a call that
// stands there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/session/session_fixture.h"

namespace leat::session {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<wire::FrameHeader> headers(Bytes bytes) {
  std::vector<wire::FrameHeader> all;
  while (!bytes.empty()) {
    all.push_back(wire::FrameHeader::decode(bytes.first<wire::FrameHeader::kSize>()));
    bytes = bytes.subspan(wire::FrameHeader::kSize + all.back().length);
  }
  return all;
}

std::vector<wire::StreamId> messages_of(Bytes bytes) {
  std::vector<wire::StreamId> streams;
  for (const wire::FrameHeader& header : headers(bytes)) {
    if (header.kind == wire::Kind::kMessage) streams.push_back(header.stream);
  }
  return streams;
}

std::vector<wire::Kind> kinds_of(Bytes bytes) {
  std::vector<wire::Kind> kinds;
  for (const wire::FrameHeader& header : headers(bytes)) kinds.push_back(header.kind);
  return kinds;
}

TEST(ExpressLine, ItemsOfAStreamKeepTheirOrderWhateverTheirSize) {
  Ready pair;
  wire::Open open = echo();
  open.kind = CallKind::kBidi;
  const wire::StreamId id = *pair.client.open(open, Channel::kStream);
  std::vector<std::size_t> sent;
  for (int round = 0; round < 3; ++round) {
    for (const std::size_t size : {10U, 5'000U, 2'039U, 2'040U, 2'041U, 0U, 20'000U, 1U}) {
      sent.push_back(size);
      ASSERT_TRUE(pair.client.send(id, raw(size), false).ok());
    }
    pair.run();
  }
  std::vector<std::size_t> arrived;
  for (const Event& event : Pair::events(pair.server)) {
    if (event.kind == Kind::kMessage) arrived.push_back(event.payload.head.size());
  }
  EXPECT_EQ(arrived, sent);
}

TEST(ExpressLine, SmallCallsGoInTheOrderTheyWereMade) {
  Ready pair;
  std::vector<wire::StreamId> calls;
  for (const std::size_t size : {10U, 3'000U, 10U, 10U, 3'000U, 10U}) {
    calls.push_back(pair.open());
    ASSERT_TRUE(pair.client.send(calls.back(), raw(size), true).ok());
  }
  EXPECT_EQ(messages_of(pair.output(pair.client)), calls);
}

TEST(ExpressLine, WhatWaitsInAQueueIsNotOvertakenByWhatComesLater) {
  Ready pair;
  const wire::StreamId large = pair.open();
  ASSERT_TRUE(pair.client.send(large, raw(100'000), true).ok());
  const wire::StreamId small = pair.open();
  ASSERT_TRUE(pair.client.send(small, raw(10), true).ok());
  const std::vector<wire::StreamId> order = messages_of(pair.output(pair.client));
  EXPECT_EQ(order.front(), large);
  EXPECT_NE(order.back(), small) << "and it takes its turn";
}

TEST(ExpressLine, MoreThanItHoldsWaitsInQueuesAndNothingIsLost) {
  Ready pair;
  std::vector<wire::StreamId> calls;
  for (int i = 0; i < 1'000; ++i) {
    calls.push_back(pair.open());
    ASSERT_TRUE(pair.client.send(calls.back(), raw(200), true).ok());
  }
  std::vector<wire::StreamId> order;
  while (pair.client.has_output()) {
    for (const wire::StreamId id : messages_of(pair.output(pair.client, 5'000))) order.push_back(id);
  }
  EXPECT_EQ(order, calls);
}

TEST(ExpressLine, ABatchTakesWholeFramesOfIt) {
  Ready pair;
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(pair.client.send(pair.open(), raw(2'000), true).ok());
  std::size_t count = 0;
  while (pair.client.has_output()) {
    Batch batch;
    pair.client.transmit(Lane::kMain, batch, 1, pair.now);
    ASSERT_EQ(batch.slices().size(), 1U);
    count += headers(batch.slices().front().bytes).size();
  }
  EXPECT_EQ(count, 60U);
}

TEST(ExpressLine, ACallGivenUpBeforeItLeftIsTakenBackOrFollowedByItsCancel) {
  Ready pair;
  const wire::StreamId last = pair.open();
  pair.client.cancel(last, Code::kCancelled, "no");
  EXPECT_FALSE(pair.client.has_output()) << "nothing stood behind it";
  const wire::StreamId first = pair.open();
  ASSERT_TRUE(pair.client.send(first, raw("first"), true).ok());
  const wire::StreamId second = pair.open();
  pair.client.cancel(first, Code::kCancelled, "no");
  const std::vector<std::byte> bytes = pair.output(pair.client);
  EXPECT_THAT(kinds_of(bytes),
              ElementsAre(wire::Kind::kOpen, wire::Kind::kMessage, wire::Kind::kOpen, wire::Kind::kCancel));
  pair.give(pair.server, bytes);
  const std::vector<Event> events = Pair::events(pair.server);
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[2].stream, second);
  EXPECT_EQ(events[3].kind, Kind::kCancelled);
  EXPECT_EQ(events[3].stream, first);
}

TEST(ExpressLine, ACallThatStandsThereWhenTheLinkIsLostHasNotStarted) {
  Ready pair;
  pair.open();
  pair.output(pair.client);
  pair.open();
  pair.client.link_lost({Code::kUnavailable, "gone"});
  const std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 3U);
  int not_started = 0;
  for (const Event& event : events) {
    if (event.kind == Kind::kEnded && event.status.not_started()) ++not_started;
  }
  EXPECT_EQ(not_started, 1);
  EXPECT_FALSE(pair.client.has_output());
}

TEST(ExpressLine, AGoodbyeIsNotFollowedByCalls) {
  Ready pair;
  pair.open();
  pair.client.close(Code::kCancelled, "bye");
  EXPECT_THAT(kinds_of(pair.output(pair.client)), ElementsAre(wire::Kind::kClose));
}

TEST(ExpressLine, ADrainWaitsForAnswersThatStandThere) {
  Ready pair;
  const wire::StreamId id = pair.open();
  ASSERT_TRUE(pair.client.send(id, raw("?"), true).ok());
  pair.run();
  ASSERT_TRUE(pair.server.send(id, raw("!"), true).ok());
  EXPECT_EQ(pair.server.stream_count(), 0U);
  pair.server.drain("maintenance");
  EXPECT_FALSE(pair.server.closed());
  pair.run();
  std::string answer;
  for (const Event& event : Pair::events(pair.client)) {
    if (event.kind == Kind::kMessage) answer = as_text(event.payload.head.bytes());
  }
  EXPECT_EQ(answer, "!");
  EXPECT_TRUE(pair.server.closed());
}

TEST(ExpressLine, MetadataOfAnySizeFindsItsWay) {
  for (const std::size_t size : {0U, 100U, 1'900U, 2'000U, 2'048U, 10'000U}) {
    Ready pair;
    wire::Open open = echo();
    open.metadata.add("key", std::string(size, 'v'));
    ASSERT_TRUE(pair.client.open(open, Channel::kRpc).has_value());
    pair.run();
    const std::vector<Event> events = Pair::events(pair.server);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(*events[0].open, open);
  }
}

}  // namespace
}  // namespace leat::session
