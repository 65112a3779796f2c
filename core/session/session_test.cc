#include "core/session/session.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/session/session_pair.h"
#include "core/wire/codec.h"

namespace leat::session {
namespace {

using Kind = Event::Kind;
using ::testing::HasSubstr;
using std::string_view_literals::operator""sv;

Payload raw(std::string_view text) { return {Codec::kRaw, Buffer::copy(text), {}}; }
Payload raw(std::size_t size, char fill = 'x') { return raw(std::string(size, fill)); }

wire::Open echo() {
  wire::Open open;
  open.service = "test.Echo";
  open.method = "Echo";
  return open;
}

/// A pair that has shaken hands.
struct Ready : Pair {
  explicit Ready(Options connector = {}, Options acceptor = {})
      : Pair(std::move(connector), std::move(acceptor)) {
    run();
    EXPECT_EQ(events(client).front().kind, Kind::kReady);
    EXPECT_EQ(events(server).front().kind, Kind::kReady);
  }
  wire::StreamId open(Channel channel = Channel::kRpc) { return *client.open(echo(), channel); }
};

std::vector<std::byte> frame(const wire::FrameHeader& header, const std::vector<std::byte>& body = {}) {
  std::vector<std::byte> bytes(wire::FrameHeader::kSize);
  header.encode(std::span(bytes).first<wire::FrameHeader::kSize>());
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

std::string close_reason(Session& session) {
  for (const Event& event : Pair::events(session)) {
    if (event.kind == Kind::kClosed) return event.status.message();
  }
  return "not closed";
}

TEST(Session, ShakesHandsHoweverItsBytesAreCut) {
  for (const std::size_t piece : {1UL, 7UL, 100'000UL}) {
    Options server;
    server.services = {{"test.Echo", {{1, 2}}}};
    Pair pair({}, server);
    pair.run(piece);
    EXPECT_TRUE(pair.client.ready());
    EXPECT_TRUE(pair.server.ready());
    EXPECT_EQ(pair.client.remote().services, server.services);
  }
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
      const FrameReader::Space space = pair.server.prepare();
      const std::size_t body = std::min(space.body.size(), bytes.size() - at);
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), body, space.body.begin());
      const std::size_t rest = std::min(space.scratch.size(), bytes.size() - at - body);
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at + body), rest, space.scratch.begin());
      pair.server.commit(body + rest, pair.now);
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
  pair.server.receive(some, pair.now);
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
  pair.server.receive(pair.output(pair.client, 50'000), pair.now);
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
  pair.client.receive(ping, pair.now);
  const std::vector<std::byte> out = pair.output(pair.client, 10);
  EXPECT_EQ(wire::FrameHeader::decode(Bytes(out).first<16>()).kind, wire::Kind::kPong);
}

TEST(Session, SkipsWhatItMayAndClosesOnWhatItMayNot) {
  Ready pair;
  pair.server.receive(frame({3, static_cast<wire::Kind>(0x77), Channel::kRpc, wire::kSkippable, {99}},
                            std::vector<std::byte>(3)),
                      pair.now);
  EXPECT_TRUE(pair.server.ready());
  pair.server.receive(frame({0, static_cast<wire::Kind>(0x77), Channel::kRpc, 0, {}}), pair.now);
  EXPECT_EQ(close_reason(pair.server),
            "protocol violation: a frame of unknown kind 119 that may not be skipped");
  pair.run();
  EXPECT_THAT(close_reason(pair.client), HasSubstr("unknown kind 119"));
}

TEST(Session, TellsGarbageFromLeat) {
  for (const std::string_view garbage : {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"sv,
                                         "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03....."sv}) {
    Pair pair;
    pair.server.receive(as_bytes(garbage), pair.now);
    EXPECT_TRUE(pair.server.closed());
    EXPECT_TRUE(pair.server.saw_garbage());
    EXPECT_FALSE(pair.server.has_output()) << "an answer would be noise";
    pair.client.receive(as_bytes(garbage), pair.now);
    EXPECT_THAT(close_reason(pair.client), HasSubstr("does not speak Leat"));
  }
}

TEST(Session, TellsShortGarbageFromTheBeginningOfAHello) {
  for (const std::string_view garbage : {"GET /"sv, "SSH-"sv, "\xff\xff"sv}) {
    Pair pair;
    pair.server.receive(as_bytes(garbage), pair.now);
    EXPECT_TRUE(pair.server.saw_garbage()) << garbage;
  }
  Pair pair;
  for (const std::byte byte : pair.output(pair.client)) pair.server.receive(Bytes(&byte, 1), pair.now);
  EXPECT_FALSE(pair.server.closed());
}

TEST(Session, RefusesAVersionItDoesNotSpeakNamingBoth) {
  Pair pair;
  std::vector<std::byte> body;
  wire::Hello{7, 9, {}}.encode(body);
  pair.server.receive(
      frame({static_cast<std::uint32_t>(body.size()), wire::Kind::kHello, Channel::kControl, 0, {}}, body),
      pair.now);
  pair.move(pair.server, pair.client);
  EXPECT_EQ(close_reason(pair.client),
            "closed by the other side: the server speaks version 1 of Leat's protocol, the "
            "client versions 7 to 9: upgrade the older side");
}

TEST(Session, RefusesAWrongToken) {
  Pair pair;
  pair.move(pair.client, pair.server);
  std::vector<std::byte> body;
  wire::Start{{1, 1, 1}, "tcp"}.encode(body);
  pair.server.receive(
      frame({static_cast<std::uint32_t>(body.size()), wire::Kind::kStart, Channel::kControl, 0, {}}, body),
      pair.now);
  EXPECT_THAT(close_reason(pair.server), HasSubstr("does not hold the token"));
}

TEST(Session, RefusesCallsBeforeStart) {
  Pair pair;
  pair.move(pair.client, pair.server);
  std::vector<std::byte> body;
  echo().encode(body);
  pair.server.receive(
      frame({static_cast<std::uint32_t>(body.size()), wire::Kind::kOpen, Channel::kRpc, 0, {10}}, body),
      pair.now);
  EXPECT_THAT(close_reason(pair.server), HasSubstr("open frame out of place"));
}

TEST(Session, GivesUpOnASlowHandshake) {
  Pair pair;
  EXPECT_EQ(pair.server.next_timeout(), pair.now + std::chrono::seconds(5));
  pair.server.on_timeout(pair.now + std::chrono::seconds(5));
  EXPECT_THAT(close_reason(pair.server), HasSubstr("did not answer Leat's handshake in time"));
  Ready ready;
  EXPECT_EQ(ready.server.next_timeout(), kNever);
}

TEST(Session, EndsEveryStreamWhenTheLinkIsLost) {
  Ready pair;
  pair.open();
  pair.open();
  pair.client.link_lost({Code::kUnavailable, "connection reset"});
  const std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].status.code(), Code::kUnavailable);
  EXPECT_EQ(events[2].kind, Kind::kClosed);
  EXPECT_FALSE(pair.client.open(echo(), Channel::kRpc));
}

struct Violation {
  const char* name;
  std::vector<std::byte> (*bytes)(wire::StreamId open);
  const char* reason;
};

std::vector<std::byte> message(wire::StreamId id, std::uint16_t flags, const wire::Prologue& prologue,
                               std::size_t size) {
  std::vector<std::byte> body(prologue.encoded_size() + size);
  prologue.encode(body.data());
  return frame({static_cast<std::uint32_t>(body.size()), wire::Kind::kMessage, Channel::kRpc, flags, id},
               body);
}

class Violations : public ::testing::TestWithParam<Violation> {};

TEST_P(Violations, CloseTheSessionWithTheReason) {
  Ready pair;
  const wire::StreamId id = pair.open();
  pair.run();
  Pair::events(pair.server);
  pair.server.receive(GetParam().bytes(id), pair.now);
  EXPECT_EQ(close_reason(pair.server), "protocol violation: " + std::string(GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(
    Protocol, Violations,
    ::testing::Values(
        Violation{
            "oversized",
            [](wire::StreamId id) { return frame({2U << 20U, wire::Kind::kMessage, Channel::kRpc, 0, id}); },
            "a frame of 2097152 bytes where at most 1048576 are allowed"},
        Violation{"hello_again",
                  [](wire::StreamId) { return frame({0, wire::Kind::kHello, Channel::kControl, 0, {}}); },
                  "a hello frame out of place"},
        Violation{"piece_of_nothing",
                  [](wire::StreamId id) {
                    return frame({1, wire::Kind::kMessage, Channel::kRpc, 0, id}, std::vector<std::byte>(1));
                  },
                  "a piece of no message"},
        Violation{"short_prologue",
                  [](wire::StreamId id) {
                    return frame({1, wire::Kind::kMessage, Channel::kRpc, wire::kFirst | wire::kLast, id},
                                 std::vector<std::byte>(1));
                  },
                  "a message with a prologue that can't be read"},
        Violation{"too_short",
                  [](wire::StreamId id) {
                    return message(id, wire::kFirst | wire::kLast, {Codec::kRaw, 5, {}}, 4);
                  },
                  "a message shorter than it announced"},
        Violation{"too_long",
                  [](wire::StreamId id) { return message(id, wire::kFirst, {Codec::kRaw, 5, {}}, 6); },
                  "a message longer than it announced"},
        Violation{"not_ended",
                  [](wire::StreamId id) { return message(id, wire::kFirst, {Codec::kRaw, 5, {}}, 5); },
                  "a message longer than it announced"},
        Violation{"overrun",
                  [](wire::StreamId id) {
                    std::vector<std::byte> all;
                    for (int i = 0; i < 3; ++i) {
                      const auto one =
                          message(id, wire::kFirst | wire::kLast, {Codec::kRaw, 100'000, {}}, 100'000);
                      all.insert(all.end(), one.begin(), one.end());
                    }
                    return all;
                  },
                  "a stream written beyond its credit"},
        Violation{"after_end",
                  [](wire::StreamId id) {
                    auto all =
                        message(id, wire::kFirst | wire::kLast | wire::kEndStream, {Codec::kRaw, 1, {}}, 1);
                    all.insert(all.end(), all.begin(), all.end());
                    return all;
                  },
                  "a message after the end of its stream"},
        Violation{"opened_twice",
                  [](wire::StreamId id) {
                    std::vector<std::byte> body;
                    echo().encode(body);
                    return frame(
                        {static_cast<std::uint32_t>(body.size()), wire::Kind::kOpen, Channel::kRpc, 0, id},
                        body);
                  },
                  "a stream opened twice, or out of order"},
        Violation{"our_id",
                  [](wire::StreamId) {
                    std::vector<std::byte> body;
                    echo().encode(body);
                    return frame({static_cast<std::uint32_t>(body.size()), wire::Kind::kOpen, Channel::kRpc,
                                  0, wire::StreamId::make(9, true, Channel::kRpc)},
                                 body);
                  },
                  "a stream opened with an id of this side"},
        Violation{"end_from_caller",
                  [](wire::StreamId id) {
                    std::vector<std::byte> body;
                    wire::End{}.encode(body);
                    return frame(
                        {static_cast<std::uint32_t>(body.size()), wire::Kind::kEnd, Channel::kRpc, 0, id},
                        body);
                  },
                  "an end frame from the caller"}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(Session, IgnoresFramesThatAreLate) {
  Ready pair;
  const wire::StreamId id = pair.open();
  pair.run();
  pair.server.end(id, {}, {});
  pair.run();
  std::vector<std::byte> credit;
  wire::Credit{1U << 20U}.encode(credit);
  pair.server.receive(frame({8, wire::Kind::kCredit, Channel::kControl, 0, id}, credit), pair.now);
  pair.server.receive(message(id, wire::kFirst | wire::kLast, {Codec::kRaw, 3, {}}, 3), pair.now);
  EXPECT_TRUE(pair.server.ready());
}

TEST(Session, TakesRandomBytesWithoutHarm) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    Ready pair;
    const wire::StreamId id = pair.open();
    pair.run();
    std::vector<std::byte> bytes;
    for (int i = 0; i < 20; ++i) {
      wire::FrameHeader header{static_cast<std::uint32_t>(random() % 200),
                               static_cast<wire::Kind>(random() % 0x16), static_cast<Channel>(random() % 5),
                               static_cast<std::uint16_t>(random() % 8),
                               random() % 2 == 0 ? id : wire::StreamId{random() % 64}};
      std::vector<std::byte> body(header.length);
      for (std::byte& byte : body) byte = static_cast<std::byte>(random() % 4);
      const auto one = frame(header, body);
      bytes.insert(bytes.end(), one.begin(), one.end());
    }
    pair.server.receive(bytes, pair.now);
    Pair::events(pair.server);
    pair.output(pair.server);
  }
}

}  // namespace
}  // namespace leat::session
