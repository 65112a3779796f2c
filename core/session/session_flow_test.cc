// Credit: what is in flight, what lies unread, and that none of it is lost.
#include <deque>
#include <map>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/session/session_fixture.h"

namespace leat::session {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

wire::Open call(CallKind kind) {
  wire::Open open = echo();
  open.kind = kind;
  return open;
}

std::size_t message_bytes(const std::vector<Event>& events) {
  std::size_t bytes = 0;
  for (const Event& event : events) bytes += event.payload.head.size();
  return bytes;
}

/// All that `to` has received is taken by its application.
std::size_t take_all(Session& to) {
  const std::vector<Event> events = Pair::events(to);
  for (const Event& event : events) {
    if (event.kind == Kind::kMessage) to.consumed(event.stream, event.wire_bytes);
  }
  return message_bytes(events);
}

TEST(ChannelCredit, ComesBackThoughNobodyReads) {
  Ready pair;
  // Streams that nobody reads, more than the channel's window together.
  std::size_t sent = 0;
  while (sent < 12U << 20U) {
    const wire::StreamId id = *pair.client.open(call(CallKind::kBidi), Channel::kStream);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(pair.client.send(id, raw(10'000), false).ok());
    sent += 200'000;
  }
  pair.run();
  EXPECT_EQ(message_bytes(Pair::events(pair.server)), sent);
}

TEST(ChannelCredit, BoundsWhatIsInFlight) {
  Options server;
  server.channel_window = 1U << 20U;
  Ready pair({}, server);
  const wire::StreamId id = pair.open(Channel::kBulk);
  ASSERT_TRUE(pair.client.send(id, raw(8U << 20U), true).ok());
  pair.give(pair.server, pair.output(pair.client));  // announced, and admitted: the stream has all its credit
  pair.move(pair.server, pair.client);
  const std::vector<std::byte> flight = pair.output(pair.client);
  EXPECT_LE(flight.size(), (1U << 20U) + 1000U);
  EXPECT_GT(flight.size(), (1U << 20U) - 1000U);
  EXPECT_FALSE(pair.client.has_output()) << "what waits for credit is no output";
  pair.open(Channel::kBulk);
  EXPECT_TRUE(pair.client.has_output()) << "but an open needs none";
}

TEST(ChannelCredit, OverrunIsAViolation) {
  Options server;
  server.channel_window = 64U << 10U;
  Ready pair({}, server);
  const wire::StreamId id = pair.open();
  pair.run();
  pair.give(pair.server, message(id, wire::kFirst | wire::kLast, {Codec::kRaw, 70'000, {}}, 70'000));
  EXPECT_EQ(close_reason(pair.server), "protocol violation: a channel written beyond its credit: rpc");
}

TEST(ChannelCredit, ForMoreThanWasSentIsAViolation) {
  Ready pair;
  pair.give(pair.client,
            frame(wire::Kind::kChannelCredit, {}, encoded(wire::ChannelCredit{Channel::kRpc, 1, 1U << 30U})));
  EXPECT_EQ(close_reason(pair.client), "protocol violation: channel credit for more than was sent");
}

TEST(ChannelCredit, IsUsedSparinglyWhileCallsAreActive) {
  Options client;
  client.scheduler.bulk_in_flight_beside = 512U << 10U;
  Ready pair(client);
  const wire::StreamId bulk = pair.open(Channel::kBulk);
  ASSERT_TRUE(pair.client.send(bulk, raw(64U << 20U), true).ok());
  pair.move(pair.client, pair.server);
  pair.move(pair.server, pair.client);  // the message is admitted
  const wire::StreamId id = pair.open();
  ASSERT_TRUE(pair.client.send(id, raw("call"), true).ok());
  pair.output(pair.client);
  const Flow busy = pair.client.channel_flow(Channel::kBulk);
  const std::uint64_t returned = busy.send_limit - (4U << 20U);
  EXPECT_GE(busy.sent - returned, 512U << 10U);
  EXPECT_LE(busy.sent - returned, (512U << 10U) + (64U << 10U));
  pair.now += milliseconds(11);
  pair.output(pair.client);
  const Flow quiet = pair.client.channel_flow(Channel::kBulk);
  EXPECT_EQ(quiet.sent, quiet.send_limit) << "the whole window, once no call is active";
}

/// A stream of large items that is written as fast as credit allows, over a link that takes `delay` each way.
struct LongPipe : Ready {
  explicit LongPipe(Options client_options = {})
      : Ready(std::move(client_options)), id(*client.open(call(CallKind::kServerStream), Channel::kBulk)) {
    run();
    events(server);
  }
  /// One round trip; gives the bytes that arrived in it.
  std::size_t round_trip() {
    while (!server.full(id)) EXPECT_TRUE(server.send(id, raw(60'000), false).ok());
    const std::vector<std::byte> there = output(client);
    now += milliseconds(10);
    give(server, there);
    while (server.has_output()) {
      const std::vector<std::byte> back = output(server);
      while (!server.full(id)) EXPECT_TRUE(server.send(id, raw(60'000), false).ok());
      flight.insert(flight.end(), back.begin(), back.end());
    }
    now += milliseconds(10);
    give(client, flight);
    flight.clear();
    return take_all(client);
  }
  wire::StreamId id;
  std::vector<std::byte> flight;
};

TEST(StreamWindows, GrowWithBandwidthTimesDelay) {
  LongPipe pipe;
  const std::size_t first = pipe.round_trip();
  EXPECT_LT(first, 300'000U);
  std::size_t last = 0;
  for (int i = 0; i < 60; ++i) last = pipe.round_trip();
  // Credit comes back past half the window, so half of it is always there.
  EXPECT_GE(last, 8U << 20U);
  EXPECT_LE(pipe.client.windows_in_use(), 16U << 20U);
}

TEST(StreamWindows, DoNotGrowWhileCallsAreActive) {
  Options client;
  client.scheduler.active_for = milliseconds(100);
  LongPipe pipe(client);
  for (int i = 0; i < 40; ++i) {
    const wire::StreamId id = pipe.open();
    ASSERT_TRUE(pipe.client.send(id, raw("call"), true).ok());
    pipe.round_trip();
    ASSERT_TRUE(pipe.server.send(id, raw("answer"), true).ok());
    pipe.round_trip();
  }
  EXPECT_EQ(pipe.client.windows_in_use(), 256U << 10U);
}

TEST(StreamWindows, AreSmallerOnceHalfOfTheirSumIsTaken) {
  Options client;
  client.stream_windows_bytes = 2U << 20U;
  Ready pair(client);
  std::vector<wire::StreamId> ids;
  const auto open = [&] {
    const Result<wire::StreamId> id = pair.client.open(call(CallKind::kServerStream), Channel::kStream);
    if (id) ids.push_back(*id);
    return id;
  };
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(open());
    if (i == 0) pair.run();
  }
  EXPECT_EQ(pair.client.windows_in_use(), 5 * (256U << 10U));
  ASSERT_TRUE(open());
  EXPECT_EQ(pair.client.windows_in_use(), 5 * (256U << 10U) + (64U << 10U));
  pair.run();
  const auto written = [&](wire::StreamId id) {
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(pair.server.send(id, raw(10'000), false).ok());
    const std::uint64_t before = pair.server.channel_flow(Channel::kStream).sent;
    pair.run();
    return pair.server.channel_flow(Channel::kStream).sent - before;
  };
  EXPECT_LT(written(ids.back()), 80'000U) << "the other side knows";
  while (open()) {
  }
  const Result<wire::StreamId> refused = open();
  EXPECT_EQ(refused.error().code(), Code::kResourceExhausted);
  EXPECT_THAT(refused.error().message(), HasSubstr("stream_windows_bytes (2097152)"));
  EXPECT_LE(pair.client.windows_in_use(), 2U << 20U);
  EXPECT_TRUE(pair.client.open(call(CallKind::kUnary), Channel::kRpc)) << "which needs none";
  EXPECT_TRUE(pair.client.open(call(CallKind::kClientStream), Channel::kStream)) << "nor does this side here";
  // Of the stream that was opened before the change was told, more is tolerated, and credit goes on.
  EXPECT_GT(written(ids.front()), 200'000U);
  EXPECT_TRUE(pair.client.ready());
  for (int i = 0; i < 10; ++i) {
    take_all(pair.client);
    pair.run();
  }
  for (const wire::StreamId id : ids) pair.client.cancel(id, Code::kCancelled, {});
  EXPECT_EQ(pair.client.windows_in_use(), 0U);
  const wire::StreamId large = *open();
  pair.run();
  EXPECT_GT(written(large), 200'000U) << "and back again";
  EXPECT_TRUE(pair.client.ready());
  EXPECT_TRUE(pair.server.ready());
}

TEST(StreamWindows, ThatShrinkBeforeAnOpenHasArrivedStillGiveItsStreamCredit) {
  // The stream that takes the half of the sum makes the windows of later ones smaller, and the WINDOW frame
  // leaves before its own OPEN.
  Options client;
  client.stream_windows_bytes = 512U << 10U;
  client.stream_window = 320U << 10U;
  Ready pair(client);
  const wire::StreamId id = *pair.client.open(call(CallKind::kServerStream), Channel::kStream);
  pair.run();
  std::size_t taken = 0;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(pair.server.send(id, raw(10'000), false).ok());
    pair.run();
    taken += take_all(pair.client);
    pair.run();
  }
  EXPECT_EQ(taken, 1'000'000U);
}

TEST(StreamWindows, AreRefusedToTheOtherSideWhenTheirSumIsTaken) {
  Options server;
  server.stream_windows_bytes = 256U << 10U;
  Ready pair({}, server);
  ASSERT_TRUE(pair.client.open(call(CallKind::kBidi), Channel::kStream));
  ASSERT_TRUE(pair.client.open(call(CallKind::kUnary), Channel::kRpc));
  const wire::StreamId second = *pair.client.open(call(CallKind::kClientStream), Channel::kStream);
  pair.run();
  const std::vector<Event> events = Pair::events(pair.client);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].stream, second);
  EXPECT_EQ(events[0].status.code(), Code::kResourceExhausted);
  EXPECT_THAT(events[0].status.message(), HasSubstr("stream_windows_bytes (262144)"));
  EXPECT_EQ(pair.server.stream_count(), 2U);
}

/// Two sessions with every kind of traffic at random, over lanes that deliver when they like.
class Traffic {
 public:
  explicit Traffic(unsigned seed) : random_(seed), pair_(options(), options()) {
    if (seed % 2 == 0) pair_.attach();
  }

  void step() {
    pair_.now += std::chrono::microseconds(chance(100));
    Session& side = chance(2) == 0 ? pair_.client : pair_.server;
    switch (chance(8)) {
      case 0:
        if (calls_.size() < 40) open(side);
        return;
      case 1:
      case 2: send(); return;
      case 3: take(side); return;
      case 4:
        if (chance(4) == 0) finish();
        return;
      default: carry(chance(4), chance(100'000)); return;
    }
  }
  void quiet() {
    for (bool any = true; any;) {
      any = false;
      for (std::size_t wire = 0; wire < 4; ++wire) any = carry(wire, 1U << 30U) || any;
      any = take(pair_.client) || take(pair_.server) || any;
    }
  }
  void finish_all() {
    while (!calls_.empty()) finish();
  }
  void expect_agreement() {
    for (std::size_t i = 0; i < kChannelCount; ++i) {
      const auto channel = static_cast<Channel>(i);
      agree(pair_.client.channel_flow(channel), pair_.server.channel_flow(channel), i);
    }
    for (const auto& [id, caller] : calls_) {
      const auto client = pair_.client.stream_flow(id);
      const auto server = pair_.server.stream_flow(id);
      ASSERT_TRUE(client && server);
      agree(*client, *server, id.value);
    }
    EXPECT_TRUE(pair_.client.ready()) << close_reason(pair_.client);
    EXPECT_TRUE(pair_.server.ready()) << close_reason(pair_.server);
  }
  Ready& pair() noexcept { return pair_; }

 private:
  static Options options() {
    Options options;
    options.channel_window = 256U << 10U;
    options.stream_window = 64U << 10U;
    return options;
  }
  std::size_t chance(std::size_t of) { return random_() % of; }
  Session& other(Session& side) { return &side == &pair_.client ? pair_.server : pair_.client; }

  static void agree(const Flow& left, const Flow& right, std::uint64_t what) {
    EXPECT_EQ(left.sent, right.received) << what;
    EXPECT_EQ(right.sent, left.received) << what;
    EXPECT_EQ(left.send_limit, right.receive_limit) << what;
    EXPECT_EQ(right.send_limit, left.receive_limit) << what;
  }
  void open(Session& side) {
    const auto id = side.open(call(static_cast<CallKind>(chance(4))), static_cast<Channel>(1 + chance(3)));
    ASSERT_TRUE(id);
    calls_.emplace(*id, &side);
  }
  void send() {
    if (calls_.empty()) return;
    auto at = std::next(calls_.begin(), static_cast<std::ptrdiff_t>(chance(calls_.size())));
    Session& from = chance(2) == 0 ? *at->second : other(*at->second);
    if (from.full(at->first)) return;
    const std::size_t size = chance(5) == 0 ? chance(400'000) : chance(2000);
    EXPECT_TRUE(from.send(at->first, raw(size), false).ok());
  }
  bool take(Session& side) { return take_all(side) > 0; }
  void finish() {
    if (calls_.empty()) return;
    auto at = std::next(calls_.begin(), static_cast<std::ptrdiff_t>(chance(calls_.size())));
    Session& callee = other(*at->second);
    if (chance(2) == 0 || !callee.stream_flow(at->first)) {
      at->second->cancel(at->first, Code::kCancelled, {});
    } else {
      callee.end(at->first, {Code::kAborted, "enough"}, {});
    }
    calls_.erase(at);
  }
  /// Some bytes onto a wire, and some off it.
  bool carry(std::size_t wire, std::size_t bytes) {
    const Lane lane = wire < 2 ? Lane::kMain : Lane::kBulk;
    Session& from = wire % 2 == 0 ? pair_.client : pair_.server;
    std::vector<std::byte>& on = wires_[wire];
    const std::vector<std::byte> more = pair_.output(from, bytes, lane);
    on.insert(on.end(), more.begin(), more.end());
    const std::size_t off = std::min(on.size(), bytes == 1U << 30U ? on.size() : chance(100'000));
    pair_.give(other(from), Bytes(on).first(off), lane);
    on.erase(on.begin(), on.begin() + static_cast<std::ptrdiff_t>(off));
    return off > 0;
  }

  std::mt19937 random_;
  Ready pair_;
  std::map<wire::StreamId, Session*> calls_;
  std::array<std::vector<std::byte>, 4> wires_;
};

TEST(Credit, NeverLeaksWhateverHappens) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Traffic traffic(seed);
    for (int i = 0; i < 600; ++i) traffic.step();
    traffic.quiet();
    traffic.expect_agreement();
    traffic.finish_all();
    traffic.quiet();
    traffic.expect_agreement();
    for (Session* side : {&traffic.pair().client, &traffic.pair().server}) {
      EXPECT_EQ(side->stream_count(), 0U);
      EXPECT_EQ(side->windows_in_use(), 0U);
      EXPECT_FALSE(side->has_output());
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace leat::session
