// Calls that block: the way of calling that everything else is measured by.
#pragma once

#include "method.h"
#include "python.h"

namespace leat::python {

/// Does what a call of the method does in Python: waits for the reply and gives it, or gives the object that
/// replies or requests stream through. The GIL is held, and released while it waits.
[[nodiscard]] py::object call_and_wait(const Target& target, Arguments arguments);

}  // namespace leat::python
