// The methods of remote objects: no schema, values both ways.
#pragma once

#include <memory>
#include <string>

#include "method.h"
#include "python.h"

namespace leat::python {

[[nodiscard]] std::shared_ptr<const Method> make_object_method(std::string object, std::string method);

/// A callable Python object for the method; its `options(...)` gives another.
[[nodiscard]] py::object make_remote_method(Target target);

}  // namespace leat::python
