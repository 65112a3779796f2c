// An end that may take its time, for the thread that Python's signals are handled on.
#pragma once

#include <functional>
#include <memory>

namespace leat::python {

/// Something that is ended once, on a thread of its own. Used with the GIL.
class Ending {
 public:
  /// Begins with `end` if nobody has; false if it has not returned after `seconds`. It goes on then, so it
  /// holds all that it needs. The GIL is let go meanwhile.
  [[nodiscard]] bool within(double seconds, std::function<void()> end);

 private:
  struct Progress;
  std::shared_ptr<Progress> progress_;
};

}  // namespace leat::python
