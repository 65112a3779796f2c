#include "transport/runtime/signal.h"

#include <future>
#include <thread>

#include <gtest/gtest.h>

namespace leat::transport {
namespace {

/// What a language with a lock of its own does: lets go of it when it is told.
class Told final : public BeforeBlocking {
 public:
  int times = 0;

 private:
  void about_to_block() noexcept override { ++times; }
};

TEST(SharedLocks, TellAThreadBeforeItWaitsAndNotOtherwise) {
  SharedLock lock;
  Told told;
  lock.lock();
  lock.unlock();
  EXPECT_EQ(told.times, 0);

  std::promise<void> taken;
  std::promise<void> waited;
  std::thread other([&] {
    lock.lock();
    taken.set_value();
    waited.get_future().wait();
    lock.unlock();
  });
  class Releasing final : public BeforeBlocking {
   public:
    explicit Releasing(std::promise<void>& waits) : waits_(waits) {}

   private:
    // Only this lets the other thread go on: were nobody told, the test would hang.
    void about_to_block() noexcept override { waits_.set_value(); }
    std::promise<void>& waits_;
  };
  taken.get_future().wait();
  {
    const Releasing innermost(waited);
    lock.lock();
  }
  lock.unlock();
  other.join();
  EXPECT_EQ(told.times, 0) << "the innermost is told";
}

}  // namespace
}  // namespace leat::transport
