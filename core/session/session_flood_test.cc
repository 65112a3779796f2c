// Peers that send what costs them little and this side much: each is bounded, and told why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/session/session_fixture.h"

namespace leat::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

TEST(TokenBuckets, HoldABurstAndFillUpAgain) {
  TokenBucket bucket(10, 20);
  TimePoint now = TimePoint() + std::chrono::hours(1);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(bucket.take(now));
  EXPECT_FALSE(bucket.take(now));
  now += milliseconds(100);
  EXPECT_TRUE(bucket.take(now));
  EXPECT_FALSE(bucket.take(now));
  now += seconds(100);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(bucket.take(now));
  EXPECT_FALSE(bucket.take(now));
  TokenBucket none(0, 20);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(none.take(now));
}

/// A server with small limits and a client whose frames the test makes.
struct Flooded : Ready {
  static Options small() {
    Options options;
    options.max_streams = 10;
    options.max_useless_frames = 50;
    options.max_cancels = 50;
    options.max_control_bytes = 10'000;
    return options;
  }
  Flooded() : Ready({}, small()) {}
  void receive(const std::vector<std::byte>& bytes) { server.receive(Lane::kMain, bytes, now); }
  static wire::StreamId id(std::uint64_t sequence) {
    return wire::StreamId::make(sequence, false, Channel::kRpc);
  }
  static std::vector<std::byte> opened(std::uint64_t sequence) {
    return frame(wire::Kind::kOpen, id(sequence), encoded(echo()), Channel::kRpc);
  }
  static std::vector<std::byte> cancelled(std::uint64_t sequence) {
    return frame(wire::Kind::kCancel, id(sequence), encoded(wire::Reason{Code::kCancelled, ""}));
  }
  Status closed_as() {
    for (const Event& event : events(server)) {
      if (event.kind == Kind::kClosed) return event.status;
    }
    return {};
  }
};

TEST(Floods, OfOpensAreBoundedIfNobodyReadsTheRefusals) {
  Flooded pair;
  std::uint64_t sequence = 0;
  while (!pair.server.closed() && sequence < 10'000) pair.receive(Flooded::opened(++sequence));
  EXPECT_LT(sequence, 200U);
  EXPECT_EQ(pair.server.stream_count(), 0U);
  const Status status = pair.closed_as();
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("max_control_bytes (10000)"));
  // What was to be told goes with the session; the goodbye does not wait behind it.
  EXPECT_LT(pair.output(pair.server).size(), 1000U);
}

TEST(Floods, OfOpensAreRefusedOneByOneIfTheRefusalsAreRead) {
  Flooded pair;
  for (std::uint64_t sequence = 1; sequence <= 10'000; ++sequence) {
    pair.receive(Flooded::opened(sequence));
    const std::vector<std::byte> refusal = pair.output(pair.server);
    if (sequence <= 10) continue;
    const auto header = wire::FrameHeader::decode(Bytes(refusal).first<16>());
    EXPECT_EQ(header.kind, wire::Kind::kEnd);
    EXPECT_EQ(header.channel, Channel::kRpc);
    EXPECT_EQ(header.stream, Flooded::id(sequence));
  }
  EXPECT_TRUE(pair.server.ready());
  EXPECT_EQ(pair.server.stream_count(), 10U);
}

TEST(Floods, OfCallsGivenUpCloseTheSession) {
  Flooded pair;
  std::uint64_t sequence = 0;
  while (!pair.server.closed() && sequence < 10'000) {
    pair.receive(Flooded::opened(++sequence));
    pair.receive(Flooded::cancelled(sequence));
  }
  EXPECT_EQ(sequence, 51U);
  EXPECT_THAT(pair.closed_as().message(), HasSubstr("max_cancels_per_second (50)"));
}

TEST(Floods, OfCallsGivenUpSlowlyAreNone) {
  Flooded pair;
  for (std::uint64_t sequence = 1; sequence <= 1000; ++sequence) {
    pair.receive(Flooded::opened(sequence));
    pair.receive(Flooded::cancelled(sequence));
    pair.now += milliseconds(21);
  }
  EXPECT_TRUE(pair.server.ready());
}

TEST(Floods, OfPingsAreBoundedIfNobodyReadsTheAnswers) {
  Options server = Flooded::small();
  server.max_useless_frames = 0;
  Ready pair({}, server);
  const auto ping = frame(wire::Kind::kPing, {}, std::vector<std::byte>(64));
  int pings = 0;
  for (; !pair.server.closed() && pings < 10'000; ++pings) pair.server.receive(Lane::kMain, ping, pair.now);
  EXPECT_EQ(pings, 126) << "80 bytes each";
  EXPECT_THAT(close_reason(pair.server), HasSubstr("max_control_bytes (10000)"));
}

TEST(Floods, InOnePieceAreBoundedFrameByFrame) {
  Options server = Flooded::small();
  server.max_useless_frames = 0;
  Ready pair({}, server);
  const auto ping = frame(wire::Kind::kPing, {}, std::vector<std::byte>(64));
  std::vector<std::byte> all;
  for (int i = 0; i < 10'000; ++i) all.insert(all.end(), ping.begin(), ping.end());
  pair.server.receive(Lane::kMain, all, pair.now);
  EXPECT_TRUE(pair.server.closed());
  EXPECT_LT(pair.output(pair.server).size(), 1000U);
}

struct Useless {
  const char* name;
  std::vector<std::byte> (*bytes)(wire::StreamId open);
};

class UselessFrames : public ::testing::TestWithParam<Useless> {};

TEST_P(UselessFrames, AreTakenUpToARate) {
  Flooded pair;
  const wire::StreamId id = pair.open();
  pair.run();
  const std::vector<std::byte> bytes = GetParam().bytes(id);
  for (int i = 0; i < 50; ++i) pair.receive(bytes);
  EXPECT_TRUE(pair.server.ready());
  pair.output(pair.server);
  pair.now += seconds(1);
  for (int i = 0; i < 50; ++i) pair.receive(bytes);
  EXPECT_TRUE(pair.server.ready());
  pair.receive(bytes);
  const Status status = pair.closed_as();
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("max_useless_frames_per_second (50)"));
}

INSTANTIATE_TEST_SUITE_P(
    Floods, UselessFrames,
    ::testing::Values(Useless{"unknown",
                              [](wire::StreamId) {
                                return frame(static_cast<wire::Kind>(0x77), {}, {}, Channel::kRpc,
                                             wire::kSkippable);
                              }},
                      Useless{"pings", [](wire::StreamId) { return frame(wire::Kind::kPing, {}, {}); }},
                      Useless{"pongs_of_no_ping",
                              [](wire::StreamId) { return frame(wire::Kind::kPong, {}, {}); }},
                      Useless{"credit_that_raises_nothing",
                              [](wire::StreamId open) {
                                return frame(wire::Kind::kCredit, open, encoded(wire::Credit{1}));
                              }},
                      Useless{"cancels_of_calls_that_are_over",
                              [](wire::StreamId open) {
                                return frame(wire::Kind::kCancel,
                                             wire::StreamId::make(open.sequence() - 1, false, Channel::kRpc),
                                             encoded(wire::Reason{Code::kCancelled, ""}));
                              }}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(Floods, OfTinyPiecesAreUselessFrames) {
  Flooded pair;
  const wire::StreamId id = pair.open();
  pair.run();
  pair.receive(message(id, wire::kFirst, {Codec::kRaw, 100'000, {}}, 0));
  const auto piece = frame(wire::Kind::kMessage, id, std::vector<std::byte>(1), Channel::kRpc);
  int pieces = 1;
  for (; !pair.server.closed() && pieces < 10'000; ++pieces) pair.receive(piece);
  EXPECT_EQ(pieces, 51);
  EXPECT_THAT(pair.closed_as().message(), HasSubstr("max_useless_frames_per_second (50)"));
}

TEST(Floods, OfPiecesWithoutAByteAreAViolation) {
  Flooded pair;
  const wire::StreamId id = pair.open();
  pair.run();
  pair.receive(message(id, wire::kFirst, {Codec::kRaw, 100'000, {}}, 0));
  pair.receive(frame(wire::Kind::kMessage, id, {}, Channel::kRpc));
  EXPECT_EQ(pair.closed_as().message(), "protocol violation: a piece of a message without a byte");
}

// ---- metadata

/// 100 bytes are allowed; a pair counts 32 and its text.
struct Metadatas : Ready {
  static Options narrow() {
    Options options;
    options.max_metadata = 100;
    return options;
  }
  Metadatas() : Ready(narrow()) {}
  static Metadata large() { return {{"k", std::string(200, 'v')}}; }
};

TEST(TooMuchMetadata, FromTheCalleeEndsTheCallAndNotTheSession) {
  Metadatas pair;
  const wire::StreamId id = pair.open();
  pair.run();
  pair.server.headers(id, Metadatas::large());
  pair.run();
  const std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].status.to_string(),
            "resource_exhausted: initial metadata of 233 bytes is over max_metadata_bytes (100) of the side "
            "that receives it");
  EXPECT_EQ(Pair::events(pair.server).back().kind, Kind::kCancelled) << "the handler learns of it";
  EXPECT_TRUE(pair.client.ready());
}

TEST(TooMuchMetadata, WithTheEndStillTellsHowTheCallEnded) {
  Metadatas pair;
  const wire::StreamId id = pair.open();
  pair.run();
  pair.server.end(id, {Code::kNotFound, "no film"}, Metadatas::large());
  pair.run();
  const std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].status.to_string(),
            "resource_exhausted: the call ended as not_found: trailing metadata of 233 bytes is over "
            "max_metadata_bytes (100) of the side that receives it");
  EXPECT_TRUE(pair.client.ready());
}

TEST(TooMuchMetadata, IsAlsoManyPairsOfNothing) {
  Options server;
  server.max_metadata = 3200;
  Ready pair({}, server);
  wire::Open open = echo();
  for (int i = 0; i < 101; ++i) open.metadata.add("", "");
  ASSERT_TRUE(pair.client.open(open, Channel::kRpc));
  pair.run();
  const std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_THAT(events[0].status.message(), HasSubstr("max_metadata_bytes (3200)"));
}

}  // namespace
}  // namespace leat::session
