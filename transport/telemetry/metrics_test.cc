#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/metrics.h>

#include "transport/intercept/chain.h"

namespace leat {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class MetricsTest : public ::testing::Test {
 protected:
  void make(MetricsOptions options = {}) {
    options.clock = [this] { return now_; };
    metrics_ = std::make_shared<Metrics>(std::move(options));
    list_ = {metrics_};
  }
  void call(std::string_view method, Duration takes, const Status& status = {}, Side side = Side::kServer,
            std::string_view service = "lab") {
    Open open(*this, method, side, service);
    now_ += takes;
    open.end(status);
  }
  struct Open {
    Open(MetricsTest& test, std::string_view method, Side side, std::string_view service)
        : chain(test.list_, side),
          details{side, service, method, CallKind::kUnary, "test", metadata, std::nullopt, nullptr} {
      EXPECT_TRUE(chain.start(details).proceeds());
      Payload message{Codec::kRaw, Buffer::copy("123"), {}};
      EXPECT_TRUE(chain.receive(message).ok());
      EXPECT_TRUE(chain.send(message).ok());
      EXPECT_TRUE(chain.send(message).ok());
    }
    void end(const Status& status) { EXPECT_EQ(chain.end(status, metadata).ok(), status.ok()); }
    Metadata metadata;
    transport::HookChain chain;
    CallDetails details;
  };

  TimePoint now_{};
  std::shared_ptr<Metrics> metrics_;
  Interceptors list_;
};

TEST_F(MetricsTest, CountsCallsMessagesAndBytesByMethodAndSide) {
  make();
  call("Snap", milliseconds(3));
  call("Snap", milliseconds(5), {Code::kNotFound, "no"});
  call("Snap", milliseconds(1), {}, Side::kClient);
  Open open(*this, "Focus", Side::kServer, "lab");
  const std::vector<MethodMetrics> methods = metrics_->methods();
  ASSERT_EQ(methods.size(), 3U);
  EXPECT_EQ(methods[0].side, Side::kClient);
  EXPECT_EQ(methods[1].method, "Focus");
  EXPECT_EQ(methods[1].in_flight, 1U);
  const MethodMetrics& snap = methods[2];
  EXPECT_EQ(snap.started, 2U);
  EXPECT_EQ(snap.in_flight, 0U);
  EXPECT_EQ(snap.ended[0], 1U);
  EXPECT_EQ(snap.ended[static_cast<std::size_t>(Code::kNotFound)], 1U);
  EXPECT_EQ(snap.messages_sent, 4U);
  EXPECT_EQ(snap.messages_received, 2U);
  EXPECT_EQ(snap.bytes_sent, 12U);
  EXPECT_EQ(snap.bytes_received, 6U);
  EXPECT_EQ(snap.latency.count, 2U);
  EXPECT_EQ(snap.latency.sum, milliseconds(8));
  open.end({});
}

TEST_F(MetricsTest, WritesPrometheusText) {
  make({.buckets = {0.25, 0.0025, 1}, .max_methods = 10, .clock = {}});
  call("Snap", milliseconds(2));
  call("Snap", milliseconds(250));  // a bound belongs to its bucket
  call("Snap", milliseconds(2000), {Code::kDeadlineExceeded, "late"});
  EXPECT_EQ(metrics_->prometheus(),
            R"(# HELP leat_calls_started_total Calls begun.
# TYPE leat_calls_started_total counter
leat_calls_started_total{side="server",service="lab",method="Snap"} 3
# HELP leat_calls_ended_total Calls ended, by status code.
# TYPE leat_calls_ended_total counter
leat_calls_ended_total{side="server",service="lab",method="Snap",code="ok"} 2
leat_calls_ended_total{side="server",service="lab",method="Snap",code="deadline_exceeded"} 1
# HELP leat_calls_in_flight Calls begun and not ended.
# TYPE leat_calls_in_flight gauge
leat_calls_in_flight{side="server",service="lab",method="Snap"} 0
# HELP leat_messages_sent_total Messages sent.
# TYPE leat_messages_sent_total counter
leat_messages_sent_total{side="server",service="lab",method="Snap"} 6
# HELP leat_messages_received_total Messages received.
# TYPE leat_messages_received_total counter
leat_messages_received_total{side="server",service="lab",method="Snap"} 3
# HELP leat_message_sent_bytes_total Bytes of messages sent.
# TYPE leat_message_sent_bytes_total counter
leat_message_sent_bytes_total{side="server",service="lab",method="Snap"} 18
# HELP leat_message_received_bytes_total Bytes of messages received.
# TYPE leat_message_received_bytes_total counter
leat_message_received_bytes_total{side="server",service="lab",method="Snap"} 9
# HELP leat_call_seconds How long calls took.
# TYPE leat_call_seconds histogram
leat_call_seconds_bucket{side="server",service="lab",method="Snap",le="0.0025"} 1
leat_call_seconds_bucket{side="server",service="lab",method="Snap",le="0.25"} 2
leat_call_seconds_bucket{side="server",service="lab",method="Snap",le="1"} 2
leat_call_seconds_bucket{side="server",service="lab",method="Snap",le="+Inf"} 3
leat_call_seconds_sum{side="server",service="lab",method="Snap"} 2.252
leat_call_seconds_count{side="server",service="lab",method="Snap"} 3
)");
}

TEST_F(MetricsTest, EscapesLabels) {
  make();
  call("a\"b\\c\nd", milliseconds(1));
  EXPECT_THAT(metrics_->prometheus(), HasSubstr(R"(method="a\"b\\c\nd")"));
}

TEST_F(MetricsTest, CountsMethodsBeyondTheLimitTogether) {
  make({.buckets = {}, .max_methods = 2, .clock = {}});
  for (int i = 0; i < 50; ++i) call("m" + std::to_string(i), milliseconds(1));
  call("m0", milliseconds(1));
  const std::vector<MethodMetrics> methods = metrics_->methods();
  ASSERT_EQ(methods.size(), 3U);
  EXPECT_EQ(methods[0].method, "m0");
  EXPECT_EQ(methods[0].started, 2U);
  EXPECT_EQ(methods[2].service, "other");
  EXPECT_EQ(methods[2].started, 48U);
}

TEST_F(MetricsTest, LosesNothingWhenManyThreadsCountAndOneReads) {
  make();
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) {
      for (const MethodMetrics& method : metrics_->methods()) EXPECT_LE(method.in_flight, 4U);
      EXPECT_FALSE(metrics_->prometheus().empty());
    }
  });
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) Open(*this, "m" + std::to_string(i % 50), Side::kServer, "lab").end({});
    });
  }
  for (std::thread& thread : threads) thread.join();
  done = true;
  reader.join();
  const std::vector<MethodMetrics> methods = metrics_->methods();
  EXPECT_EQ(methods.size(), 50U);
  for (const MethodMetrics& method : methods) EXPECT_EQ(method.ended[0], 160U);
}

}  // namespace
}  // namespace leat
