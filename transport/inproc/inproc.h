// inproc://name: links inside one process.
#pragma once

#include <memory>

#include "transport/link/link.h"

namespace leat::transport {

/// Names belong to the transport object: only connections made through the same one find its listeners.
/// Thread-safe.
std::unique_ptr<Transport> make_inproc_transport();

}  // namespace leat::transport
