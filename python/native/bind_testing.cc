// leat.testing: the clock that a test moves.
#include <memory>

#include <leat/testing.h>

#include "bindings.h"
#include "options.h"

namespace leat::python {
namespace {

/// There is one at a time, and a second one is the test's mistake, not a reason to abort. The GIL guards it.
class Clock {
 public:
  Clock() {
    if (exists)
      throw std::runtime_error("there is a ManualClock already, and one at a time is all there can be");
    clock_ = std::make_unique<testing::ManualClock>();
    exists = true;
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  ~Clock() { stop(); }

  void stop() noexcept {
    if (!clock_) return;
    clock_.reset();
    exists = false;
  }
  [[nodiscard]] double now() const { return to_seconds(running().now().time_since_epoch()); }
  void advance(const py::object& seconds) const {
    running().advance(to_duration(seconds, "seconds").value_or(Duration::max() / 4));
  }

 private:
  [[nodiscard]] testing::ManualClock& running() const {
    if (!clock_) throw std::runtime_error("this ManualClock has been stopped");
    return *clock_;
  }
  static inline bool exists = false;
  std::unique_ptr<testing::ManualClock> clock_;
};

}  // namespace

void bind_testing(py::module_& module) {
  py::class_<Clock>(module, "ManualClock")
      .def(py::init<>())
      .def("now", &Clock::now)
      .def("advance", &Clock::advance, py::arg("seconds"), py::pos_only())
      .def("stop", &Clock::stop);
}

}  // namespace leat::python
