// Starting a call without waiting for a connection.
#pragma once

#include <memory>
#include <optional>

#include <leat/context.h>
#include <leat/message.h>
#include <leat/service.h>
#include <leat/status.h>

#include "method.h"

namespace leat::python {

/// As Caller::start(), and never waits: a call that is to wait until there is a connection
/// (CallOptions::wait_for_ready) does so on a thread of its own. Without the GIL.
[[nodiscard]] Result<std::unique_ptr<ClientCall>> start_without_waiting(const Target& target,
                                                                        const MethodRef& method,
                                                                        std::optional<Payload> first,
                                                                        const CallOptions& options);

}  // namespace leat::python
