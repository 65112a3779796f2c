#include "transport/runtime/warm_memory.h"

#include <vector>

#include <gtest/gtest.h>

namespace leat::transport {
namespace {

constexpr std::size_t kMiB = 1U << 20U;

TEST(WarmMemory, OfALargeMessageIsThereForTheNextOfItsSize) {
  Buffer first = allocate_warm(9 * kMiB);
  EXPECT_EQ(first.size(), 9 * kMiB);
  const std::byte* const at = first.data();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(at) % (2 * kMiB), 0U);
  const std::size_t before = warm_memory_kept();
  first = {};
  EXPECT_EQ(warm_memory_kept(), before + 10 * kMiB) << "in steps of 2 MiB";
  const Buffer next = allocate_warm(9 * kMiB + 1);
  EXPECT_EQ(next.data(), at);
  EXPECT_EQ(warm_memory_kept(), before);
}

TEST(WarmMemory, IsKeptUpToABoundAndNotForGiants) {
  std::vector<Buffer> buffers;
  for (int i = 0; i < 20; ++i) buffers.push_back(allocate_warm(32 * kMiB));  // never touched
  buffers.push_back(allocate_warm(512 * kMiB));
  buffers.clear();
  EXPECT_LE(warm_memory_kept(), 256 * kMiB);
  EXPECT_GE(warm_memory_kept(), 224 * kMiB);
}

TEST(WarmMemory, IsNotWhatSmallMessagesTake) {
  const std::size_t before = warm_memory_kept();
  Buffer small = allocate_warm(kMiB - 1);
  small = {};
  EXPECT_EQ(warm_memory_kept(), before);
}

}  // namespace
}  // namespace leat::transport
