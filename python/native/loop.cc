#include "loop.h"

#include <cstdint>
#include <exception>
#include <string>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bindings.h"

namespace leat::python {
namespace {

/// The loop that runs on this thread, or None.
py::object running_loop() {
  static PyObject* get = nullptr;
  py::object loop = steal(PyObject_CallNoArgs(imported(get, "asyncio", "_get_running_loop").ptr()));
  if (!loop) throw py::error_already_set();
  return loop;
}

}  // namespace

LoopQueue::LoopQueue() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (descriptor_ >= 0) return;
  PyErr_SetFromErrno(PyExc_OSError);
  throw py::error_already_set();
}

LoopQueue::~LoopQueue() {
  close();
  ::close(descriptor_);
}

void LoopQueue::push(std::shared_ptr<Item> item) noexcept {
  Item* pushed = item.get();
  pushed->kept_ = std::move(item);
  Item* head = head_.load();
  do {
    pushed->next_ = head;
  } while (!head_.compare_exchange_weak(head, pushed));
  if (closed_.load()) return drop();
  // Only the first of a batch wakes the loop.
  if (head != nullptr) return;
  const std::uint64_t one = 1;
  (void)!::write(descriptor_, &one, sizeof one);  // full only if it is readable anyway
}

/// All that is queued, the oldest first.
LoopQueue::Item* LoopQueue::take() noexcept {
  Item* item = head_.exchange(nullptr);
  Item* ordered = nullptr;
  while (item != nullptr) ordered = std::exchange(item, std::exchange(item->next_, ordered));
  return ordered;
}

void LoopQueue::run_ready() {
  std::uint64_t count = 0;
  (void)!::read(descriptor_, &count, sizeof count);  // before take(), or the last push's ring were lost
  drop_put_aside();
  for (Item* item = take(); item != nullptr;) {
    // It may be pushed again from within run().
    const std::shared_ptr<Item> kept = std::move(item->kept_);
    item = item->next_;
    try {
      kept->run();
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable("leat's work for an event loop");
    } catch (const std::exception& error) {  // the others must not be lost with it
      PyErr_SetString(PyExc_RuntimeError, error.what());
      PyErr_WriteUnraisable(nullptr);
    }
  }
}

void LoopQueue::drop() noexcept {
  for (Item* item = take(); item != nullptr;) {
    const std::shared_ptr<Item> kept = std::move(item->kept_);
    item = item->next_;
  }
}

void LoopQueue::close() noexcept {
  closed_.store(true);
  drop();
}

void Loop::check_here(const char* what) const {
  const py::object running = running_loop();
  if (running.ptr() == python->get()) return;
  const std::string subject(what);
  if (running.is_none())
    throw std::runtime_error(
        subject +
        " belongs to an event loop, and none runs on this thread: use it in a coroutine, "
        "or through asyncio.run_coroutine_threadsafe()");
  const bool closed = py::handle(python->get()).attr("is_closed")().cast<bool>();
  throw std::runtime_error(
      subject + (closed ? " belongs to an event loop that is closed; connect again on this one"
                        : " belongs to another event loop; each loop needs a connection of its own"));
}

bool on_event_loop() { return !running_loop().is_none(); }

void Wake::run() {
  const py::handle future(future_.get());
  if (!future.attr("done")().cast<bool>()) future.attr("set_result")(py::none());
}

void bind_loop(py::module_& module) {
  py::class_<LoopQueue, std::shared_ptr<LoopQueue>>(module, "LoopQueue")
      .def(py::init<>())
      .def("fileno", &LoopQueue::descriptor)
      .def(
          "run_ready", [](LoopQueue& self, const py::object& /*kept*/) { self.run_ready(); },
          py::arg("kept") = py::none(), "`kept` lives as long as this is what the loop calls.")
      .def("close", [](LoopQueue& self) {
        const ReleaseGil released;
        self.close();
      });
}

}  // namespace leat::python
