// One function for each concept that the module offers.
#pragma once

#include "python.h"

namespace leat::python {

void bind_values(py::module_& module);
void bind_call(py::module_& module);
void bind_peer(py::module_& module);
void bind_server(py::module_& module);
void bind_schema(py::module_& module);

}  // namespace leat::python
