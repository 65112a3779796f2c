#include "transport/runtime/executor.h"

#include <utility>

#include "transport/runtime/wakeup.h"

namespace leat::transport {
namespace {

/// Whose thread beyond the limit this is.
thread_local const void* on_extra_thread = nullptr;

}  // namespace

bool Executor::run(Channel channel, Task task, std::size_t most) {
  Shared& shared = *shared_;
  const std::lock_guard lock(shared.mutex);
  if (shared.stopping) return true;
  if (shared.queued >= most) return false;
  shared.queues[static_cast<std::size_t>(channel)].push_back(std::move(task));
  ++shared.queued;
  if (shared.idle >= shared.queued) {
    shared.wake.notify_one();
  } else if (threads_.size() < limit_) {
    const SignalsBlocked no_signals;
    threads_.emplace_back([mine = shared_] { mine->work(false); });
  }
  return true;
}

void Executor::run_now(Task task) {
  Shared& shared = *shared_;
  const std::lock_guard lock(shared.mutex);
  if (shared.stopping) return;
  shared.queues[static_cast<std::size_t>(Channel::kControl)].push_back(std::move(task));
  ++shared.queued;
  if (shared.idle >= shared.queued) {  // as against threads that others' tasks have woken
    shared.wake.notify_one();
    return;
  }
  const SignalsBlocked no_signals;
  ++shared.extra;
  std::thread([mine = shared_] { mine->work(true); }).detach();
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

void Executor::Shared::work(bool beyond_limit) {
  if (beyond_limit) on_extra_thread = this;
  std::unique_lock lock(mutex);
  while (!stopping) {
    Task task;
    if (take(task)) {
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    } else if (beyond_limit) {
      break;
    } else {
      ++idle;
      wake.wait(lock, [this] { return stopping || queued > 0; });
      --idle;
    }
  }
  if (beyond_limit && --extra == 0) extra_ended.notify_all();
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
  // Before the wait: a task that runs may be waiting for one of these to be gone.
  dropped = {};
  for (std::thread& thread : threads) {
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();  // a handler closes its own server: it ends when the handler returns
    } else {
      thread.join();
    }
  }
  std::unique_lock lock(shared_->mutex);
  if (on_extra_thread != shared_.get())
    shared_->extra_ended.wait(lock, [this] { return shared_->extra == 0; });
}

}  // namespace leat::transport
