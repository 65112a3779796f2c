// Schemas, and calls to the methods that they declare.
#include <memory>
#include <string>
#include <utility>

#include <pybind11/stl.h>

#ifdef LEAT_WITH_COMPILER
#include <leat/schema/compile.h>

#include "schema/compiler/generate.h"
#endif
#include <leat/schema/load.h>

#include "aio_call.h"
#include "bindings.h"
#include "call.h"
#include "caller.h"
#include "error.h"
#include "future.h"
#include "gil.h"
#include "method.h"
#include "options.h"
#include "schema_handle.h"
#include "schema_method.h"
#include "value.h"

namespace leat::python {
namespace {

/// A method of a service of a schema.
class SchemaMethod final : public Method {
 public:
  SchemaMethod(py::object owner, SchemaHandle& schema, const schema::Service& service,
               const schema::Method& method)
      : owner_(std::move(owner)), schema_(schema), service_(service), method_(method) {}

  [[nodiscard]] MethodRef ref() const noexcept override {
    MethodRef ref;
    ref.service = service_.name;
    ref.method = method_.name;
    ref.kind = method_.kind;
    ref.idempotent = method_.idempotent;
    ref.channel = method_.channel;
    if (method_.deadline_ms) ref.deadline = std::chrono::milliseconds(*method_.deadline_ms);
    return ref;
  }
  [[nodiscard]] std::string where() const override { return service_.name + "." + method_.name; }
  [[nodiscard]] Payload encode(PyObject* request, Sharing sharing, bool exclusive) const override {
    return schema_.encode(table(method_.request), request, sharing, exclusive);
  }
  [[nodiscard]] py::object decode(const Payload& reply) const override {
    Result<py::object> message = schema_.decode(table(method_.response), reply);
    if (!message)
      raise(Status(Code::kInternal, message.error().message())
                .with_context("the reply of " + where() + " can't be read"));
    return std::move(*message);
  }
  [[nodiscard]] py::object decode_request(const Payload& request, bool /*first*/) const override {
    return unwrap(schema_.decode(table(method_.request), request));
  }
  [[nodiscard]] Payload encode_request(PyObject* request, bool /*first*/) const override {
    return encode(request, Sharing::kIfUnchanged, false);
  }
  [[nodiscard]] Payload encode_reply(PyObject* reply) const override {
    return schema_.encode(table(method_.response), reply, Sharing::kIfUnchanged, false);
  }
  [[nodiscard]] bool may_answer_with_stream() const noexcept override { return false; }

  /// `request` is a message, or for methods that stream their requests an iterable of them or None. With
  /// Sharing::kAlways the caller waits until the call is over.
  [[nodiscard]] Arguments arguments(const py::object& request, Sharing sharing) const {
    Arguments arguments;
    arguments.kind = method_.kind;
    if (method_.kind == CallKind::kUnary || method_.kind == CallKind::kServerStream) {
      arguments.first = encode(request.ptr(), sharing, false);
    } else if (PyList_CheckExact(request.ptr()) != 0 || PyTuple_CheckExact(request.ptr()) != 0) {
      arguments.requests = request;
    } else if (!request.is_none()) {
      arguments.requests = steal(PyObject_GetIter(request.ptr()));
      if (!arguments.requests) {
        PyErr_Clear();
        throw py::type_error(where() + " takes an iterable of requests, got " + describe_type(request.ptr()));
      }
    }
    return arguments;
  }
  /// The same for calls on an event loop, where the iterable may be an asynchronous one.
  [[nodiscard]] Arguments arguments_on_loop(const py::object& request) const {
    if (method_.kind == CallKind::kUnary || method_.kind == CallKind::kServerStream || request.is_none())
      return arguments(request, Sharing::kIfUnchanged);
    Arguments arguments;
    arguments.kind = method_.kind;
    arguments.requests = request;
    if (!py::hasattr(request, "__aiter__") && !py::hasattr(request, "__iter__"))
      throw py::type_error(where() + " takes an iterable of requests, or an asynchronous one, got " +
                           describe_type(request.ptr()));
    return arguments;
  }

 private:
  [[nodiscard]] const schema::Table& table(std::int32_t index) const {
    return schema_.schema().tables[static_cast<std::size_t>(index)];
  }

  SharedObject owner_;  // keeps the rest alive
  SchemaHandle& schema_;
  const schema::Service& service_;
  const schema::Method& method_;
};

/// What several calls have in common.
struct Options {
  CallOptions options;
};

Target make_target(const std::shared_ptr<SchemaMethod>& self, const CallerHandle& caller,
                   const Options* options, const py::object& timeout) {
  Target target = caller.target(self, options == nullptr ? caller.calls() : options->options);
  if (!timeout.is_none()) target.options.timeout = to_timeout(timeout);
  return target;
}

py::object call(const std::shared_ptr<SchemaMethod>& self, const CallerHandle& caller,
                const py::object& request, const Options* options, const py::object& timeout) {
  drop_put_aside();
  Arguments arguments = self->arguments(request, Sharing::kAlways);
  // A list that is read while replies are must not keep them waiting.
  if (arguments.kind == CallKind::kBidi && arguments.requests)
    arguments.requests = steal(PyObject_GetIter(arguments.requests.ptr()));
  return call_and_wait(make_target(self, caller, options, timeout), std::move(arguments));
}

/// For calls that are not waited for, which need an answer to bring in the end.
Arguments later_arguments(const SchemaMethod& self, const py::object& request, const char* form) {
  drop_put_aside();
  const CallKind kind = self.ref().kind;
  if (kind == CallKind::kServerStream || kind == CallKind::kBidi)
    throw py::type_error(self.where() + " answers with a stream: call it and iterate, without " + form);
  if (kind == CallKind::kClientStream && request.is_none())
    throw py::type_error(self.where() + " streams its requests: " + form + " takes an iterable of them");
  Arguments arguments = self.arguments(request, Sharing::kIfUnchanged);
  if (arguments.requests) arguments.requests = steal(PyObject_GetIter(arguments.requests.ptr()));
  return arguments;
}

py::object future(const std::shared_ptr<SchemaMethod>& self, const CallerHandle& caller,
                  const py::object& request, const Options* options, const py::object& timeout) {
  return call_later(make_target(self, caller, options, timeout), later_arguments(*self, request, "future()"));
}

void oneway(const std::shared_ptr<SchemaMethod>& self, const CallerHandle& caller, const py::object& request,
            const Options* options, const py::object& timeout) {
  call_oneway(make_target(self, caller, options, timeout), later_arguments(*self, request, "oneway()"));
}

/// On an event loop: what is awaited, or what streams.
py::object call_awaited(const std::shared_ptr<SchemaMethod>& self, const AioCaller& caller,
                        const py::object& request, const Options* options, const py::object& timeout) {
  drop_put_aside();
  const Target target = make_target(self, caller, options, timeout);
  Arguments arguments = self->arguments_on_loop(request);
  const bool one_answer =
      arguments.kind == CallKind::kUnary || (arguments.kind == CallKind::kClientStream && arguments.requests);
  return one_answer ? call_on_loop(target, std::move(arguments), caller.loop())
                    : stream_on_loop(target, std::move(arguments), caller.loop());
}

void oneway_awaited(const std::shared_ptr<SchemaMethod>& self, const AioCaller& caller,
                    const py::object& request, const Options* options, const py::object& timeout) {
  oneway_on_loop(make_target(self, caller, options, timeout), later_arguments(*self, request, "oneway()"),
                 caller.loop());
}

std::shared_ptr<SchemaMethod> find_method(const py::object& self, const std::string& service,
                                          const std::string& method) {
  auto* handle = self.cast<SchemaHandle*>();
  const schema::Service* found = handle->schema().find_service(service);
  const schema::Method* declared = found == nullptr ? nullptr : found->find(method);
  if (declared == nullptr) throw py::value_error("the schema has no method " + service + "." + method);
  return std::make_shared<SchemaMethod>(self, *handle, *found, *declared);
}

const schema::Table& find_table(const SchemaHandle& self, const std::string& name) {
  const schema::Table* table = self.schema().find_table(name);
  if (table == nullptr) throw py::value_error("the schema has no table " + name);
  return *table;
}

py::tuple encode_message(SchemaHandle& self, const std::string& table, const py::object& message) {
  const Payload payload = self.encode(find_table(self, table), message.ptr(), Sharing::kAlways, false);
  py::list attachments;
  for (const Buffer& attachment : payload.attachments) attachments.append(py::bytes(attachment.text()));
  return py::make_tuple(py::bytes(payload.head.text()), attachments);
}

py::object decode_message(SchemaHandle& self, const std::string& table, const py::bytes& head,
                          const std::vector<py::bytes>& attachments) {
  Payload payload{Codec::kFlatBuffers, Buffer::copy(std::string_view(head)), {}};
  for (const py::bytes& attachment : attachments)
    payload.attachments.push_back(Buffer::copy(std::string_view(attachment)));
  return unwrap(self.decode(find_table(self, table), payload));
}

/// What leatc would write, and the files that it includes.
std::pair<std::vector<std::string>, std::string> compile_python(const std::string& path,
                                                                const std::vector<std::string>& directories) {
#ifdef LEAT_WITH_COMPILER
  schema::CompileOptions options;
  options.include_directories.assign(directories.begin(), directories.end());
  options.check_python_names = true;
  const auto compiled = unwrap(schema::compile(path, options));
  std::vector<std::string> includes;
  for (const std::string& file : compiled->includes)
    if (!file.ends_with("leat/leat.fbs")) includes.push_back(file);
  return {std::move(includes), schema::generate_python(*compiled)};
#else
  (void)path, (void)directories;
  raise({Code::kUnimplemented, "this build of leat has no schema compiler; generate the code with leatc"});
#endif
}

}  // namespace

std::shared_ptr<const Method> make_schema_method(const py::object& schema, const std::string& service,
                                                 const std::string& method) {
  return find_method(schema, service, method);
}

void bind_schema(py::module_& module) {
  module.attr("VERSION") = LEAT_VERSION;
  module.def("compile_python", &compile_python, py::arg("path"), py::arg("directories"));
  py::class_<Options>(module, "Options")
      .def(py::init([](const CallerHandle& caller, const Options* base, const py::kwargs& changes) {
             const py::tuple nothing(0);
             return std::make_unique<Options>(Options{with_options(
                 base == nullptr ? caller.calls() : base->options, nothing.ptr(), changes.ptr())});
           }),
           py::arg("caller"), py::arg("base").none(true));
  py::class_<SchemaMethod, std::shared_ptr<SchemaMethod>>(module, "SchemaMethod")
      .def("call", &call, py::arg("caller"), py::arg("request"), py::arg("options").none(true),
           py::arg("timeout"))
      .def("future", &future, py::arg("caller"), py::arg("request"), py::arg("options").none(true),
           py::arg("timeout"))
      .def("oneway", &oneway, py::arg("caller"), py::arg("request"), py::arg("options").none(true),
           py::arg("timeout"))
      .def("call_awaited", &call_awaited, py::arg("caller"), py::arg("request"),
           py::arg("options").none(true), py::arg("timeout"))
      .def("oneway_awaited", &oneway_awaited, py::arg("caller"), py::arg("request"),
           py::arg("options").none(true), py::arg("timeout"))
      .def("kind", [](const SchemaMethod& self) { return static_cast<int>(self.ref().kind); });
  py::class_<SchemaHandle>(module, "Schema")
      .def(py::init([](const py::bytes& descriptor, py::object find_class) {
             auto loaded = unwrap(schema::load(as_bytes(std::string_view(descriptor))));
             return std::make_unique<SchemaHandle>(std::move(loaded), std::move(find_class));
           }),
           py::arg("descriptor"), py::arg("find_class"))
      .def("method", &find_method, py::arg("service"), py::arg("method"))
      .def("encode", &encode_message, py::arg("table"), py::arg("message"))
      .def("decode", &decode_message, py::arg("table"), py::arg("head"), py::arg("attachments"));
}

}  // namespace leat::python
