#include "core/base/id_map.h"

#include <cstdint>
#include <memory>
#include <random>
#include <unordered_map>

#include <gtest/gtest.h>

namespace leat {
namespace {

TEST(IdMap, HoldsWhatAMapHoldsThroughAnyInsertsAndExtracts) {
  for (const std::uint64_t range : {40U, 3'000U, 1U << 30U}) {
    std::mt19937_64 random(range);
    IdMap<std::unique_ptr<std::uint64_t>> map;
    std::unordered_map<std::uint64_t, std::uint64_t> model;
    for (int step = 0; step < 50'000; ++step) {
      const std::uint64_t id = 1 + random() % range;
      if (model.contains(id)) {
        ASSERT_NE(map.find(id), nullptr);
        ASSERT_EQ(**map.find(id), model[id]);
        if (random() % 2 == 0) {
          ASSERT_EQ(*map.extract(id), model[id]);
          model.erase(id);
        }
      } else {
        ASSERT_EQ(map.find(id), nullptr);
        ASSERT_EQ(map.extract(id), nullptr);
        const std::uint64_t value = random();
        map.insert(id, std::make_unique<std::uint64_t>(value));
        model[id] = value;
      }
      ASSERT_EQ(map.size(), model.size());
    }
    std::size_t seen = 0;
    map.for_each([&](std::uint64_t id, const std::unique_ptr<std::uint64_t>& value) {
      EXPECT_EQ(*value, model.at(id));
      ++seen;
    });
    EXPECT_EQ(seen, model.size());
    map.clear();
    EXPECT_TRUE(map.empty());
    EXPECT_EQ(map.find(1), nullptr);
  }
}

TEST(IdMap, TakesIdsThatGrow) {
  IdMap<int> map;
  for (std::uint64_t id = 8; id < 800'000; id += 8) {
    map.insert(id, static_cast<int>(id));
    if (id > 8 * 100) {
      EXPECT_EQ(map.extract(id - 8 * 100), static_cast<int>(id - 8 * 100));
    }
  }
  EXPECT_EQ(map.size(), 100U);
}

}  // namespace
}  // namespace leat
