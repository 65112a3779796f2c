// Interceptors that are Python objects, in the chains of C++.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <leat/interceptor.h>

#include "gil.h"
#include "method.h"
#include "python.h"

namespace leat::python {

/// The schemas of what one side serves, so that its interceptors can read messages. The GIL is held; may go
/// without.
class ServedSchemas {
 public:
  /// `schema` is a leat._native.Schema.
  void add(const std::string& service, py::object schema) {
    schemas_[service] = std::make_shared<SharedObject>(std::move(schema));
  }
  /// null for a service that is not of a schema.
  [[nodiscard]] std::shared_ptr<const Method> method(const std::string& service,
                                                     const std::string& method) const;

 private:
  std::map<std::string, std::shared_ptr<SharedObject>> schemas_;
};

/// An interceptor of C++, as Python holds it.
struct InterceptorHandle {
  std::shared_ptr<Interceptor> interceptor;
};

/// The interceptors of `connect` and `serve`, a sequence of leat.Interceptor objects; `served` by the same
/// side. TypeError naming what is none.
[[nodiscard]] Interceptors to_interceptors(const py::sequence& list,
                                           const std::shared_ptr<const ServedSchemas>& served);

}  // namespace leat::python
