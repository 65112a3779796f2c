#include "transport/runtime/spin.h"

#include <gtest/gtest.h>

namespace leat::transport {
namespace {

using std::chrono::microseconds;

TEST(Spin, BeginsOnceAnswersAreKnownToComeSoon) {
  Spin spin(microseconds(50), 2);
  EXPECT_EQ(spin.budget(), Duration::zero());
  for (int i = 0; i < 16; ++i) spin.waited(microseconds(15));
  EXPECT_EQ(spin.budget(), microseconds(50));
}

TEST(Spin, EndsWhenAnswersTakeLonger) {
  Spin spin(microseconds(50), 2);
  for (int i = 0; i < 16; ++i) spin.waited(microseconds(15));
  spin.waited(std::chrono::seconds(1));
  EXPECT_EQ(spin.budget(), Duration::zero()) << "one long wait is enough";
  for (int i = 0; i < 100; ++i) spin.waited(microseconds(40));
  EXPECT_EQ(spin.budget(), Duration::zero());
}

TEST(Spin, IsOffOnOneProcessorAndWhereNobodyWantsIt) {
  Spin alone(microseconds(50), 1);
  Spin off(Duration::zero(), 8);
  for (Spin* spin : {&alone, &off}) {
    for (int i = 0; i < 16; ++i) spin->waited(microseconds(1));
    EXPECT_EQ(spin->budget(), Duration::zero());
  }
}

}  // namespace
}  // namespace leat::transport
