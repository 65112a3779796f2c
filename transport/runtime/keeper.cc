#include "transport/runtime/keeper.h"

#include <utility>

#include <leat/blocking.h>

#include "transport/runtime/clock.h"

namespace leat::transport {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(1);

}  // namespace

std::shared_ptr<Keeper> Keeper::shared() {
  static std::mutex mutex;
  static std::weak_ptr<Keeper> existing;
  const std::lock_guard lock(mutex);
  std::shared_ptr<Keeper> keeper = existing.lock();
  if (!keeper || keeper->process_.forked())
    existing = keeper = std::shared_ptr<Keeper>(new Keeper, &Keeper::retire);
  return keeper;
}

void Keeper::retire(Keeper* keeper) noexcept {
  if (keeper->process_.forked()) return;  // its thread is the parent's
  if (keeper->thread_.get_id() != std::this_thread::get_id()) {
    BeforeBlocking::tell();
    delete keeper;
    return;
  }
  // The keeper itself let go of the last connection: its thread can't be waited for, so it clears up behind
  // itself.
  keeper->thread_.detach();
  keeper->orphaned_ = true;
  keeper->stopping_ = true;
  keeper->reactor_.wake();
}

Keeper::~Keeper() {
  stopping_ = true;
  reactor_.wake();
  if (!thread_.joinable()) return;
  thread_.join();
}

void Keeper::start_locked() {
  if (thread_.joinable()) {
    if (sleeping_) reactor_.wake();
    sleeping_ = false;
    return;
  }
  const SignalsBlocked no_signals;
  thread_ = std::thread([this] {
    run();
    if (orphaned_) delete this;
  });
}

void Keeper::note(std::weak_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  connections_.push_back(std::move(connection));
  start_locked();
}

void Keeper::wake_up() {
  const std::lock_guard lock(mutex_);
  if (!thread_.joinable()) start_locked();
}

void Keeper::note(std::weak_ptr<Ticked> ticked) {
  const std::lock_guard lock(mutex_);
  ticked_.push_back(std::move(ticked));
  start_locked();
}

bool Keeper::tick(TimePoint at) {
  std::vector<std::weak_ptr<Connection>> connections;
  std::vector<std::weak_ptr<Ticked>> ticked;
  {
    const std::lock_guard lock(mutex_);
    connections = std::exchange(connections_, {});
    ticked = std::exchange(ticked_, {});
  }
  std::erase_if(connections, [at](const std::weak_ptr<Connection>& weak) {
    const std::shared_ptr<Connection> connection = weak.lock();
    return !connection || connection->keeper_tick(at);
  });
  std::erase_if(ticked, [at](const std::weak_ptr<Ticked>& weak) {
    const std::shared_ptr<Ticked> one = weak.lock();
    return !one || !one->keeper_tick(at);
  });
  const std::lock_guard lock(mutex_);
  connections_.insert(connections_.end(), connections.begin(), connections.end());
  ticked_.insert(ticked_.end(), ticked.begin(), ticked.end());
  sleeping_ = connections_.empty() && ticked_.empty();
  return !sleeping_;
}

void Keeper::run() {
  while (!stopping_) {
    const bool ticking = tick(real_now());
    reactor_.turn(ticking ? now() + kTick : kNever);
  }
}

}  // namespace leat::transport
