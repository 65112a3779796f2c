#include "core/session/process_budget.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace leat::session {
namespace {

using std::chrono::milliseconds;

class ProcessBudgets : public ::testing::Test {
 protected:
  bool take(std::uint64_t bytes, TimePoint since, TimePoint now) {
    return budget_.try_take(Share::kRequests, bytes, since, now);
  }
  ProcessBudget budget_{100};
  TimePoint start_ = TimePoint() + std::chrono::hours(1);
};

TEST_F(ProcessBudgets, CountRequestsAndRepliesApart) {
  EXPECT_TRUE(take(100, start_, start_));
  EXPECT_FALSE(take(1, start_, start_));
  EXPECT_TRUE(budget_.try_take(Share::kReplies, 100, start_, start_));
  budget_.give_back(Share::kRequests, 100);
  EXPECT_EQ(budget_.used(Share::kRequests), 0U);
  EXPECT_EQ(budget_.used(Share::kReplies), 100U);
  EXPECT_TRUE(take(1, start_, start_));
}

TEST_F(ProcessBudgets, ServeTheOneThatHasWaitedLongest) {
  ASSERT_TRUE(take(60, start_, start_));
  const TimePoint since = start_ + milliseconds(1);
  EXPECT_FALSE(take(50, since, since));
  TimePoint now = since;
  for (int i = 0; i < 50; ++i) {
    now += milliseconds(10);
    EXPECT_FALSE(take(1, now, now)) << "there is room for it, but it came later";
    EXPECT_FALSE(take(50, since, now));
  }
  budget_.give_back(Share::kRequests, 60);
  EXPECT_TRUE(take(50, since, now));
  EXPECT_TRUE(take(1, now, now));
}

TEST_F(ProcessBudgets, LetAnOlderOneThatWasLateToSaySoGoFirst) {
  ASSERT_TRUE(take(60, start_, start_));
  const TimePoint older = start_ + milliseconds(1);
  const TimePoint younger = start_ + milliseconds(2);
  EXPECT_FALSE(take(50, younger, younger));
  EXPECT_FALSE(take(50, older, younger));
  budget_.give_back(Share::kRequests, 60);
  EXPECT_FALSE(take(60, younger, younger));
  EXPECT_TRUE(take(50, older, younger));
  EXPECT_TRUE(take(50, younger, younger));
}

TEST_F(ProcessBudgets, DoNotWaitForASessionThatNobodyDrives) {
  ASSERT_TRUE(take(60, start_, start_));
  EXPECT_FALSE(take(50, start_, start_));  // and never tries again
  EXPECT_FALSE(take(1, start_ + milliseconds(99), start_ + milliseconds(99)));
  EXPECT_TRUE(take(1, start_ + milliseconds(100), start_ + milliseconds(100)));
}

TEST_F(ProcessBudgets, CountExactlyAmongThreads) {
  std::vector<std::thread> threads;
  std::atomic<bool> over{false};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i, &over] {
      for (int n = 0; n < 20'000; ++n) {
        const TimePoint now = start_ + milliseconds(200L * n);  // nobody's claim lasts
        const auto bytes = static_cast<std::uint64_t>(1 + (n + i) % 60);
        if (!take(bytes, now, now)) continue;
        if (budget_.used(Share::kRequests) > budget_.total()) over = true;
        budget_.give_back(Share::kRequests, bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(over);
  EXPECT_EQ(budget_.used(Share::kRequests), 0U);
}

}  // namespace
}  // namespace leat::session
