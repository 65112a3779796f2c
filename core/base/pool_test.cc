#include "core/base/pool.h"

#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <leat/bytes.h>

namespace leat {
namespace {

TEST(Pool, GivesBlocksOfEverySizeThatDoNotOverlap) {
  std::vector<std::pair<std::byte*, std::size_t>> blocks;
  for (int round = 0; round < 3; ++round) {
    for (std::size_t size = 1; size <= Pool::kMost + 100; size += 37) {
      auto* const block = static_cast<std::byte*>(Pool::allocate(size));
      std::memset(block, static_cast<int>(size % 251), size);
      blocks.emplace_back(block, size);
    }
    for (const auto& [block, size] : blocks) {
      for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(block[i], static_cast<std::byte>(size % 251));
    }
    for (const auto& [block, size] : blocks) Pool::free(block, size);
    blocks.clear();
  }
}

TEST(Pool, TakesBlocksOfOtherThreadsAndMoreThanItKeeps) {
  std::vector<void*> blocks(5'000);
  std::thread([&blocks] {
    for (void*& block : blocks) block = Pool::allocate(100);
  }).join();
  for (void* block : blocks) Pool::free(block, 100);
  std::thread([] {
    void* const block = Pool::allocate(100);
    Pool::free(block, 100);
  }).join();
}

TEST(Pool, ServesWhatEndsAfterItsThreadsOtherObjects) {
  std::thread([] {
    // Made before the pool is first used here, so that it ends after the pool's own object.
    thread_local std::vector<Buffer> last;
    last.push_back(Buffer::copy(std::string_view("kept")));
    Pool::free(Pool::allocate(64), 64);
  }).join();
}

TEST(Pool, AllocatesShared) {
  struct Large {
    std::array<int, 100> numbers{};
  };
  std::vector<std::shared_ptr<Large>> all;
  for (int i = 0; i < 1'000; ++i) all.push_back(std::allocate_shared<Large>(PoolAllocator<Large>()));
  all.clear();
  EXPECT_EQ(std::allocate_shared<Large>(PoolAllocator<Large>())->numbers[99], 0);
}

}  // namespace
}  // namespace leat
