#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/log_calls.h>

#include "transport/intercept/chain.h"

namespace leat {
namespace {

using std::chrono::microseconds;
using ::testing::ElementsAre;

class LogCalls : public ::testing::Test {
 protected:
  /// A call that takes 1.5 ms and ends so.
  void call(const Status& status, const Metadata& sent = {}) {
    const Interceptors list{log_calls(
        [this](LogLevel level, std::string_view line) {
          lines_.emplace_back(line);
          levels_.push_back(level);
        },
        options_)};
    transport::HookChain chain(list, Side::kServer);
    Metadata metadata = sent;
    CallDetails details{Side::kServer, "lab.Scope", "Snap",       CallKind::kServerStream,
                        peer_,         metadata,    std::nullopt, nullptr};
    EXPECT_TRUE(chain.start(details).proceeds());
    Payload message{Codec::kRaw, Buffer::copy("12345"), {}};
    EXPECT_TRUE(chain.receive(message).ok());
    EXPECT_TRUE(chain.send(message).ok());
    EXPECT_TRUE(chain.send(message).ok());
    now_ += microseconds(1500);
    Metadata trailing;
    EXPECT_EQ(chain.end(status, trailing).ok(), status.ok());
  }

  std::string peer_ = "tcp://127.0.0.1:40312";
  TimePoint now_{};
  LogCallsOptions options_{
      .ok = LogLevel::kDebug, .failed = LogLevel::kError, .slower_than = {}, .clock = [this] {
        return now_;
      }};
  std::vector<std::string> lines_;
  std::vector<LogLevel> levels_;
};

TEST_F(LogCalls, WritesOneLineACallWithNamedFields) {
  call({});
  EXPECT_THAT(lines_, ElementsAre("call side=server service=lab.Scope method=Snap kind=server_stream "
                                  "peer=tcp://127.0.0.1:40312 status=ok duration_ms=1.500 sent=2 "
                                  "sent_bytes=10 received=1 received_bytes=5"));
  EXPECT_THAT(levels_, ElementsAre(LogLevel::kDebug));
}

TEST_F(LogCalls, SaysWhyACallFailed) {
  call({Code::kNotFound, "no \"camera\"\n\x01 here"});
  EXPECT_THAT(lines_.front(), ::testing::HasSubstr(" status=not_found "));
  EXPECT_THAT(lines_.front(), ::testing::EndsWith(R"( message="no \"camera\"\n\x01 here")"));
  EXPECT_THAT(levels_, ElementsAre(LogLevel::kError));
}

TEST_F(LogCalls, KeepsAPeersNameFromForgingFields) {
  peer_ = "x status=ok";
  call({});
  EXPECT_THAT(lines_.front(), ::testing::HasSubstr(R"( peer="x status=ok" )"));
  peer_ = "";
  call({});
  EXPECT_THAT(lines_.back(), ::testing::HasSubstr(R"( peer="" )"));
}

TEST_F(LogCalls, NamesTheTrace) {
  call({}, {{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}});
  EXPECT_THAT(lines_.front(), ::testing::EndsWith(" trace_id=4bf92f3577b34da6a3ce929d0e0e4736"));
}

TEST_F(LogCalls, LeavesOutGoodCallsThatWereQuick) {
  options_.slower_than = microseconds(1501);
  call({});
  EXPECT_TRUE(lines_.empty());
  call({Code::kAborted, "why"});
  EXPECT_EQ(lines_.size(), 1U);
  options_.slower_than = microseconds(1500);
  call({});
  EXPECT_EQ(lines_.size(), 2U);
}

}  // namespace
}  // namespace leat
