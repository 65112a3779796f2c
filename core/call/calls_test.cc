#include "core/call/calls.h"

#include <gtest/gtest.h>

#include "core/call/method_table.h"

namespace leat::call {
namespace {

constexpr std::uint64_t kThreshold = 256U << 10U;

using session::Batch;
using session::Event;
using Kind = Event::Kind;

/// Two ends with a simulated clock between them.
struct Ends {
  Ends() : client(side(false), now), server(side(true), now) { run(); }
  static session::Options side(bool acceptor) {
    session::Options options;
    options.acceptor = acceptor;
    options.heartbeat_interval = {};  // so that the only timers are the calls'
    return options;
  }
  void move(Calls& from, Calls& to) const {
    Batch batch;
    for (from.session().transmit(Lane::kMain, batch, 1U << 30U, now); !batch.empty();
         from.session().transmit(Lane::kMain, batch, 1U << 30U, now)) {
      for (const Slice& slice : batch.slices()) to.session().receive(Lane::kMain, slice.bytes, now);
      batch.clear();
    }
  }
  void run() {
    for (int i = 0; i < 4; ++i) {
      move(client, server);
      move(server, client);
    }
  }
  std::vector<Event> events(Calls& calls) const {
    std::vector<Event> all;
    while (auto event = calls.next_event(now)) {
      if (event->kind != Kind::kReady) all.push_back(std::move(*event));
    }
    return all;
  }
  wire::StreamId start(const CallOptions& options) {
    const MethodRef method{"test", "Wait"};
    return *client.start(method, Payload{}, options, deadline_of(method, options, now), now);
  }

  TimePoint now = TimePoint() + std::chrono::hours(1);
  Calls client;
  Calls server;
};

CallOptions within(Duration timeout) {
  CallOptions options;
  options.timeout = timeout;
  return options;
}

TEST(CallDeadlines, EndTheCallOnBothSides) {
  Ends ends;
  const wire::StreamId id = ends.start(within(std::chrono::milliseconds(100)));
  ends.run();
  EXPECT_EQ(ends.events(ends.server)[0].open->timeout_us, 100'000U);
  EXPECT_EQ(ends.client.next_timeout(), ends.now + std::chrono::milliseconds(100));
  EXPECT_EQ(ends.server.next_timeout(), ends.now + std::chrono::milliseconds(100));
  ends.now += std::chrono::milliseconds(99);
  ends.client.on_timeout(ends.now);
  EXPECT_TRUE(ends.events(ends.client).empty());
  ends.now += std::chrono::milliseconds(1);
  ends.server.on_timeout(ends.now);
  ends.client.on_timeout(ends.now);
  const std::vector<Event> cancelled = ends.events(ends.server);
  ASSERT_EQ(cancelled.size(), 1U);
  EXPECT_EQ(cancelled[0].kind, Kind::kCancelled);
  EXPECT_EQ(cancelled[0].status.code(), Code::kDeadlineExceeded);
  const std::vector<Event> ended = ends.events(ends.client);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].stream, id);
  EXPECT_EQ(ended[0].status.code(), Code::kDeadlineExceeded);
  ends.run();
  EXPECT_EQ(ends.client.session().stream_count() + ends.server.session().stream_count(), 0U);
  EXPECT_EQ(ends.client.next_timeout(), kNever);
  EXPECT_EQ(ends.server.next_timeout(), kNever);
}

TEST(CallDeadlines, AreForgottenWhenTheAnswerComes) {
  Ends ends;
  const wire::StreamId id = ends.start(within(std::chrono::seconds(1)));
  ends.run();
  ends.events(ends.server);
  ASSERT_TRUE(ends.server.finish_with(id, Payload{}).ok());
  ends.run();
  EXPECT_TRUE(ends.events(ends.client).back().status.ok());
  EXPECT_EQ(ends.client.next_timeout(), kNever);
  EXPECT_EQ(ends.server.next_timeout(), kNever);
}

TEST(CallDeadlines, DoNotEndACallWhoseEndIsThereAlready) {
  Ends ends;
  const wire::StreamId id = ends.start(within(std::chrono::milliseconds(100)));
  ends.run();
  ends.events(ends.server);
  ASSERT_TRUE(ends.server.finish_with(id, Payload{}).ok());
  ends.run();
  ends.now += std::chrono::seconds(1);
  ends.client.on_timeout(ends.now);
  const std::vector<Event> heard = ends.events(ends.client);
  ASSERT_EQ(heard.size(), 2U);
  EXPECT_EQ(heard[0].kind, Kind::kMessage);
  EXPECT_EQ(heard[1].kind, Kind::kEnded);
  EXPECT_TRUE(heard[1].status.ok());
  EXPECT_EQ(ends.client.next_timeout(), ends.client.session().next_timeout());
}

TEST(CallDeadlines, EndACallBehindWhatHasComeBefore) {
  Ends ends;
  MethodRef method{"test", "Watch"};
  method.kind = CallKind::kServerStream;
  const TimePoint deadline = ends.now + std::chrono::milliseconds(100);
  const wire::StreamId id = *ends.client.start(method, Payload{}, {}, deadline, ends.now);
  ends.run();
  ends.events(ends.server);
  ASSERT_TRUE(ends.server.session().send(id, Payload{}, false).ok());
  ends.run();
  ends.now = deadline;
  ends.client.on_timeout(ends.now);
  const std::vector<Event> heard = ends.events(ends.client);
  ASSERT_EQ(heard.size(), 2U);
  EXPECT_EQ(heard[0].kind, Kind::kMessage);
  EXPECT_EQ(heard[1].status.code(), Code::kDeadlineExceeded);
}

TEST(CallDeadlines, OfAgesAreNone) {
  Ends ends;
  ends.start(within(Duration::max()));
  ends.start({});
  ends.run();
  int opened = 0;
  for (const Event& event : ends.events(ends.server)) {
    if (!event.open) continue;
    ++opened;
    EXPECT_FALSE(event.open->timeout_us);
  }
  EXPECT_EQ(opened, 2);
  EXPECT_EQ(ends.client.next_timeout(), kNever);
}

TEST(CallMetadata, IsCheckedBeforeItIsSent) {
  Ends ends;
  CallOptions options;
  options.metadata.add("Bad Key", "x");
  const auto started = ends.client.start({"test", "Wait"}, Payload{}, options, kNever, ends.now);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), Code::kInvalidArgument);
  EXPECT_EQ(ends.client.session().stream_count(), 0U);
}

TEST(Channels, AreChosenByWishThenSchemaThenSize) {
  MethodRef method{"test", "Wait"};
  CallOptions options;
  EXPECT_EQ(choose_channel(method, options, Payload{}, kThreshold), Channel::kRpc);
  const Payload large{Codec::kRaw, Buffer::allocate(kThreshold), {}};
  EXPECT_EQ(choose_channel(method, options, large, kThreshold), Channel::kBulk);
  method.kind = CallKind::kServerStream;
  EXPECT_EQ(choose_channel(method, options, Payload{}, kThreshold), Channel::kStream);
  EXPECT_EQ(choose_channel(method, options, large, kThreshold), Channel::kStream);
  method.mostly_one_reply = true;
  EXPECT_EQ(choose_channel(method, options, Payload{}, kThreshold), Channel::kStream);
  EXPECT_EQ(choose_channel(method, options, large, kThreshold), Channel::kBulk);
  method.channel = Channel::kRpc;
  EXPECT_EQ(choose_channel(method, options, large, kThreshold), Channel::kRpc);
  options.channel = Channel::kBulk;
  EXPECT_EQ(choose_channel(method, options, Payload{}, kThreshold), Channel::kBulk);
  options.channel = Channel::kControl;
  EXPECT_EQ(choose_channel(method, options, Payload{}, kThreshold), Channel::kRpc)
      << "control is the framework's";
}

TEST(Names, AreSuggestedWhenTheyAreNear) {
  EXPECT_EQ(nearest_name("snapp", "focus, snap, frames"), "snap");
  EXPECT_EQ(nearest_name("Snap", "focus, snap"), "snap");
  EXPECT_EQ(nearest_name("frame", "focus, snap, frames"), "frames");
  EXPECT_EQ(nearest_name("position", "focus, snap, frames"), "");
  EXPECT_EQ(nearest_name("x", ""), "");
}

class Named final : public Service {
 public:
  explicit Named(std::string_view name) : info_{name, {}, {}} {}
  [[nodiscard]] const ServiceInfo& service_info() const noexcept override { return info_; }
  Status handle_call(std::size_t /*method*/, ServerCall& /*call*/) override { return {}; }

 private:
  ServiceInfo info_;
};

TEST(MethodTables, RefuseANameTwiceAndNamelessServices) {
  MethodTable table;
  EXPECT_TRUE(table.add(std::make_shared<Named>("scope")).ok());
  EXPECT_EQ(table.add(std::make_shared<Named>("scope")).to_string(),
            "already_exists: a service named 'scope' is already offered");
  EXPECT_EQ(table.add(std::make_shared<Named>("")).code(), Code::kInvalidArgument);
  EXPECT_EQ(table.find("scop", "x").error().message(),
            "nothing is offered here as 'scop'; did you mean 'scope'?; offered: scope");
}

}  // namespace
}  // namespace leat::call
