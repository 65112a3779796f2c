// Failures between C++ and Python. What they look like to users is decided in Python, in leat/_errors.py.
#pragma once

#include <exception>
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

/// For functions that CPython calls: what `body` returns (an object) as a new reference; null with the Python
/// error set for what it throws.
template <class F>
PyObject* guarded(F&& body) noexcept {
  try {
    py::object result = std::forward<F>(body)();
    return result.release().ptr();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::builtin_exception& error) {
    error.set_error();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

/// The exception that the status means; the GIL is held. Not for ok.
[[nodiscard]] py::object exception_of(const Status& status);

/// What a handler's exception is answered with; also writes it to the log under `where` ("scope.snap").
/// `quietly`: only for those who look for bugs, since somebody else gets the exception.
[[nodiscard]] Status status_of(py::error_already_set& error, std::string_view where, bool quietly = false);

}  // namespace leat::python
