// Messages and streams: whole, in order, held back, refused, given up.
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/session/session_fixture.h"

namespace leat::session {
namespace {

using ::testing::HasSubstr;

TEST(Session, TellsACalleeThatHasEndedItsStreamNoMore) {
  Ready pair;
  const wire::StreamId first = pair.open();
  const wire::StreamId second = pair.open();
  pair.run();
  Pair::events(pair.server);
  pair.server.end(first, {}, {});
  pair.client.cancel(first, Code::kCancelled, {});
  pair.move(pair.client, pair.server);
  pair.server.end(second, {}, {});
  pair.server.link_lost({Code::kUnavailable, "lost"});
  const std::vector<Event> heard = Pair::events(pair.server);
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard[0].kind, Kind::kClosed);
}

TEST(Session, CarriesMessagesOfAllSizesHoweverTheirBytesAreCut) {
  std::mt19937 random(7);
  for (const std::size_t piece : {1UL, 13UL, 4096UL, 1UL << 20U}) {
    for (const std::size_t size : {0UL, 1UL, 5000UL, 70'000UL, 600'000UL}) {
      if (piece == 1 && size > 5000) continue;
      Ready pair;
      const wire::StreamId id = pair.open();
      Payload sent = raw(size, static_cast<char>('a' + random() % 26));
      sent.attachments = {Buffer::copy(std::string(size / 3, 'm')), {}, Buffer::copy(std::string(size, 'n'))};
      ASSERT_TRUE(pair.client.send(id, sent, true).ok());
      pair.run(piece);
      std::vector<Event> events = Pair::events(pair.server);
      ASSERT_EQ(events.size(), 2U);
      EXPECT_EQ(events[0].kind, Kind::kOpened);
      EXPECT_EQ(events[0].open, echo());
      EXPECT_EQ(events[1].kind, Kind::kMessage);
      EXPECT_TRUE(events[1].last);
      EXPECT_EQ(events[1].payload.head.text(), sent.head.text());
      ASSERT_EQ(events[1].payload.attachments.size(), 3U);
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(events[1].payload.attachments[i].text(), sent.attachments[i].text());
      }
      ASSERT_TRUE(pair.server.send(id, raw("answer"), true).ok());
      pair.run(piece);
      events = Pair::events(pair.client);
      ASSERT_EQ(events.size(), 2U);
      EXPECT_EQ(events[0].payload.head.text(), "answer");
      EXPECT_EQ(events[1].kind, Kind::kEnded);
      EXPECT_TRUE(events[1].status.ok());
      EXPECT_EQ(pair.client.stream_count() + pair.server.stream_count(), 0U);
    }
  }
}

TEST(Session, ReadsLargeMessagesStraightIntoTheirPlace) {
  Ready pair;
  const wire::StreamId id = pair.open();
  ASSERT_TRUE(pair.client.send(id, raw(3'000'000, 'q'), true).ok());
  std::size_t direct = 0;
  bool any = true;
  while (any) {
    const std::vector<std::byte> bytes = pair.output(pair.client);
    any = !bytes.empty();
    for (std::size_t at = 0; at < bytes.size();) {
      // As a socket would: into the body first, then into scratch.
      const FrameReader::Space space = pair.server.prepare(Lane::kMain);
      const std::size_t body = std::min(space.body.size(), bytes.size() - at);
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), body, space.body.begin());
      const std::size_t rest = std::min(space.scratch.size(), bytes.size() - at - body);
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at + body), rest, space.scratch.begin());
      pair.server.commit(Lane::kMain, body + rest, pair.now);
      at += body + rest;
      direct += body;
    }
    any = pair.move(pair.server, pair.client) || any;
  }
  const std::vector<Event> events = Pair::events(pair.server);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].payload.head.text(), std::string(3'000'000, 'q'));
  EXPECT_GT(direct, 2'000'000U);
}

TEST(Session, DeliversHeadersMessagesAndStatusInOrder) {
  Ready pair;
  const wire::StreamId id = pair.open(Channel::kStream);
  ASSERT_TRUE(pair.client.send(id, raw("go"), true).ok());
  pair.run();
  pair.server.headers(id, {{"exposure", "0.1"}});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(pair.server.send(id, raw(std::to_string(i)), false).ok());
  pair.server.end(id, {Code::kAborted, "shutter"}, {{"frames", "3"}});
  pair.run();
  const std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 5U);
  EXPECT_EQ(events[0].metadata.get("exposure"), "0.1");
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(events[i + 1].payload.head.text(), std::to_string(i));
  EXPECT_EQ(events[4].status.to_string(), "aborted: shutter");
  EXPECT_EQ(events[4].metadata.get("frames"), "3");
}

TEST(Session, HoldsAWriterBackUntilItsReaderReads) {
  Ready pair;
  const wire::StreamId id = pair.open(Channel::kStream);
  ASSERT_TRUE(pair.client.send(id, raw("go"), true).ok());
  pair.run();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(pair.server.send(id, raw(10'000), false).ok());
  pair.run();
  std::vector<Event> events = Pair::events(pair.client);
  std::size_t received = events.size();
  EXPECT_EQ(received,
            27U);  // a window of 256 KiB holds 26 and a piece of the next, which is then admitted whole
  EXPECT_TRUE(pair.server.full(id));
  while (received < 100) {
    for (const Event& event : events) pair.client.consumed(id, event.wire_bytes);
    pair.run();
    events = Pair::events(pair.client);
    ASSERT_FALSE(events.empty());
    received += events.size();
  }
  EXPECT_EQ(received, 100U);
  EXPECT_FALSE(pair.server.full(id));
  bool writable = false;
  for (const Event& event : Pair::events(pair.server)) writable = writable || event.kind == Kind::kWritable;
  EXPECT_TRUE(writable);
}

TEST(Session, LetsAMessageLargerThanTheWindowThrough) {
  Ready pair;
  const wire::StreamId id = pair.open();
  ASSERT_TRUE(pair.client.send(id, raw(10U << 20U), true).ok());
  pair.run();
  EXPECT_EQ(Pair::events(pair.server).back().payload.head.size(), 10U << 20U);
}

TEST(Session, AdmitsLargeMessagesFirstComeFirstServed) {
  Options server;
  server.assembly_bytes = 3U << 20U;
  Ready pair({}, server);
  std::vector<wire::StreamId> ids;
  for (int i = 0; i < 4; ++i) {
    ids.push_back(pair.open());
    ASSERT_TRUE(pair.client.send(ids.back(), raw(2U << 20U), true).ok());
  }
  std::vector<wire::StreamId> done;
  for (int i = 0; i < 4; ++i) {
    pair.run();
    int messages = 0;
    for (const Event& event : Pair::events(pair.server)) {
      if (event.kind != Kind::kMessage) continue;
      ++messages;
      done.push_back(event.stream);
      pair.server.consumed(event.stream, event.wire_bytes);
    }
    EXPECT_EQ(messages, 1) << "one at a time: two do not fit into the budget";
  }
  EXPECT_EQ(done, ids);
}

TEST(Session, RefusesAMessageAboveItsBudgetNamingTheKnob) {
  Options server;
  server.assembly_bytes = 1U << 20U;
  Ready pair({}, server);
  const wire::StreamId id = pair.open();
  ASSERT_TRUE(pair.client.send(id, raw(2U << 20U), true).ok());
  pair.run();
  const std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].status.code(), Code::kResourceExhausted);
  EXPECT_THAT(events[0].status.message(), HasSubstr("assembly_bytes (1048576)"));
  // The session goes on.
  const wire::StreamId next = pair.open();
  ASSERT_TRUE(pair.client.send(next, raw("fine"), true).ok());
  pair.run();
  EXPECT_EQ(Pair::events(pair.server).back().payload.head.text(), "fine");
}

TEST(Session, RefusesToSendWhatTheOtherSideWouldNotTake) {
  Options server;
  server.max_message = 1000;
  Ready pair({}, server);
  const Status status = pair.client.send(pair.open(), raw(1001), true);
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("max_message_bytes (1000)"));
}

TEST(Session, RefusesToSendWhatTheFormatCannotHold) {
  Options server;
  server.max_message = std::uint64_t{1} << 40U;
  Ready pair({}, server);
  wire::Open open = echo();
  open.service.assign(wire::kMaxNameBytes + 1, 's');
  EXPECT_EQ(pair.client.open(open, Channel::kRpc).error().to_string(),
            "invalid_argument: a service or method name longer than 1024 bytes");

  const std::byte byte{};  // sizes are looked at, bytes are not
  const Bytes large(&byte, (std::size_t{4} << 30U) + 1);
  Payload payload{Codec::kRaw, Buffer::wrap(large, std::make_shared<int>()), {}};
  EXPECT_EQ(pair.client.send(pair.open(), payload, true).code(), Code::kResourceExhausted);
  payload = {Codec::kRaw, {}, std::vector<Buffer>(wire::kMaxAttachments + 1)};
  const Status status = pair.client.send(pair.open(), payload, true);
  EXPECT_EQ(status.to_string(),
            "resource_exhausted: a message may have a head of 4 GiB and 2048 attachments at most");
}

TEST(Session, ReplacesAnEndThatNoFrameCanHold) {
  Ready pair;
  const wire::StreamId id = pair.open();
  pair.run();
  pair.server.end(id, {}, {{"log", std::string(2U << 20U, 'x')}});
  pair.run();
  EXPECT_EQ(Pair::events(pair.client).back().status.to_string(),
            "internal: the call's final status and trailing metadata are over 1 MiB");
}

TEST(Session, LimitsOpenStreamsAndMetadata) {
  Options server;
  server.max_streams = 2;
  server.max_metadata = 100;
  Ready pair({}, server);
  pair.open();
  pair.open();
  const wire::StreamId third = pair.open();
  pair.run();
  std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].stream, third);
  EXPECT_THAT(events[0].status.message(), HasSubstr("max_streams (2)"));

  Ready other({}, server);
  wire::Open open = echo();
  open.metadata.add("k", std::string(200, 'v'));
  ASSERT_TRUE(other.client.open(open, Channel::kRpc));
  other.run();
  events = Pair::events(other.client);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_THAT(events[0].status.message(), HasSubstr("max_metadata_bytes (100)"));
}

TEST(Session, CancelsInTheMiddleOfAMessage) {
  Ready pair;
  const wire::StreamId id = pair.open();
  ASSERT_TRUE(pair.client.send(id, raw(1U << 20U), true).ok());
  const std::vector<std::byte> some = pair.output(pair.client, 50'000);
  pair.server.receive(Lane::kMain, some, pair.now);
  pair.client.cancel(id, Code::kCancelled, "changed my mind");
  pair.run();
  const std::vector<Event> events = Pair::events(pair.server);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].kind, Kind::kCancelled);
  EXPECT_EQ(events[1].status.to_string(), "cancelled: changed my mind");
  EXPECT_EQ(pair.server.stream_count(), 0U);
  const wire::StreamId next = pair.open();
  ASSERT_TRUE(pair.client.send(next, raw("fine"), true).ok());
  pair.run();
  EXPECT_EQ(Pair::events(pair.server).back().payload.head.text(), "fine");
}

TEST(Session, DropsWhatTheCallerStillSendsAfterTheEnd) {
  Ready pair;
  const wire::StreamId id = pair.open();
  ASSERT_TRUE(pair.client.send(id, raw(1U << 20U), true).ok());
  pair.server.receive(Lane::kMain, pair.output(pair.client, 50'000), pair.now);
  pair.server.end(id, {Code::kFailedPrecondition, "no film"}, {});
  pair.run();
  EXPECT_EQ(Pair::events(pair.client).back().status.to_string(), "failed_precondition: no film");
  EXPECT_TRUE(pair.server.ready());
  EXPECT_EQ(pair.client.stream_count() + pair.server.stream_count(), 0U);
}

TEST(Session, GivesEveryChannelItsShare) {
  Ready pair;
  const wire::StreamId bulk = pair.open(Channel::kBulk);
  ASSERT_TRUE(pair.client.send(bulk, raw(200'000), true).ok());
  const wire::StreamId rpc = pair.open(Channel::kRpc);
  ASSERT_TRUE(pair.client.send(rpc, raw(200'000), true).ok());
  pair.output(pair.client, 100'000);
  const wire::StreamId small = pair.open(Channel::kRpc);
  ASSERT_TRUE(pair.client.send(small, raw("prompt"), true).ok());
  const std::vector<std::byte> next = pair.output(pair.client, 50'000);
  EXPECT_THAT(as_text(next), HasSubstr("prompt"));
}

TEST(Session, SendsControlBeforeAllElse) {
  Ready pair;
  ASSERT_TRUE(pair.client.send(pair.open(), raw(100'000), true).ok());
  const std::vector<std::byte> ping =
      frame({2, wire::Kind::kPing, Channel::kControl, 0, {}}, {std::byte{1}, std::byte{2}});
  pair.client.receive(Lane::kMain, ping, pair.now);
  const std::vector<std::byte> out = pair.output(pair.client, 10);
  EXPECT_EQ(wire::FrameHeader::decode(Bytes(out).first<16>()).kind, wire::Kind::kPong);
}

TEST(Session, IgnoresFramesThatAreLate) {
  Ready pair;
  const wire::StreamId id = pair.open();
  pair.run();
  pair.server.end(id, {}, {});
  pair.run();
  std::vector<std::byte> credit;
  wire::Credit{1U << 20U}.encode(credit);
  pair.server.receive(Lane::kMain, frame({8, wire::Kind::kCredit, Channel::kControl, 0, id}, credit),
                      pair.now);
  pair.server.receive(Lane::kMain, message(id, wire::kFirst | wire::kLast, {Codec::kRaw, 3, {}}, 3),
                      pair.now);
  EXPECT_TRUE(pair.server.ready());
}

}  // namespace
}  // namespace leat::session
