#include "transport/runtime/keeper.h"

#include <chrono>
#include <future>
#include <utility>

#include <gtest/gtest.h>

namespace leat::transport {
namespace {

/// Lets go of the keeper on the keeper's own thread, once nobody else has it.
class LastUser final : public Keeper::Ticked {
 public:
  explicit LastUser(std::shared_ptr<Keeper> keeper) : keeper_(std::move(keeper)) {}

  bool keeper_tick(TimePoint /*now*/) override {
    if (keeper_.use_count() > 1) return true;
    keeper_.reset();
    gone.set_value();
    return false;
  }

  std::promise<void> gone;

 private:
  std::shared_ptr<Keeper> keeper_;
};

TEST(Keeper, MayBeItsOwnLastUser) {
  for (int i = 0; i < 20; ++i) {
    std::shared_ptr<Keeper> keeper = Keeper::shared();
    const auto last = std::make_shared<LastUser>(keeper);
    keeper->note(std::weak_ptr<Keeper::Ticked>(last));
    const std::weak_ptr<Keeper> watch = keeper;
    keeper.reset();
    ASSERT_EQ(last->gone.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
    EXPECT_TRUE(watch.expired());
  }
}

TEST(Keeper, IsOneForAllAndGoneWithTheLast) {
  std::shared_ptr<Keeper> keeper = Keeper::shared();
  EXPECT_EQ(keeper, Keeper::shared());
  const std::weak_ptr<Keeper> watch = keeper;
  keeper.reset();
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace leat::transport
