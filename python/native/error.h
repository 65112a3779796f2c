// Failures between C++ and Python. What they look like to users is decided in Python, in leat/_errors.py.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <leat/status.h>

#include "python.h"

namespace leat::python {

/// Sets the Python error that the status means. A Python error that is set already (Ctrl-C while waiting)
/// goes first.
void set_error(const Status& status);
[[noreturn]] void raise(const Status& status);

template <class T>
T unwrap(Result<T> result) {
  if (!result) raise(result.error());
  return std::move(*result);
}
inline void unwrap(const Status& status) {
  if (!status.ok()) raise(status);
}

/// What a handler's exception is answered with; also writes it to the log under `where` ("scope.snap").
[[nodiscard]] Status status_of(py::error_already_set& error, std::string_view where);

}  // namespace leat::python
