// The library's log lines, handed to Python's logging under the name "leat".
#pragma once

#include <leat/peer.h>

namespace leat::python {

[[nodiscard]] Logger make_logger();

}  // namespace leat::python
