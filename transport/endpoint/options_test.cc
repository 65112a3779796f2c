#include <chrono>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include <leat/peer.h>
#include <leat/server.h>

namespace leat {
namespace {

using std::chrono::milliseconds;

std::string why(const ConnectOptions& options) {
  const Result<Peer> peer = connect("inproc://nobody", options);
  return peer || peer.error().code() != Code::kInvalidArgument ? "" : peer.error().message();
}

TEST(OptionsOutOfTheirBounds, AreRefusedByNameWhenAClientConnects) {
  ConnectOptions options;
  EXPECT_EQ(why(options), "");
  options.timeout = milliseconds(-5);
  EXPECT_EQ(why(options), "connect.timeout is a length of time, not negative, got -5000 us");
  options = {};
  options.limits.stream_window_bytes = 1;
  EXPECT_EQ(why(options), "limits.stream_window_bytes is at least 65536, got 1");
  options = {};
  options.limits.heartbeat_timeout = milliseconds(-1);
  EXPECT_EQ(why(options), "limits.heartbeat_timeout is a length of time, not negative, got -1000 us");
  options = {};
  options.limits.sending.bulk_piece_bytes = 1U << 20U;
  EXPECT_EQ(why(options), "sending.bulk_piece_bytes is at most 524288, got 1048576");
  options = {};
  options.limits.sending.bulk_in_flight_beside_calls_bytes = 1;
  EXPECT_EQ(why(options), "sending.bulk_in_flight_beside_calls_bytes is at least 262144, got 1");
  options = {};
  options.reconnect.max_backoff = milliseconds(-1);
  EXPECT_EQ(why(options), "reconnect.max_backoff is a length of time, not negative, got -1000 us");
  options = {};
  options.retry.max_attempts = 0;
  EXPECT_EQ(why(options), "retry.max_attempts is at least 1, got 0");
  options = {};
  options.retry.budget_tokens = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(why(options), "retry.budget_tokens is a number, not negative, got nan");
}

TEST(OptionsOutOfTheirBounds, AreRefusedByNameWhenAServerListens) {
  ServerOptions options;
  options.limits.channel_window_bytes = 5;
  Server server(options);
  const Result<std::string> url = server.listen("inproc://options");
  ASSERT_FALSE(url);
  EXPECT_EQ(url.error().code(), Code::kInvalidArgument);
  EXPECT_EQ(url.error().message(), "limits.channel_window_bytes is at least 65536, got 5");
}

}  // namespace
}  // namespace leat
