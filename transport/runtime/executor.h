// Threads for handlers that may take their time. Work for more urgent channels starts first.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <leat/context.h>

namespace leat::transport {

/// Thread-safe. Threads are started as they are needed, up to the number given, and kept.
class Executor {
 public:
  using Task = std::function<void()>;

  explicit Executor(unsigned threads) : limit_(threads) {}
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  ~Executor() { stop(); }

  /// Runs the task on one of the threads; drops it after stop().
  void run(Channel channel, Task task);
  /// Takes no more tasks, drops those not begun, and waits for the running ones, except for one that this
  /// thread is itself running. Idempotent.
  void stop();

 private:
  void work();
  bool take(Task& task);

  unsigned limit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::array<std::deque<Task>, kChannelCount> queues_;
  std::size_t queued_ = 0;
  std::size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace leat::transport
