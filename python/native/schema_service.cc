#include "schema_service.h"

#include <utility>
#include <vector>

#include "error.h"
#include "gil.h"
#include "handler.h"
#include "schema_handle.h"

namespace leat::python {
namespace {

struct Handler {
  const schema::Method* method = nullptr;
  std::string attribute;
  std::string where;
};

class SchemaService final : public Service {
 public:
  SchemaService(const py::object& schema, const schema::Service& service, py::object instance,
                std::vector<Handler> handlers)
      : schema_owner_(schema),
        schema_(*schema.cast<SchemaHandle*>()),
        instance_(std::move(instance)),
        handlers_(std::move(handlers)) {
    for (const Handler& handler : handlers_) {
      const schema::Method& method = *handler.method;
      MethodInfo known{method.name, method.kind, method.idempotent, method.channel, std::nullopt};
      if (method.deadline_ms) known.deadline = std::chrono::milliseconds(*method.deadline_ms);
      methods_.push_back(known);
    }
    info_ = {service.name, methods_, schema::fingerprint(schema_.schema(), service)};
  }

  [[nodiscard]] const ServiceInfo& service_info() const noexcept override { return info_; }
  Status handle_call(std::size_t method, ServerCall& call) override {
    const Handler& handler = handlers_[method];
    if (handler.method->kind == CallKind::kUnary) return handle_unary(handler, call);
    if (handler.method->kind == CallKind::kServerStream) return handle_stream(handler, call);
    return {Code::kUnimplemented, handler.where + ": Python does not serve streams of requests yet"};
  }

 private:
  [[nodiscard]] const schema::Table& table(std::int32_t index) const {
    return schema_.schema().tables[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] py::object invoke(const Handler& handler, Payload request) const {
    const py::object message = unwrap(schema_.decode(table(handler.method->request), request));
    request = Payload();
    const py::object function = borrow(instance_.get()).attr(handler.attribute.c_str());
    py::object result = steal(PyObject_CallOneArg(function.ptr(), message.ptr()));
    if (!result) throw py::error_already_set();
    return result;
  }
  /// What a handler gives and can't be sent is the handler's mistake, not the caller's.
  [[nodiscard]] Payload encode(const Handler& handler, PyObject* message, bool exclusive,
                               Sharing sharing) const {
    try {
      return schema_.encode(table(handler.method->response), message, sharing, exclusive);
    } catch (py::error_already_set& error) {
      const Status answer = status_of(error, handler.where);
      Status internal(Code::kInternal, handler.where + ": " + answer.message());
      raise(internal.with_remote_traceback(answer.remote_type(), answer.remote_traceback()));
    }
  }

  Status handle_unary(const Handler& handler, ServerCall& call) const {
    Result<Payload> request = read_request(call);
    if (!request) return request.error();
    Payload reply;
    Status status = run_python(handler.where, [&] {
      const py::object result = invoke(handler, std::move(*request));
      reply = encode(handler, result.ptr(), Py_REFCNT(result.ptr()) == 1, Sharing::kResult);
    });
    return status.ok() ? call.write_last(std::move(reply)) : status;
  }

  Status handle_stream(const Handler& handler, ServerCall& call) const {
    Result<Payload> request = read_request(call);
    if (!request) return request.error();
    PyObject* items = nullptr;
    Status status = run_python(handler.where, [&] {
      const py::object result = invoke(handler, std::move(*request));
      items = PyObject_GetIter(result.ptr());
      if (items == nullptr) throw py::error_already_set();
    });
    if (!status.ok()) return status;
    return push_items(
        call, items,
        [&](PyObject* item, bool exclusive) {
          return encode(handler, item, exclusive, Sharing::kIfUnchanged);
        },
        handler.where);
  }

  SharedObject schema_owner_;
  SchemaHandle& schema_;
  SharedObject instance_;
  std::vector<Handler> handlers_;
  std::vector<MethodInfo> methods_;
  ServiceInfo info_;
};

}  // namespace

std::shared_ptr<Service> make_schema_service(const py::object& schema, const std::string& service,
                                             py::object instance, const py::list& attributes) {
  const schema::Schema& known = schema.cast<SchemaHandle*>()->schema();
  const schema::Service* found = known.find_service(service);
  if (found == nullptr) throw py::value_error("the schema has no service " + service);
  std::vector<Handler> handlers;
  for (const py::handle each : attributes) {
    const auto [name, attribute] = each.cast<std::pair<std::string, std::string>>();
    const schema::Method* method = found->find(name);
    std::string where(service);
    where.append(".").append(name);
    if (method == nullptr) throw py::value_error("the schema has no method " + where);
    handlers.push_back({method, attribute, std::move(where)});
  }
  return std::make_shared<SchemaService>(schema, *found, std::move(instance), std::move(handlers));
}

}  // namespace leat::python
