// Calls whose answer is asked for later, and calls whose answer nobody asks for.
#pragma once

#include "method.h"
#include "python.h"

namespace leat::python {

/// Starts the call and gives a leat.Future (leat/_future.py) of its answer. Never fails: what goes wrong is
/// in the future. Here and below the GIL is held, and released meanwhile.
[[nodiscard]] py::object call_later(const Target& target, Arguments arguments);

/// Starts the call and forgets it; what becomes of it shows nowhere.
void call_oneway(const Target& target, Arguments arguments);

}  // namespace leat::python
