// Log lines, handed to Python's logging.
#pragma once

#include <functional>
#include <string_view>

#include <leat/peer.h>

#include "python.h"

namespace leat::python {

/// The library's own few lines, under the name "leat".
[[nodiscard]] Logger make_logger();

/// Writes to a logging.Logger at a level of its. Any thread, without the GIL; may go anywhere.
[[nodiscard]] std::function<void(int level, std::string_view text)> make_logger_to(const py::object& logger);

}  // namespace leat::python
