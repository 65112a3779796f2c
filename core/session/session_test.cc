#include "core/session/session.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/session/session_fixture.h"
#include "core/wire/codec.h"

namespace leat::session {
namespace {

using ::testing::HasSubstr;
using std::string_view_literals::operator""sv;

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

TEST(Session, SkipsWhatItMayAndClosesOnWhatItMayNot) {
  Ready pair;
  pair.server.receive(Lane::kMain,
                      frame({3, static_cast<wire::Kind>(0x77), Channel::kRpc, wire::kSkippable, {99}},
                            std::vector<std::byte>(3)),
                      pair.now);
  EXPECT_TRUE(pair.server.ready());
  pair.server.receive(Lane::kMain, frame({0, static_cast<wire::Kind>(0x77), Channel::kRpc, 0, {}}), pair.now);
  EXPECT_EQ(close_reason(pair.server),
            "protocol violation: a frame of unknown kind 119 that may not be skipped");
  pair.run();
  EXPECT_THAT(close_reason(pair.client), HasSubstr("unknown kind 119"));
}

TEST(Session, TellsGarbageFromLeat) {
  for (const std::string_view garbage : {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"sv,
                                         "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03....."sv}) {
    Pair pair;
    pair.server.receive(Lane::kMain, as_bytes(garbage), pair.now);
    EXPECT_TRUE(pair.server.closed());
    EXPECT_TRUE(pair.server.saw_garbage());
    EXPECT_FALSE(pair.server.has_output(Lane::kMain)) << "an answer would be noise";
    pair.client.receive(Lane::kMain, as_bytes(garbage), pair.now);
    EXPECT_THAT(close_reason(pair.client), HasSubstr("does not speak Leat"));
  }
}

TEST(Session, TellsShortGarbageFromTheBeginningOfAHello) {
  for (const std::string_view garbage : {"GET /"sv, "SSH-"sv, "\xff\xff"sv}) {
    Pair pair;
    pair.server.receive(Lane::kMain, as_bytes(garbage), pair.now);
    EXPECT_TRUE(pair.server.saw_garbage()) << garbage;
  }
  Pair pair;
  for (const std::byte byte : pair.output(pair.client))
    pair.server.receive(Lane::kMain, Bytes(&byte, 1), pair.now);
  EXPECT_FALSE(pair.server.closed());
}

TEST(Session, RefusesAVersionItDoesNotSpeakNamingBoth) {
  Pair pair;
  std::vector<std::byte> body;
  wire::Hello{7, 9, {}}.encode(body);
  pair.server.receive(
      Lane::kMain,
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
      Lane::kMain,
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
      Lane::kMain,
      frame({static_cast<std::uint32_t>(body.size()), wire::Kind::kOpen, Channel::kRpc, 0, {10}}, body),
      pair.now);
  EXPECT_THAT(close_reason(pair.server), HasSubstr("open frame out of place"));
}

TEST(Session, GivesUpOnASlowHandshake) {
  Pair pair;
  EXPECT_EQ(pair.server.next_timeout(), pair.now + std::chrono::seconds(5));
  pair.server.on_timeout(pair.now + std::chrono::seconds(5));
  EXPECT_THAT(close_reason(pair.server), HasSubstr("did not answer Leat's handshake in time"));
  const Ready ready;
  EXPECT_GT(ready.server.next_timeout(), ready.now + std::chrono::seconds(5));
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

class Violations : public ::testing::TestWithParam<Violation> {};

TEST_P(Violations, CloseTheSessionWithTheReason) {
  Ready pair;
  const wire::StreamId id = pair.open();
  pair.run();
  Pair::events(pair.server);
  pair.server.receive(Lane::kMain, GetParam().bytes(id), pair.now);
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
    pair.server.receive(Lane::kMain, bytes, pair.now);
    Pair::events(pair.server);
    pair.output(pair.server);
  }
}

}  // namespace
}  // namespace leat::session
