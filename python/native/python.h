// pybind11 as every file here includes it, and owning references for the places that use CPython's own API.
#pragma once

#define PY_SSIZE_T_CLEAN  // NOLINT(bugprone-reserved-identifier): CPython's own switch
// clang-format off: the second needs the first
#include <pybind11/pybind11.h>
#include <structmember.h>
// clang-format on

namespace leat::python {

namespace py = pybind11;

/// Takes over a new reference (null stays null; the Python error is then set).
inline py::object steal(PyObject* object) noexcept { return py::reinterpret_steal<py::object>(object); }
inline py::object borrow(PyObject* object) noexcept { return py::reinterpret_borrow<py::object>(object); }

/// What a module has under a name, kept for good in `slot`. A static local with an initializer would not do:
/// importing lets the GIL go, and two threads would wait for each other, one for the GIL and one for the
/// other's initialization. With the GIL.
inline py::handle imported(PyObject*& slot, const char* module, const char* name) {
  if (slot == nullptr) {
    py::object found = py::module_::import(module).attr(name);
    if (slot == nullptr) slot = found.release().ptr();
  }
  return slot;
}

}  // namespace leat::python
