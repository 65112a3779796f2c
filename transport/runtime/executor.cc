#include "transport/runtime/executor.h"

#include <utility>

#include "transport/runtime/wakeup.h"

namespace leat::transport {

void Executor::run(Channel channel, Task task) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  queues_[static_cast<std::size_t>(channel)].push_back(std::move(task));
  ++queued_;
  if (idle_ >= queued_) {
    wake_.notify_one();
  } else if (threads_.size() < limit_) {
    const SignalsBlocked no_signals;
    threads_.emplace_back([this] { work(); });
  }
}

bool Executor::take(Task& task) {
  for (std::deque<Task>& queue : queues_) {  // most urgent first
    if (queue.empty()) continue;
    task = std::move(queue.front());
    queue.pop_front();
    --queued_;
    return true;
  }
  return false;
}

void Executor::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    Task task;
    if (take(task)) {
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    } else {
      ++idle_;
      wake_.wait(lock, [this] { return stopping_ || queued_ > 0; });
      --idle_;
    }
  }
}

void Executor::stop() {
  std::vector<std::thread> threads;
  std::array<std::deque<Task>, kChannelCount> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped = std::exchange(queues_, {});
    queued_ = 0;
    threads = std::exchange(threads_, {});
  }
  wake_.notify_all();
  for (std::thread& thread : threads) {
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();  // a handler closes its own server: it ends when the handler returns
    } else {
      thread.join();
    }
  }
}

}  // namespace leat::transport
