// What has happened for an event loop of asyncio's, on its way to the loop's thread.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "gil.h"
#include "python.h"

namespace leat::python {

/// One per event loop. Threads of Leat's push without the GIL and without waiting; the loop watches the
/// descriptor, wakes up once for however many items, and runs them all.
class LoopQueue {
 public:
  /// Something to be done on the loop's thread. In one queue, once at a time. The last reference may go on
  /// any thread, without the GIL.
  class Item {
   public:
    Item() = default;
    Item(const Item&) = delete;
    Item& operator=(const Item&) = delete;
    virtual ~Item() = default;
    /// Once for each push(), with the GIL; what it throws is reported as unraisable.
    virtual void run() = 0;

   private:
    friend class LoopQueue;
    std::shared_ptr<Item> kept_;
    Item* next_ = nullptr;
  };

  /// A Python OSError if the process is out of descriptors.
  LoopQueue();
  LoopQueue(const LoopQueue&) = delete;
  LoopQueue& operator=(const LoopQueue&) = delete;
  ~LoopQueue();

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  /// Any thread, with or without the GIL. Dropped once the queue is closed.
  void push(std::shared_ptr<Item> item) noexcept;
  /// On the loop's thread, with the GIL.
  void run_ready();
  /// The loop is gone: drops what is queued, and what will be. Without the GIL.
  void close() noexcept;

 private:
  Item* take() noexcept;
  void drop() noexcept;

  int descriptor_;
  std::atomic<Item*> head_{nullptr};  // the last that was pushed
  std::atomic<bool> closed_{false};
};

/// An event loop and its queue; leat/_loop.py brings the two together. Copied and let go of on any thread.
struct Loop {
  std::shared_ptr<LoopQueue> queue;
  std::shared_ptr<SharedObject> python;  ///< asyncio's event loop

  Loop() = default;
  Loop(std::shared_ptr<LoopQueue> ready, py::object loop)
      : queue(std::move(ready)), python(std::make_shared<SharedObject>(std::move(loop))) {}
  explicit operator bool() const noexcept { return queue != nullptr; }
  /// RuntimeError naming `what` ("this peer") unless the loop is the one that runs on this thread. The GIL is
  /// held.
  void check_here(const char* what) const;
};

/// True if an event loop runs on this thread. The GIL is held.
[[nodiscard]] bool on_event_loop();

/// Has `future`, asyncio's, resolved on the loop, unless that has been done.
class Wake final : public LoopQueue::Item {
 public:
  explicit Wake(py::object future) : future_(std::move(future)) {}
  void run() override;

 private:
  SharedObject future_;
};

}  // namespace leat::python
