// The shipped interceptors, and what peers and servers count by themselves, with real calls.
#include <array>
#include <mutex>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/log_calls.h>
#include <leat/metrics.h>
#include <leat/peer.h>
#include <leat/server.h>
#include <leat/trace.h>

namespace leat {
namespace {

Payload text(std::string_view value) { return {Codec::kRaw, Buffer::copy(value), {}}; }

/// Answers with the trace that it sees, or with what the next one answers.
class Hop final : public Service {
 public:
  [[nodiscard]] const ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<MethodInfo, 2> kMethods = {
        {{.name = "Ask"}, {.name = "Watch", .kind = CallKind::kServerStream}}};
    static const ServiceInfo kInfo{"hop", kMethods, {}};
    return kInfo;
  }
  Status handle_call(std::size_t method, ServerCall& call) override {
    seen = trace_context(call.context().metadata());
    if (method == 1) return {Code::kNotFound, "nothing to watch"};
    if (!next) return call.write(text("end"));
    Result<Payload> reply = next->call({"hop", "Ask"}, {}, {});
    return reply ? call.write(std::move(*reply)) : reply.error();
  }

  std::shared_ptr<Caller> next;
  std::optional<TraceContext> seen;
};

struct Site {
  explicit Site(const Interceptors& interceptors) : server(with(interceptors)) {
    EXPECT_TRUE(server.add(hop).ok());
    address = server.listen("tcp://127.0.0.1:0").value();
  }
  static ServerOptions with(const Interceptors& interceptors) {
    ServerOptions options;
    options.interceptors = interceptors;
    return options;
  }
  std::shared_ptr<Hop> hop = std::make_shared<Hop>();
  Server server;
  std::string address;
};

Peer connect_with(const std::string& address, const Interceptors& interceptors) {
  ConnectOptions options;
  options.interceptors = interceptors;
  return connect(address, options).value();
}

TEST(Telemetry, FollowsATraceThroughAChainOfServers) {
  const Interceptors tracing{propagate_trace()};
  Site last(tracing);
  Site first(tracing);
  const Peer onward = connect_with(last.address, tracing);
  first.hop->next = onward.caller();
  const Peer peer = connect_with(first.address, tracing);
  ASSERT_TRUE(peer.caller()->call({"hop", "Ask"}, {}, {}));
  ASSERT_TRUE(first.hop->seen && last.hop->seen);
  EXPECT_EQ(first.hop->seen->trace_id, last.hop->seen->trace_id);
  EXPECT_NE(first.hop->seen->span_id, last.hop->seen->span_id);
  first.hop->next.reset();
}

TEST(Telemetry, TimesCallsWithoutBeingAsked) {
  Site site({});
  const Peer peer = connect_with(site.address, {});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(peer.caller()->call({"hop", "Ask"}, {}, {}));
  auto stream = peer.caller()->start({"hop", "Watch", CallKind::kServerStream}, text(""), {});
  ASSERT_TRUE(stream);
  EXPECT_EQ((*stream)->finish().code(), Code::kNotFound);
  const LatencyStats made = peer.stats().latency;
  const LatencyStats served = site.server.stats().latency;
  EXPECT_EQ(made.count, 21U);
  EXPECT_EQ(served.count, 21U);
  EXPECT_GT(served.sum, Duration::zero());
  EXPECT_GT(made.sum, served.sum);
  EXPECT_LE(made.p50, made.p99);
}

TEST(Telemetry, CountsAndLogsWhatTheUserSees) {
  std::mutex mutex;
  std::vector<std::string> lines;
  const auto metrics = std::make_shared<Metrics>();
  const Interceptors interceptors{metrics, log_calls([&](LogLevel, std::string_view line) {
                                    const std::lock_guard lock(mutex);
                                    lines.emplace_back(line);
                                  })};
  Site site(interceptors);
  const Peer peer = connect_with(site.address, interceptors);
  ASSERT_TRUE(peer.caller()->call({"hop", "Ask"}, text("12"), {}));
  auto stream = peer.caller()->start({"hop", "Watch", CallKind::kServerStream}, text(""), {});
  ASSERT_TRUE(stream);
  EXPECT_EQ((*stream)->finish().code(), Code::kNotFound);
  const std::vector<MethodMetrics> methods = metrics->methods();
  ASSERT_EQ(methods.size(), 4U);
  for (const MethodMetrics& method : methods) {
    EXPECT_EQ(method.started, 1U);
    const Code code = method.method == "Ask" ? Code::kOk : Code::kNotFound;
    EXPECT_EQ(method.ended[static_cast<std::size_t>(code)], 1U);
  }
  EXPECT_EQ(methods[0].bytes_sent, 2U);
  EXPECT_EQ(methods[0].bytes_received, 3U);
  const std::lock_guard lock(mutex);
  EXPECT_THAT(lines, ::testing::ElementsAre(::testing::HasSubstr("side=server"),
                                            ::testing::HasSubstr("peer=" + site.address + " status=ok"),
                                            ::testing::HasSubstr("side=server"),
                                            ::testing::EndsWith("message=\"nothing to watch\"")));
}

}  // namespace
}  // namespace leat
