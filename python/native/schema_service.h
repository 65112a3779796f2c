// A Python object that answers for a service of a schema.
#pragma once

#include <memory>
#include <string>

#include <leat/service.h>

#include "handler.h"
#include "python.h"

namespace leat::python {

/// `schema` is a leat._native.Schema; `attributes` holds (name on the wire, attribute of `instance`) for each
/// method. `limits` go before those in the schema.
[[nodiscard]] std::shared_ptr<Service> make_schema_service(const py::object& schema,
                                                           const std::string& service, py::object instance,
                                                           const py::list& attributes,
                                                           const MethodLimits& limits);

}  // namespace leat::python
