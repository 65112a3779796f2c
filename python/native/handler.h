// What all Python services have in common: running Python code on Leat's threads.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <leat/message.h>
#include <leat/service.h>
#include <leat/status.h>

#include "gil.h"
#include "python.h"

namespace leat::python {

/// Encodes what a handler gave; `exclusive`: nobody else holds it.
using Encode = std::function<Payload(PyObject* object, bool exclusive)>;

/// Runs `body` with the GIL on a thread of Leat's and turns what it throws into a status, which is logged
/// under `where`. Status(kUnavailable) without running it if the interpreter is exiting.
[[nodiscard]] Status run_python(std::string_view where, const std::function<void()>& body);

/// Pushes the items of a Python iterator to the caller until it ends or nobody listens any more; then closes
/// it, so that a generator's `finally` runs. Called without the GIL; takes over the reference.
[[nodiscard]] Status push_items(ServerCall& call, PyObject* iterator, const Encode& encode,
                                std::string_view where);

/// The request of a call that has one.
[[nodiscard]] Result<Payload> read_request(ServerCall& call);

/// For handlers that outlast the interpreter's patience: raises SystemExit in every thread that runs one now.
/// The GIL is held. Returns how many there are.
std::size_t interrupt_handlers();

}  // namespace leat::python
