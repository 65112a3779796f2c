// One function for each concept that the module offers.
#pragma once

#include "python.h"

namespace leat::python {

void bind_values(py::module_& module);
void bind_context(py::module_& module);
void bind_stream(py::module_& module);
void bind_requests(py::module_& module);
void bind_future(py::module_& module);
void bind_call(py::module_& module);
void bind_loop(py::module_& module);
void bind_handler_loop(py::module_& module);
void bind_aio_handler(py::module_& module);
void bind_aio_stream(py::module_& module);
void bind_aio_call(py::module_& module);
void bind_aio_method(py::module_& module);
void bind_endpoint_options(py::module_& module);
void bind_peer(py::module_& module);
void bind_server(py::module_& module);
void bind_schema(py::module_& module);
void bind_call_view(py::module_& module);
void bind_interceptors(py::module_& module);
void bind_testing(py::module_& module);

}  // namespace leat::python
