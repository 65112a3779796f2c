#include "transport/runtime/histogram.h"

#include <gtest/gtest.h>

namespace leat::transport {
namespace {

using std::chrono::microseconds;

TEST(Histogram, CutsTimeIntoBucketsWithoutGaps) {
  std::size_t before = 0;
  for (std::uint64_t ns = 1; ns < std::uint64_t{1} << 40U; ns += 1 + ns / 100) {
    const std::size_t bucket = Histogram::bucket_of(ns);
    EXPECT_LE(bucket, before + 1) << ns;
    EXPECT_GE(bucket, before) << ns;
    EXPECT_GE(ns, Histogram::begin_of(bucket));
    if (bucket != before) {
      EXPECT_EQ(Histogram::bucket_of(Histogram::begin_of(bucket)), bucket);
      EXPECT_EQ(Histogram::bucket_of(Histogram::begin_of(bucket) - 1), bucket - 1);
    }
    before = bucket;
  }
}

TEST(Histogram, TellsPercentilesToWithinATenth) {
  Histogram histogram;
  for (int i = 1; i <= 10'000; ++i) histogram.record(microseconds(i));
  const LatencyStats stats = histogram.summary();
  EXPECT_EQ(stats.count, 10'000U);
  EXPECT_EQ(stats.sum, microseconds(50'005'000));
  const auto near = [](Duration is, Duration should) {
    EXPECT_NEAR(static_cast<double>(is.count()) / static_cast<double>(should.count()), 1, 0.07);
  };
  near(stats.p50, microseconds(5'000));
  near(stats.p90, microseconds(9'000));
  near(stats.p99, microseconds(9'900));
  near(stats.p999, microseconds(9'990));
}

TEST(Histogram, TakesWhatIsBeyondItsRange) {
  Histogram histogram;
  EXPECT_EQ(histogram.summary().p50, Duration::zero());
  histogram.record(Duration(-5));
  histogram.record(std::chrono::hours(100));
  const LatencyStats stats = histogram.summary();
  EXPECT_EQ(stats.count, 2U);
  EXPECT_GT(stats.p99, std::chrono::seconds(100));
}

}  // namespace
}  // namespace leat::transport
