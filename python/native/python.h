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

}  // namespace leat::python
