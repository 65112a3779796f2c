// leat._native: the C++ library for Python. What users see is in src/leat; stubs are in src/leat/_native.pyi.
#include "bindings.h"
#include "gil.h"

PYBIND11_MODULE(_native, module) {
  module.doc() = "The C++ library under leat.";
  leat::python::learn_main_thread();
  leat::python::bind_values(module);
  leat::python::bind_context(module);
  leat::python::bind_stream(module);
  leat::python::bind_requests(module);
  leat::python::bind_future(module);
  leat::python::bind_call(module);
  leat::python::bind_endpoint_options(module);
  leat::python::bind_peer(module);
  leat::python::bind_aio_call(module);  // derives from what the line above defines
  leat::python::bind_loop(module);
  leat::python::bind_handler_loop(module);
  leat::python::bind_aio_handler(module);
  leat::python::bind_aio_stream(module);
  leat::python::bind_aio_method(module);
  leat::python::bind_server(module);
  leat::python::bind_schema(module);
  leat::python::bind_call_view(module);
  leat::python::bind_interceptors(module);
  leat::python::bind_testing(module);
  module.def("forbid_python", &leat::python::forbid_python);
}
