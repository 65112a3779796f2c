// Large messages: whose turn it is, in the session and in the process, and what becomes of those that stall.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/session/session_fixture.h"

namespace leat::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr std::size_t kMiB = 1U << 20U;

/// A session of the receiving side's with a share in a process's budget, and its sender.
struct Receiving : Ready {
  static Options with(std::shared_ptr<ProcessBudget> process, std::uint64_t assembly_bytes) {
    Options options;
    options.process_budget = std::move(process);
    options.assembly_bytes = assembly_bytes;
    options.heartbeat_interval = {};
    return options;
  }
  explicit Receiving(std::shared_ptr<ProcessBudget> process = nullptr,
                     std::uint64_t assembly_bytes = 64 * kMiB)
      : Ready({}, with(std::move(process), assembly_bytes)) {}

  /// A call of the client's with a request of that size, sent as far as it can be.
  wire::StreamId request(std::size_t size) {
    const wire::StreamId id = open();
    EXPECT_TRUE(client.send(id, raw(size), true).ok());
    run();
    return id;
  }
  /// One of which only the beginning is sent.
  wire::StreamId begin(std::size_t size) {
    const wire::StreamId id = open();
    EXPECT_TRUE(client.send(id, raw(size), true).ok());
    server.receive(Lane::kMain, output(client, 50'000), now);
    return id;
  }
  /// Messages that the server has got and nobody has taken.
  [[nodiscard]] std::vector<Event> messages() {
    std::vector<Event> all = events(server);
    std::erase_if(all, [](const Event& event) { return event.kind != Kind::kMessage; });
    return all;
  }
};

std::shared_ptr<ProcessBudget> process(std::uint64_t bytes) { return std::make_shared<ProcessBudget>(bytes); }

TEST(Admission, BudgetsRequestsAndRepliesApart) {
  Receiving pair(nullptr, 3 * kMiB);
  pair.request(2 * kMiB);
  EXPECT_EQ(pair.messages().size(), 1U);  // not taken: its share stays
  pair.request(2 * kMiB);
  EXPECT_EQ(pair.messages().size(), 0U);

  const wire::StreamId back = *pair.server.open(echo(), Channel::kRpc);
  pair.run();
  ASSERT_TRUE(pair.client.send(back, raw(2 * kMiB), true).ok());
  pair.run();
  EXPECT_EQ(pair.messages().size(), 1U) << "the reply waits for no request";
}

TEST(Admission, PassesOnTheTurnOfAMessageThatGoesAway) {
  Receiving pair(nullptr, 3 * kMiB);
  pair.request(2 * kMiB);
  const wire::StreamId next = pair.request(2 * kMiB);
  pair.request(kMiB);
  EXPECT_EQ(pair.messages().size(), 1U);
  pair.client.cancel(next, Code::kCancelled, "changed my mind");
  pair.run();
  EXPECT_EQ(pair.messages().size(), 1U) << "nothing was given back, but there was room behind";
}

TEST(Admission, HoldsNothingForWhatACalleeThatHasEndedDidNotRead) {
  Receiving pair(nullptr, 3 * kMiB);
  wire::Open open = echo();
  open.kind = CallKind::kBidi;
  const wire::StreamId id = *pair.client.open(open, Channel::kStream);
  ASSERT_TRUE(pair.client.send(id, raw(2 * kMiB), false).ok());
  pair.run();
  EXPECT_EQ(pair.messages().size(), 1U);
  // Its answers wait for a reader, and its end waits behind them.
  ASSERT_TRUE(pair.server.send(id, raw(kMiB), false).ok());
  ASSERT_TRUE(pair.server.send(id, raw(kMiB), false).ok());
  pair.server.end(id, {}, {});
  pair.run();
  ASSERT_EQ(pair.server.stream_count(), 1U);
  pair.request(2 * kMiB);
  EXPECT_EQ(pair.messages().size(), 1U);
}

TEST(ProcessWideAdmission, LetsSessionsTakeTurns) {
  const auto budget = process(3 * kMiB);
  Receiving first(budget);
  Receiving second(budget);
  const wire::StreamId id = first.request(2 * kMiB);
  const std::vector<Event> taken = first.messages();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(budget->used(Share::kRequests), 2 * kMiB);

  second.request(2 * kMiB);
  EXPECT_EQ(second.messages().size(), 0U);
  EXPECT_EQ(second.server.next_timeout(), second.now + milliseconds(10));
  second.now += milliseconds(10);
  second.server.on_timeout(second.now);
  EXPECT_EQ(second.server.next_timeout(), second.now + milliseconds(10)) << "it tries again";

  first.server.consumed(id, taken[0].wire_bytes);
  EXPECT_EQ(budget->used(Share::kRequests), 0U);
  second.now += milliseconds(10);
  second.server.on_timeout(second.now);
  second.run();
  EXPECT_EQ(second.messages().size(), 1U);
}

TEST(ProcessWideAdmission, RefusesWhatItCouldNeverHoldNamingTheKnob) {
  Receiving pair(process(kMiB));
  pair.request(2 * kMiB);
  EXPECT_EQ(Pair::events(pair.client).at(0).status.to_string(),
            "resource_exhausted: a message of 2097152 bytes is over process_assembly_bytes (1048576) of the "
            "side that receives it");
  EXPECT_TRUE(pair.server.ready());
}

TEST(ProcessWideAdmission, GivesEverythingBackWhateverHappens) {
  using Path = void (*)(Receiving&, wire::StreamId);
  const std::vector<std::pair<const char*, Path>> paths = {
      {"the handler takes it",
       [](Receiving& pair, wire::StreamId id) {
         pair.run();
         pair.server.consumed(id, pair.messages().at(0).wire_bytes);
       }},
      {"the handler ends the call",
       [](Receiving& pair, wire::StreamId id) {
         pair.server.end(id, {Code::kAborted, "no film"}, {});
         pair.run();
       }},
      {"the caller gives up",
       [](Receiving& pair, wire::StreamId id) {
         pair.client.cancel(id, Code::kCancelled, "");
         pair.run();
       }},
      {"the session is closed",
       [](Receiving& pair, wire::StreamId) { pair.server.close(Code::kUnavailable, "bye"); }},
      {"the link is lost",
       [](Receiving& pair, wire::StreamId) { pair.server.link_lost({Code::kUnavailable, "reset"}); }},
      {"the message stalls",
       [](Receiving& pair, wire::StreamId) {
         pair.now += seconds(60);
         pair.server.on_timeout(pair.now);
       }},
      {"the session goes", [](Receiving&, wire::StreamId) {}},
  };
  for (const auto& [name, path] : paths) {
    const auto budget = process(64 * kMiB);
    {
      Receiving pair(budget);
      const wire::StreamId id = pair.begin(2 * kMiB);
      EXPECT_EQ(budget->used(Share::kRequests), 2 * kMiB) << name;
      path(pair, id);
      const bool goes = std::string_view(name) == "the session goes";
      EXPECT_EQ(budget->used(Share::kRequests), goes ? 2 * kMiB : 0) << name;
    }
    EXPECT_EQ(budget->used(Share::kRequests), 0U) << name;
  }
}

TEST(StalledMessages, AreEndedAndGiveTheirShareToTheNext) {
  Receiving pair(nullptr, 3 * kMiB);
  const wire::StreamId stalled = pair.begin(2 * kMiB);
  const wire::StreamId next = pair.begin(2 * kMiB);
  Pair::events(pair.server);
  EXPECT_EQ(pair.server.next_timeout(), pair.now + seconds(30));
  pair.now += seconds(30);
  pair.server.on_timeout(pair.now);

  const std::vector<Event> events = Pair::events(pair.server);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, Kind::kCancelled);
  EXPECT_EQ(events[0].stream, stalled);
  EXPECT_EQ(events[0].status.code(), Code::kResourceExhausted);
  EXPECT_THAT(events[0].status.message(), HasSubstr("assembly_timeout (30000 ms)"));
  EXPECT_THAT(events[0].status.message(), HasSubstr("of its 2097152 bytes"));
  pair.run();
  const std::vector<Event> told = Pair::events(pair.client);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].stream, stalled);
  EXPECT_EQ(told[0].status.message(), events[0].status.message());
  const std::vector<Event> got = pair.messages();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].stream, next);
}

TEST(StalledMessages, OfTheCalleesEndTheCallToo) {
  Receiving pair;
  const wire::StreamId id = *pair.server.open(echo(), Channel::kRpc);
  pair.run();
  ASSERT_TRUE(pair.client.send(id, raw(2 * kMiB), true).ok());
  pair.server.receive(Lane::kMain, pair.output(pair.client, 50'000), pair.now);
  pair.now += seconds(30);
  pair.server.on_timeout(pair.now);
  const std::vector<Event> events = Pair::events(pair.server);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, Kind::kEnded);
  EXPECT_THAT(events[0].status.message(), HasSubstr("assembly_timeout"));
  pair.run();
  for (const Event& event : Pair::events(pair.client)) {
    EXPECT_NE(event.kind, Kind::kCancelled) << "it has answered, and is done with it";
  }
  EXPECT_EQ(pair.client.stream_count() + pair.server.stream_count(), 0U);
}

TEST(StalledMessages, AreNotThoseThatCreep) {
  Receiving pair;
  pair.begin(2 * kMiB);
  for (int i = 0; i < 100; ++i) {
    pair.now += seconds(20);
    if (pair.now >= pair.server.next_timeout()) pair.server.on_timeout(pair.now);
    pair.server.receive(Lane::kMain, pair.output(pair.client, 100), pair.now);
    pair.move(pair.server, pair.client);
  }
  pair.run();
  EXPECT_EQ(pair.messages().size(), 1U);
}

TEST(StalledMessages, MayWaitForEverWithoutATimeout) {
  Options server = Receiving::with(nullptr, 64 * kMiB);
  server.assembly_timeout = {};
  Ready pair({}, server);
  ASSERT_TRUE(pair.client.send(pair.open(), raw(2 * kMiB), true).ok());
  pair.server.receive(Lane::kMain, pair.output(pair.client, 50'000), pair.now);
  EXPECT_EQ(pair.server.next_timeout(), kNever);
}

}  // namespace
}  // namespace leat::session
