#include "transport/runtime/executor.h"

#include <utility>

#include "transport/runtime/wakeup.h"

namespace leat::transport {

void Executor::run(Channel channel, Task task) {
  Shared& shared = *shared_;
  const std::lock_guard lock(shared.mutex);
  if (shared.stopping) return;
  shared.queues[static_cast<std::size_t>(channel)].push_back(std::move(task));
  ++shared.queued;
  if (shared.idle >= shared.queued) {
    shared.wake.notify_one();
  } else if (threads_.size() < limit_) {
    const SignalsBlocked no_signals;
    threads_.emplace_back([mine = shared_] { mine->work(); });
  }
}

bool Executor::Shared::take(Task& task) {
  for (std::deque<Task>& queue : queues) {  // most urgent first
    if (queue.empty()) continue;
    task = std::move(queue.front());
    queue.pop_front();
    --queued;
    return true;
  }
  return false;
}

void Executor::Shared::work() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    Task task;
    if (take(task)) {
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    } else {
      ++idle;
      wake.wait(lock, [this] { return stopping || queued > 0; });
      --idle;
    }
  }
}

void Executor::stop() {
  std::vector<std::thread> threads;
  std::array<std::deque<Task>, kChannelCount> dropped;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
    dropped = std::exchange(shared_->queues, {});
    shared_->queued = 0;
    threads = std::exchange(threads_, {});
  }
  shared_->wake.notify_all();
  for (std::thread& thread : threads) {
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();  // a handler closes its own server: it ends when the handler returns
    } else {
      thread.join();
    }
  }
}

}  // namespace leat::transport
