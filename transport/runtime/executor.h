// Threads for handlers that may take their time. Work for more urgent channels starts first.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <leat/context.h>

namespace leat::transport {

/// Thread-safe. Threads are started as they are needed, up to the number given, and kept.
class Executor {
 public:
  using Task = std::move_only_function<void()>;

  explicit Executor(unsigned threads) : limit_(threads), shared_(std::make_shared<Shared>()) {}
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  ~Executor() { stop(); }

  /// Runs the task on one of the threads; drops it after stop(). False, and nothing is done, if `most` tasks
  /// wait.
  bool run(Channel channel, Task task, std::size_t most = ~std::size_t{0});
  /// Runs the task before all others, on a thread beyond the limit if the others are busy (they may be
  /// waiting for just this).
  void run_now(Task task);
  /// Takes no more tasks, drops those not begun, and waits for the running ones, except for one that this
  /// thread is itself running. Idempotent.
  void stop();

 private:
  /// What the threads use; theirs too, since a task may stop and destroy the executor that runs it.
  struct Shared {
    void work(bool beyond_limit);
    bool take(Task& task);

    std::mutex mutex;
    std::condition_variable wake;
    std::array<std::deque<Task>, kChannelCount> queues;
    std::size_t queued = 0;
    std::size_t idle = 0;
    std::size_t extra = 0;  // threads beyond the limit; they end when nothing waits
    std::condition_variable extra_ended;
    bool stopping = false;
  };

  const unsigned limit_;
  const std::shared_ptr<Shared> shared_;
  std::vector<std::thread> threads_;  // guarded by shared_->mutex
};

}  // namespace leat::transport
