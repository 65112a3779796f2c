// A plain Python object as a service: its public methods can be called by name.
#pragma once

#include <memory>
#include <string>

#include <leat/service.h>

#include "handler.h"
#include "python.h"

namespace leat::python {

/// Methods are what the object's class defines and calls without a leading underscore; they are looked up at
/// each call.
[[nodiscard]] std::shared_ptr<Service> make_object_service(std::string name, py::object object,
                                                           const MethodLimits& limits);

}  // namespace leat::python
