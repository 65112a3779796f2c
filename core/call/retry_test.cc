#include "core/call/retry.h"

#include <vector>

#include <gtest/gtest.h>

namespace leat::call {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kMiddle = 0.5;  // no jitter

Status lost() { return Status(Code::kUnavailable, "connection reset").mark_outcome_unknown(); }
Status not_started() { return Status(Code::kUnavailable, "draining").mark_not_started(); }

TEST(Backoffs, GrowToTheirMaximum) {
  Backoff backoff;
  EXPECT_EQ(backoff.next(kMiddle), milliseconds(50));
  EXPECT_EQ(backoff.next(kMiddle), milliseconds(80));
  EXPECT_EQ(backoff.next(kMiddle), milliseconds(128));
  for (int i = 0; i < 100; ++i) EXPECT_LE(backoff.next(kMiddle), seconds(10));
  EXPECT_EQ(backoff.next(kMiddle), seconds(10));
  backoff.reset();
  EXPECT_EQ(backoff.next(kMiddle), milliseconds(50));
}

TEST(Backoffs, SpreadByTheirJitter) {
  EXPECT_EQ(backoff_delay({}, 1, 0), milliseconds(40));
  EXPECT_EQ(backoff_delay({}, 1, 0.75), milliseconds(55));
  EXPECT_LT(backoff_delay({}, 1, 0.999), milliseconds(60));
  EXPECT_EQ(backoff_delay({}, 4'000'000'000U, 0), seconds(8)) << "without counting there";
}

class Retries : public ::testing::Test {
 protected:
  [[nodiscard]] std::optional<Duration> decide(const FailedAttempt& failed, const Status& status) const {
    return decide_retry(policy_, budget_, failed, status, now_, kMiddle);
  }
  RetryPolicy policy_;
  RetryBudget budget_;
  TimePoint now_ = TimePoint() + std::chrono::hours(1);
};

TEST_F(Retries, AreForIdempotentMethodsOnly) {
  EXPECT_EQ(decide({.idempotent = true}, lost()), milliseconds(50));
  EXPECT_EQ(decide({.idempotent = true}, not_started()), milliseconds(50));
  EXPECT_EQ(decide({.idempotent = false}, lost()), std::nullopt);
  EXPECT_EQ(decide({.idempotent = false}, not_started()), std::nullopt);
}

TEST_F(Retries, AreForLostConnectionsAndCallsThatNeverStarted) {
  const FailedAttempt failed{.idempotent = true};
  EXPECT_EQ(decide(failed, {Code::kUnavailable, "Peer: connection lost"}), std::nullopt)
      << "a handler's answer, whatever it says";
  EXPECT_EQ(decide(failed, {}), std::nullopt);
  for (int code = 1; code <= 16; ++code) {
    Status status(static_cast<Code>(code), "connection lost");
    status.mark_not_started().mark_outcome_unknown();
    EXPECT_EQ(decide(failed, status).has_value(), status.code() == Code::kUnavailable) << code;
  }
}

TEST_F(Retries, EndWithTheAttempts) {
  EXPECT_EQ(decide({.idempotent = true, .attempts = 2}, lost()), milliseconds(100));
  EXPECT_EQ(decide({.idempotent = true, .attempts = 3}, lost()), milliseconds(200));
  EXPECT_EQ(decide({.idempotent = true, .attempts = 4}, lost()), std::nullopt);
  policy_.max_attempts = 1;
  EXPECT_EQ(decide({.idempotent = true}, lost()), std::nullopt);
}

TEST_F(Retries, EndBeforeTheDeadline) {
  EXPECT_TRUE(decide({.idempotent = true, .deadline = now_ + milliseconds(51)}, lost()));
  EXPECT_FALSE(decide({.idempotent = true, .deadline = now_ + milliseconds(50)}, lost()));
  EXPECT_FALSE(decide({.idempotent = true, .deadline = now_ - seconds(1)}, lost()));
}

TEST_F(Retries, StopWhenTooMuchFails) {
  const FailedAttempt failed{.idempotent = true};
  for (int i = 0; i < 4; ++i) budget_.record(lost());
  EXPECT_TRUE(decide(failed, lost()));
  budget_.record(lost());
  EXPECT_FALSE(decide(failed, lost())) << "half the tokens are gone";
  for (int i = 0; i < 100; ++i) budget_.record(lost());
  EXPECT_EQ(budget_.tokens(), 0);
  for (int i = 0; i < 50; ++i) budget_.record({});
  EXPECT_FALSE(budget_.tokens() > 5.001);
  budget_.record({Code::kNotFound, "an answer is an answer"});
  EXPECT_TRUE(decide(failed, lost()));
  for (int i = 0; i < 1000; ++i) budget_.record({});
  EXPECT_EQ(budget_.tokens(), 10);
}

}  // namespace
}  // namespace leat::call
