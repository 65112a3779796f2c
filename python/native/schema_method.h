// The methods that schemas declare.
#pragma once

#include <memory>
#include <string>

#include "method.h"
#include "python.h"

namespace leat::python {

/// `schema` is a leat._native.Schema. ValueError if it has no such method.
[[nodiscard]] std::shared_ptr<const Method> make_schema_method(const py::object& schema,
                                                               const std::string& service,
                                                               const std::string& method);

}  // namespace leat::python
