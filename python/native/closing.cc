#include "closing.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "gil.h"

namespace leat::python {

struct Ending::Progress {
  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;
};

bool Ending::within(double seconds, std::function<void()> end) {
  const bool begin = progress_ == nullptr;
  if (begin) progress_ = std::make_shared<Progress>();
  const std::shared_ptr<Progress> progress = progress_;
  const ReleaseGil released;
  if (begin) {
    std::thread([end = std::move(end), progress]() mutable {
      std::exchange(end, nullptr)();
      const std::lock_guard lock(progress->mutex);
      progress->ended = true;
      progress->changed.notify_all();
    }).detach();
  }
  std::unique_lock lock(progress->mutex);
  return progress->changed.wait_for(lock, std::chrono::duration<double>(seconds),
                                    [&] { return progress->ended; });
}

}  // namespace leat::python
