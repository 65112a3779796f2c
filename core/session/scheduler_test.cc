// What goes first, in what pieces, and that nobody starves; seen in the frames that a session sends.
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/session/session_fixture.h"

namespace leat::session {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::Each;
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

/// Bytes of each channel in what a session sends.
std::map<Channel, std::size_t> shares(Bytes bytes) {
  std::map<Channel, std::size_t> sum;
  for (const wire::FrameHeader& header : headers(bytes)) {
    sum[header.channel] += wire::FrameHeader::kSize + header.length;
  }
  return sum;
}

/// A ready pair whose client has streams with all the credit they want.
struct Rich : Ready {
  explicit Rich(Options client_options = {}) : Ready(std::move(client_options)) {}
  wire::StreamId stream(Channel channel, std::size_t bytes, char fill = 'x') {
    const wire::StreamId id = open(channel);
    EXPECT_TRUE(client.send(id, raw(bytes, fill), true).ok());
    client.receive(Lane::kMain, frame(wire::Kind::kCredit, id, encoded(wire::Credit{1ULL << 40U})), now);
    return id;
  }
  std::vector<std::uint32_t> pieces(Channel channel) const {
    std::vector<std::uint32_t> sizes;
    for (const wire::FrameHeader& header : frames) {
      const bool whole = (header.flags & (wire::kFirst | wire::kLast)) != 0;
      if (header.kind == wire::Kind::kMessage && header.channel == channel && !whole) {
        sizes.push_back(header.length);
      }
    }
    return sizes;
  }
  /// What one turn of the link takes.
  void turn(std::size_t budget) { frames = headers(output(client, budget)); }
  std::vector<wire::FrameHeader> frames;
};

TEST(Scheduling, GivesEveryChannelItsShareOfBytes) {
  Rich pair;
  for (const Channel channel : {Channel::kStream, Channel::kRpc, Channel::kBulk}) {
    pair.stream(channel, 3'000'000);
  }
  pair.output(pair.client, 10'000);
  const auto share = shares(pair.output(pair.client, 1'500'000));
  EXPECT_NEAR(static_cast<double>(share.at(Channel::kStream)), 1'500'000 * 4 / 9.0, 120'000);
  EXPECT_NEAR(static_cast<double>(share.at(Channel::kRpc)), 1'500'000 * 4 / 9.0, 120'000);
  EXPECT_NEAR(static_cast<double>(share.at(Channel::kBulk)), 1'500'000 / 9.0, 120'000);
}

TEST(Scheduling, DoesNotHoldAgainstAChannelWhatItSentAlone) {
  Options options;
  options.scheduler.bulk_in_flight_beside = 1U << 30U;
  Rich pair(options);
  const wire::ChannelCredit plenty{Channel::kBulk, 0, 1ULL << 40U};
  pair.client.receive(Lane::kMain, frame(wire::Kind::kChannelCredit, {}, encoded(plenty)), pair.now);
  pair.stream(Channel::kBulk, 30'000'000);
  pair.output(pair.client, 20'000'000);
  pair.stream(Channel::kRpc, 3'000'000);
  const auto share = shares(pair.output(pair.client, 1'500'000));
  EXPECT_NEAR(static_cast<double>(share.at(Channel::kBulk)), 1'500'000 / 5.0, 120'000);
}

TEST(Scheduling, TakesItsSharesFromItsOptions) {
  Options options;
  options.scheduler.stream_quantum = 16U << 10U;
  options.scheduler.rpc_quantum = 64U << 10U;
  Rich pair(options);
  pair.stream(Channel::kStream, 3'000'000);
  pair.stream(Channel::kRpc, 3'000'000);
  const auto share = shares(pair.output(pair.client, 1'000'000));
  EXPECT_NEAR(static_cast<double>(share.at(Channel::kStream)), 200'000, 80'000);
}

TEST(Scheduling, LetsTheStreamsOfAChannelTakeTurns) {
  Rich pair;
  const wire::StreamId a = pair.stream(Channel::kRpc, 60'000);
  const wire::StreamId b = pair.stream(Channel::kRpc, 60'000);
  const wire::StreamId c = pair.stream(Channel::kRpc, 10);
  pair.turn(1U << 30U);
  std::vector<wire::StreamId> order;
  for (const wire::FrameHeader& header : pair.frames) {
    if (header.kind == wire::Kind::kMessage) order.push_back(header.stream);
  }
  // The frame that opens b, and then c, takes a turn while a has its second one.
  EXPECT_THAT(order, ElementsAre(a, a, b, c, a, b, a, b, b));
}

TEST(Scheduling, SendsManySmallFramesInOneBatchAndALoneOneAtOnce) {
  Ready pair;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(pair.client.send(pair.open(), raw("small"), true).ok());
  Batch batch;
  pair.client.transmit(Lane::kMain, batch, 64U << 10U, pair.now);
  EXPECT_EQ(batch.slices().size(), 1U);
  EXPECT_FALSE(pair.client.has_output());
  batch.clear();
  ASSERT_TRUE(pair.client.send(pair.open(), raw("lone"), true).ok());
  pair.client.transmit(Lane::kMain, batch, 64U << 10U, pair.now);
  EXPECT_THAT(as_text(batch.slices().front().bytes), HasSubstr("lone"));
}

TEST(Scheduling, BoundsTheShareOfControl) {
  Rich pair;
  pair.stream(Channel::kRpc, 1'000'000);
  std::vector<wire::StreamId> calls;
  for (int i = 0; i < 300; ++i) calls.push_back(pair.open(Channel::kStream));
  pair.output(pair.client, 20'000);
  for (const wire::StreamId id : calls) pair.client.cancel(id, Code::kCancelled, std::string(1000, 'r'));
  const auto share = shares(pair.output(pair.client, 300'000));
  EXPECT_GT(share.at(Channel::kRpc), 100'000U);
  EXPECT_GT(share.at(Channel::kControl), 100'000U) << "and it is no less than the others'";
}

TEST(Scheduling, SendsLargePiecesOfBulkAloneAndSmallerOnesBesideCalls) {
  Rich pair;
  pair.stream(Channel::kBulk, 3'000'000);
  pair.turn(700'000);
  EXPECT_THAT(pair.pieces(Channel::kBulk), Each(256U << 10U));
  pair.stream(Channel::kRpc, 10);
  pair.turn(300'000);
  EXPECT_THAT(pair.pieces(Channel::kBulk), Each(64U << 10U));
  pair.turn(100'000);
  EXPECT_THAT(pair.pieces(Channel::kBulk), Each(64U << 10U)) << "the call was there a moment ago";
  pair.now += milliseconds(10);
  pair.turn(300'000);
  EXPECT_THAT(pair.pieces(Channel::kBulk), Each(256U << 10U));
  // A frame received of a call is as good as one sent.
  const wire::StreamId id = pair.open(Channel::kRpc);
  pair.turn(1'000);
  pair.now += milliseconds(10);
  pair.give(pair.client, frame(wire::Kind::kHeaders, id, encoded(wire::Headers{}), Channel::kRpc));
  pair.turn(300'000);
  EXPECT_THAT(pair.pieces(Channel::kBulk), Each(64U << 10U));
}

TEST(Scheduling, CutsMessagesByTheRateOfTheLink) {
  struct Case {
    double bytes_a_second;
    std::uint32_t piece;
  };
  for (const Case& link : {Case{10e6, 4U << 10U}, Case{80e6, 8000}, Case{1e9, 16U << 10U}}) {
    Rich pair;
    pair.stream(Channel::kRpc, 4'000'000);
    for (int i = 0; i < 30; ++i) {
      pair.turn(100'000);
      std::size_t taken = 0;
      for (const wire::FrameHeader& header : pair.frames) taken += wire::FrameHeader::kSize + header.length;
      pair.now += microseconds(static_cast<long>(static_cast<double>(taken) / link.bytes_a_second * 1e6));
    }
    ASSERT_FALSE(pair.pieces(Channel::kRpc).empty());
    EXPECT_NEAR(pair.pieces(Channel::kRpc).back(), link.piece, link.piece / 20.0) << link.bytes_a_second;
  }
}

TEST(Scheduling, MovesLargeAnswersOfUnaryCallsToBulk) {
  Options server;
  server.bulk_threshold = 1000;
  const auto channel_of_answer = [&server](CallKind kind, Channel opened, std::size_t size) {
    Ready pair({}, server);
    wire::Open open = echo();
    open.kind = kind;
    const wire::StreamId id = *pair.client.open(open, opened);
    pair.run();
    EXPECT_TRUE(pair.server.send(id, raw(size), true).ok());
    Channel channel = Channel::kControl;
    for (const wire::FrameHeader& header : headers(pair.output(pair.server))) {
      if (header.kind == wire::Kind::kMessage) channel = header.channel;
    }
    return channel;
  };
  EXPECT_EQ(channel_of_answer(CallKind::kUnary, Channel::kRpc, 999), Channel::kRpc);
  EXPECT_EQ(channel_of_answer(CallKind::kUnary, Channel::kRpc, 1000), Channel::kBulk);
  EXPECT_EQ(channel_of_answer(CallKind::kUnary, Channel::kBulk, 10), Channel::kBulk) << "where it was opened";
  EXPECT_EQ(channel_of_answer(CallKind::kUnary, Channel::kStream, 1000), Channel::kStream)
      << "by somebody's wish";
  EXPECT_EQ(channel_of_answer(CallKind::kServerStream, Channel::kStream, 999), Channel::kStream);
  EXPECT_EQ(channel_of_answer(CallKind::kServerStream, Channel::kStream, 1000), Channel::kBulk)
      << "the only one";
  EXPECT_EQ(channel_of_answer(CallKind::kServerStream, Channel::kRpc, 1000), Channel::kRpc);
}

}  // namespace
}  // namespace leat::session
