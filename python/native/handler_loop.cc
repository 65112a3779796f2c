#include "handler_loop.h"

#include <utility>

#include "bindings.h"
#include "error.h"
#include "gil.h"

namespace leat::python {
namespace {

PyObject* variable = nullptr;

std::shared_ptr<HandlerLoop>& serves_on() {
  thread_local std::shared_ptr<HandlerLoop> loop;
  return loop;
}

/// What the Python code that runs here has said; null if it has not.
std::shared_ptr<HandlerLoop> told() {
  PyObject* found = nullptr;
  if (PyContextVar_Get(variable, nullptr, &found) < 0) throw py::error_already_set();
  const py::object value = steal(found);
  return value ? value.cast<std::shared_ptr<HandlerLoop>>() : nullptr;
}

class Stop final : public LoopQueue::Item {
 public:
  explicit Stop(std::shared_ptr<SharedObject> thread) : thread_(std::move(thread)) {}
  void run() override { py::handle(thread_->get()).attr("stop")(0); }

 private:
  std::shared_ptr<SharedObject> thread_;
};

}  // namespace

HandlerLoop::~HandlerLoop() {
  // The last reference may go anywhere, and Python's only with the GIL: the loop sees to it.
  if (thread_) loop_.queue->push(std::make_shared<Stop>(std::move(thread_)));
}

Loop HandlerLoop::known() const {
  const std::lock_guard lock(mutex_);
  return loop_;
}

Loop HandlerLoop::get() {
  if (Loop loop = known()) return loop;
  // Made without the lock, since that takes Python its time; of two that are made at once one is stopped.
  const py::object thread = py::module_::import("leat._loop").attr("LoopThread")();
  const py::tuple made = thread.attr("attached")();
  Loop loop(made[0].cast<std::shared_ptr<LoopQueue>>(), py::object(made[1]));
  const auto kept = std::make_shared<SharedObject>(thread);
  const bool first = [&] {
    const ReleaseGil released;
    const std::lock_guard lock(mutex_);
    const bool none = !loop_;
    if (none) loop_ = loop, thread_ = kept;
    loop = loop_;
    return none;
  }();
  if (!first) thread.attr("stop")(0);
  return loop;
}

bool HandlerLoop::stop(const py::object& seconds) {
  const std::shared_ptr<SharedObject> thread = [this] {
    const ReleaseGil released;
    const std::lock_guard lock(mutex_);
    return thread_;
  }();
  return !thread || py::handle(thread->get()).attr("stop")(seconds).cast<bool>();
}

std::shared_ptr<HandlerLoop> HandlerLoop::current() {
  if (serves_on()) return serves_on();
  if (std::shared_ptr<HandlerLoop> loop = told()) return loop;
  static const auto* shared = new std::shared_ptr<HandlerLoop>(std::make_shared<HandlerLoop>());
  return *shared;
}

std::shared_ptr<HandlerLoop> HandlerLoop::for_server() {
  std::shared_ptr<HandlerLoop> loop = told();
  return loop ? loop : std::make_shared<HandlerLoop>();
}

ServesOn::ServesOn(std::shared_ptr<HandlerLoop> loop)
    : before_(std::exchange(serves_on(), std::move(loop))) {}
ServesOn::~ServesOn() { serves_on() = std::move(before_); }

void bind_handler_loop(py::module_& module) {
  variable = PyContextVar_New("leat.handler_loop", nullptr);
  if (variable == nullptr) throw py::error_already_set();
  module.attr("handler_loop") = py::handle(variable);
  py::class_<HandlerLoop, std::shared_ptr<HandlerLoop>>(module, "HandlerLoop")
      .def(py::init([](std::shared_ptr<LoopQueue> queue, py::object loop) {
             return std::make_shared<HandlerLoop>(Loop(std::move(queue), std::move(loop)));
           }),
           py::arg("queue"), py::arg("loop"));
}

}  // namespace leat::python
