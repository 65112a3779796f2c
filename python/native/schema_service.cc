#include "schema_service.h"

#include <utility>
#include <vector>

#include "aio_handler.h"
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
  bool on_loop = false;  // it is a coroutine or an asynchronous generator

  [[nodiscard]] bool streams_requests() const {
    return method->kind == CallKind::kClientStream || method->kind == CallKind::kBidi;
  }
  [[nodiscard]] bool streams_replies() const {
    return method->kind == CallKind::kServerStream || method->kind == CallKind::kBidi;
  }
};

class SchemaService final : public Service, public LoopService {
 public:
  SchemaService(const py::object& schema, const schema::Service& service, py::object instance,
                std::vector<Handler> handlers, const MethodLimits& limits)
      : schema_owner_(schema),
        schema_(*schema.cast<SchemaHandle*>()),
        instance_(std::move(instance)),
        handlers_(std::move(handlers)),
        handler_loop_(HandlerLoop::current()) {
    for (Handler& handler : handlers_) {
      handler.on_loop = is_async(py::getattr(instance_.get(), handler.attribute.c_str(), py::none()));
      if (handler.on_loop) (void)handler_loop_->get();
      const schema::Method& method = *handler.method;
      MethodInfo known{method.name, method.kind, method.idempotent, method.channel, std::nullopt};
      if (method.deadline_ms) known.deadline = std::chrono::milliseconds(*method.deadline_ms);
      const auto limit = limits.find(handler.attribute);
      known.max_inflight = limit == limits.end()
                               ? method.max_inflight.value_or(0)
                               : limit->second;  // `inline` is not for handlers that want the GIL
      known.run_inline = handler.on_loop;        // which takes no time here
      methods_.push_back(known);
    }
    info_ = {service.name, methods_, schema::fingerprint(schema_.schema(), service)};
  }

  [[nodiscard]] const ServiceInfo& service_info() const noexcept override { return info_; }
  Status handle_call(std::size_t method, ServerCall& call) override {
    const Handler& handler = handlers_[method];
    Payload request;
    if (!handler.streams_requests()) {
      Result<Payload> read = read_request(call);
      if (!read) return read.error();
      request = std::move(*read);
    }
    if (handler.on_loop)
      return answer_on_loop(call, {this, method, handler.where, std::move(request)}, handler_loop_->known());
    Handling handling(call, handler.where);
    Status status = handler.streams_replies() ? answer_with_stream(method, handling, std::move(request))
                                              : answer(method, handling, std::move(request));
    return handling.conclude(std::move(status));
  }

  // LoopService.

  [[nodiscard]] py::object invoke(std::size_t method, ServerCall& /*call*/, const py::object& context,
                                  Payload request) const override {
    const Handler& handler = handlers_[method];
    const py::object argument =
        handler.streams_requests()
            ? make_requests(context, [this, &handler](const Payload& item) { return decode(handler, item); })
            : decode(handler, request);
    request = Payload();
    const py::object function = borrow(instance_.get()).attr(handler.attribute.c_str());
    py::object result = steal(PyObject_CallOneArg(function.ptr(), argument.ptr()));
    if (!result) throw py::error_already_set();
    return result;
  }
  /// What a handler gives and can't be sent is the handler's mistake, not the caller's.
  [[nodiscard]] Payload encode(std::size_t method, const std::string& where, PyObject* message,
                               bool exclusive, Sharing sharing) const override {
    try {
      return schema_.encode(table(handlers_[method].method->response), message, sharing, exclusive);
    } catch (py::error_already_set& error) {
      const Status answer = status_of(error, where);
      Status internal(Code::kInternal, where + ": " + answer.message());
      raise(internal.with_remote_traceback(answer.remote_type(), answer.remote_traceback()));
    }
  }
  [[nodiscard]] bool streams(std::size_t method, const ServerCall& /*call*/,
                             const py::object& /*result*/) const override {
    return handlers_[method].streams_replies();
  }
  [[nodiscard]] std::optional<Payload> prelude() const override { return std::nullopt; }

 private:
  [[nodiscard]] const schema::Table& table(std::int32_t index) const {
    return schema_.schema().tables[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] py::object decode(const Handler& handler, const Payload& request) const {
    return unwrap(schema_.decode(table(handler.method->request), request));
  }
  /// Inside run(): whether a loop goes on with what the handler has returned.
  bool for_loop(std::size_t method, Handling& handling, py::object& result,
                std::shared_ptr<LoopQueue::Item>& later) const {
    if (!is_for_loop(result.ptr())) return false;
    later = prepare_for_loop({this, method, handling.where(), {}}, handler_loop_->get(), handling.hand_over(),
                             std::move(result));
    if (!later) raise(not_for_loop(handling.where()));
    return true;
  }
  Status push(std::shared_ptr<LoopQueue::Item> later) const {
    handler_loop_->known().queue->push(std::move(later));
    return {};
  }

  Status answer(std::size_t method, Handling& handling, Payload request) const {
    Payload reply;
    std::shared_ptr<LoopQueue::Item> later;
    Status status = handling.run([&] {
      {
        py::object result = invoke(method, handling.call(), handling.context(), std::move(request));
        if (for_loop(method, handling, result, later)) return;
        reply =
            encode(method, handling.where(), result.ptr(), Py_REFCNT(result.ptr()) == 1, Sharing::kResult);
      }
      handling.done();
    });
    if (!status.ok()) return status;
    return later ? push(std::move(later)) : handling.call().write_last(std::move(reply));
  }

  Status answer_with_stream(std::size_t method, Handling& handling, Payload request) const {
    PyObject* items = nullptr;
    std::shared_ptr<LoopQueue::Item> later;
    Status status = handling.run([&] {
      py::object result = invoke(method, handling.call(), handling.context(), std::move(request));
      if (for_loop(method, handling, result, later)) return;
      items = PyObject_GetIter(result.ptr());
      if (items == nullptr) throw py::error_already_set();
    });
    if (!status.ok()) return status;
    if (later) return push(std::move(later));
    return handling.push_items(items, [this, method, &handling](PyObject* item, bool exclusive) {
      return encode(method, handling.where(), item, exclusive, Sharing::kIfUnchanged);
    });
  }

  SharedObject schema_owner_;
  SchemaHandle& schema_;
  SharedObject instance_;
  std::vector<Handler> handlers_;
  std::shared_ptr<HandlerLoop> handler_loop_;
  std::vector<MethodInfo> methods_;
  ServiceInfo info_;
};

}  // namespace

std::shared_ptr<Service> make_schema_service(const py::object& schema, const std::string& service,
                                             py::object instance, const py::list& attributes,
                                             const MethodLimits& limits) {
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
  return std::make_shared<SchemaService>(schema, *found, std::move(instance), std::move(handlers), limits);
}

}  // namespace leat::python
