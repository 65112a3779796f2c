#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/trace.h>

#include "transport/intercept/chain.h"
#include "transport/runtime/current_context.h"

namespace leat {
namespace {

// The Recommendation's own example.
constexpr std::string_view kTraceId = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

std::optional<TraceContext> parse(std::string_view parent, std::string_view state = "") {
  Metadata metadata{{"traceparent", std::string(parent)}};
  if (!state.empty()) metadata.add("tracestate", std::string(state));
  return trace_context(metadata);
}

TEST(TraceContext, ReadsTheRecommendationsExample) {
  const auto trace = parse(kParent, "congo=t61rcWkgMzE, rojo=00f067aa0ba902b7");
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->trace_id, kTraceId);
  EXPECT_EQ(trace->span_id, "00f067aa0ba902b7");
  EXPECT_TRUE(trace->sampled);
  EXPECT_EQ(trace->state, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
  EXPECT_EQ(trace->traceparent(), kParent);
}

TEST(TraceContext, RefusesWhatTheGrammarDoesNotAllow) {
  const std::string good(kParent);
  EXPECT_FALSE(trace_context({}));
  for (const std::string& bad :
       std::vector<std::string>{"", "00", good.substr(0, 54), good + "-", good + "-00", good + " ",
                                "ff" + good.substr(2),                          // the version that is none
                                "0G" + good.substr(2), "00_" + good.substr(3),  //
                                "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",  // upper case
                                "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
                                "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01"}) {
    EXPECT_FALSE(parse(bad)) << bad;
  }
  EXPECT_FALSE(trace_context({{"traceparent", good}, {"traceparent", good}}));
}

TEST(TraceContext, ReadsOfLaterVersionsWhatItKnows) {
  const std::string rest = std::string(kParent).substr(2);
  EXPECT_EQ(parse("cc" + rest)->traceparent(), kParent);
  EXPECT_EQ(parse("cc" + rest + "-what-the-future-will-be")->trace_id, kTraceId);
  EXPECT_FALSE(parse("cc" + rest + ".what"));
  EXPECT_TRUE(parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff")->sampled);
  EXPECT_FALSE(parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe")->sampled);
}

TEST(TraceContext, DropsAnInvalidStateAndKeepsTheParent) {
  std::string many = "k0=v";
  for (int i = 1; i < 33; ++i) many += ",k" + std::to_string(i) + "=v";
  for (const std::string& bad : std::vector<std::string>{
           "foo", "foo =1", "FOO=1", "foo=1,foo=2", "foo@=1", "@foo=1", "foo@@bar=1", "foo=1=2", "1foo=x",
           "foo@0bar=1", "foo=", std::string(257, 'z') + "=1", std::string(242, 't') + "@v=1",
           "t@" + std::string(15, 'v') + "=1", "foo=" + std::string(257, 'v'), "foo=b\xc3\xa4r", many}) {
    const auto trace = parse(kParent, bad);
    ASSERT_TRUE(trace) << bad;
    EXPECT_EQ(trace->state, "") << bad;
  }
  for (const std::string& good : std::vector<std::string>{
           "foo=1", "foo=:;<>?@[]^_`{|}~ !", "a-_*/0=1", "0tenant@system=1", std::string(256, 'z') + "=1",
           std::string(241, 't') + "@" + std::string(14, 'v') + "=1", "foo=" + std::string(256, 'v')}) {
    EXPECT_EQ(parse(kParent, good)->state, good);
  }
  EXPECT_EQ(parse(kParent, " ,foo=1 \t,,bar=2,")->state, "foo=1,bar=2");
}

TEST(TraceContext, JoinsSeveralStates) {
  const auto trace =
      trace_context({{"tracestate", "a=1"}, {"traceparent", std::string(kParent)}, {"tracestate", "b=2"}});
  EXPECT_EQ(trace->state, "a=1,b=2");
}

class Handler final : public Context {
 public:
  explicit Handler(Metadata metadata) : metadata_(std::move(metadata)) {}
  [[nodiscard]] TimePoint deadline() const noexcept override { return kNever; }
  [[nodiscard]] std::optional<Duration> remaining() const noexcept override { return std::nullopt; }
  [[nodiscard]] bool cancelled() const noexcept override { return false; }
  [[nodiscard]] const Metadata& metadata() const noexcept override { return metadata_; }
  [[nodiscard]] std::string_view peer_address() const noexcept override { return "test"; }

 private:
  Metadata metadata_;
};

class PropagateTrace : public ::testing::Test {
 protected:
  /// The metadata that a call leaves the interceptor with.
  Metadata pass(Side side, Metadata metadata, Context* context = nullptr) {
    const Interceptors list{propagate_trace(options_)};
    transport::HookChain chain(list, side);
    CallDetails call{side, "lab", "Echo", CallKind::kUnary, "test", metadata, std::nullopt, context};
    EXPECT_TRUE(chain.start(call).proceeds());
    EXPECT_TRUE(metadata.validate().ok());
    return metadata;
  }

  PropagateTraceOptions options_{.create = true, .sample = {}, .random = [this] { return ++random_; }};
  std::uint64_t random_ = 0;
};

TEST_F(PropagateTrace, BeginsATraceWhereThereIsNone) {
  EXPECT_EQ(
      pass(Side::kClient, {{"other", "x"}}),
      (Metadata{{"other", "x"}, {"traceparent", "00-00000000000000010000000000000002-0000000000000003-00"}}));
  options_.sample = [](const CallDetails& call) { return call.method == "Echo"; };
  EXPECT_TRUE(trace_context(pass(Side::kServer, {}))->sampled);
  options_.create = false;
  EXPECT_TRUE(pass(Side::kClient, {}).empty());
  EXPECT_TRUE(pass(Side::kServer, {}).empty());
}

TEST_F(PropagateTrace, NeverMakesAnIdOfZeros) {
  options_.random = [this] { return random_++ < 4 ? 0U : 7U; };
  const auto trace = trace_context(pass(Side::kClient, {}));
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->span_id, "0000000000000007");
}

TEST_F(PropagateTrace, CarriesAHandlersTraceOnUnderANewSpan) {
  Handler handler({{"traceparent", std::string(kParent)}, {"tracestate", "a=1"}});
  const auto check = [](const Metadata& metadata) {
    const auto trace = trace_context(metadata);
    ASSERT_TRUE(trace);
    EXPECT_EQ(trace->trace_id, kTraceId);
    EXPECT_NE(trace->span_id, "00f067aa0ba902b7");
    EXPECT_TRUE(trace->sampled);
    EXPECT_EQ(trace->state, "a=1");
  };
  check(pass(Side::kClient, {}, &handler));
  const transport::HandlerScope scope(handler);
  check(pass(Side::kClient, {}));
  EXPECT_NE(pass(Side::kClient, {}), pass(Side::kClient, {}));
}

TEST_F(PropagateTrace, PrefersTheTraceThatTheCallNames) {
  Handler handler({{"traceparent", "00-11111111111111111111111111111111-00f067aa0ba902b7-00"}});
  const transport::HandlerScope scope(handler);
  EXPECT_EQ(trace_context(pass(Side::kClient, {{"traceparent", std::string(kParent)}}))->trace_id, kTraceId);
}

TEST_F(PropagateTrace, ShowsAHandlerWhatCameIfItIsValid) {
  const Metadata good{{"traceparent", std::string(kParent)}, {"tracestate", "a=1"}};
  EXPECT_EQ(pass(Side::kServer, good), good);
  options_.create = false;
  EXPECT_EQ(pass(Side::kServer, {{"traceparent", std::string(kParent)}, {"tracestate", "a"}}),
            (Metadata{{"traceparent", std::string(kParent)}}));
  EXPECT_TRUE(pass(Side::kServer, {{"traceparent", "nonsense"}, {"tracestate", "a=1"}}).empty());
  EXPECT_TRUE(pass(Side::kServer, {{"tracestate", "a=1"}}).empty());
}

TEST_F(PropagateTrace, TakesItsIdsFromTheSystemUnlessTold) {
  options_.random = nullptr;
  const auto first = trace_context(pass(Side::kClient, {}));
  const auto second = trace_context(pass(Side::kClient, {}));
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->trace_id, second->trace_id);
}

}  // namespace
}  // namespace leat
