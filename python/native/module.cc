// leat._native: the C++ library for Python. What users see is in src/leat; stubs are in src/leat/_native.pyi.
#include "bindings.h"
#include "gil.h"

PYBIND11_MODULE(_native, module) {
  module.doc() = "The C++ library under leat.";
  leat::python::learn_main_thread();
  leat::python::bind_values(module);
  leat::python::bind_call(module);
  leat::python::bind_peer(module);
  leat::python::bind_server(module);
  leat::python::bind_schema(module);
  module.def("forbid_python", &leat::python::forbid_python);
}
