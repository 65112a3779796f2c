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

#include "bindings.h"
#include "call.h"
#include "error.h"
#include "gil.h"
#include "peer.h"
#include "schema_handle.h"

namespace leat::python {
namespace {

/// A method of a service, ready to be called on any peer.
struct SchemaMethod {
  py::object owner;  ///< keeps `schema` alive
  SchemaHandle* schema = nullptr;
  const schema::Service* service = nullptr;
  const schema::Method* method = nullptr;

  [[nodiscard]] const schema::Table& request() const {
    return schema->schema().tables[static_cast<std::size_t>(method->request)];
  }
  [[nodiscard]] const schema::Table& response() const {
    return schema->schema().tables[static_cast<std::size_t>(method->response)];
  }
  [[nodiscard]] std::string where() const { return service->name + "." + method->name; }
};

py::object decode_reply(const SchemaMethod& self, const Payload& payload) {
  Result<py::object> message = self.schema->decode(self.response(), payload);
  if (!message)
    raise(Status(Code::kInternal, message.error().message())
              .with_context("the reply of " + self.where() + " can't be read"));
  return std::move(*message);
}

py::object call(const SchemaMethod& self, const PeerHandle& peer, const py::object& request,
                const py::object& timeout, const py::object& channel, const py::object& metadata) {
  drop_put_aside();
  const CallOptions options{to_duration(timeout, "timeout"), to_metadata(metadata), to_channel(channel)};
  MethodRef method;
  method.service = self.service->name;
  method.method = self.method->name;
  method.kind = self.method->kind;
  method.idempotent = self.method->idempotent;
  method.channel = self.method->channel;
  if (self.method->deadline_ms) method.deadline = std::chrono::milliseconds(*self.method->deadline_ms);
  Payload payload = self.schema->encode(self.request(), request.ptr(), Sharing::kAlways, false);
  if (self.method->kind == CallKind::kUnary)
    return decode_reply(self, call_unary(*peer.peer().caller(), method, std::move(payload), options));
  if (self.method->kind != CallKind::kServerStream)
    raise({Code::kUnimplemented, self.where() + ": Python does not send streams of requests yet"});
  auto started = start_call(*peer.peer().caller(), method, std::move(payload), options);
  return py::cast(std::make_unique<ItemStream>(
      std::move(started), [self](const Payload& item) { return decode_reply(self, item); }));
}

SchemaMethod find_method(const py::object& self, const std::string& service, const std::string& method) {
  auto* handle = self.cast<SchemaHandle*>();
  const schema::Service* found = handle->schema().find_service(service);
  const schema::Method* declared = found == nullptr ? nullptr : found->find(method);
  if (declared == nullptr) throw py::value_error("the schema has no method " + service + "." + method);
  return {self, handle, found, declared};
}

const schema::Table& find_table(const SchemaHandle& self, const std::string& name) {
  const schema::Table* table = self.schema().find_table(name);
  if (table == nullptr) throw py::value_error("the schema has no table " + name);
  return *table;
}

py::tuple encode_message(SchemaHandle& self, const std::string& table, const py::object& message) {
  const Payload payload = self.encode(find_table(self, table), message.ptr(), Sharing::kAlways, false);
  py::list attachments;
  for (const Buffer& attachment : payload.attachments)
    attachments.append(py::bytes(attachment.text().data(), attachment.size()));
  return py::make_tuple(py::bytes(payload.head.text().data(), payload.head.size()), attachments);
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

void bind_schema(py::module_& module) {
  module.attr("VERSION") = LEAT_VERSION;
  module.def("compile_python", &compile_python, py::arg("path"), py::arg("directories"));
  py::class_<SchemaMethod>(module, "SchemaMethod")
      .def("call", &call, py::arg("peer"), py::arg("request"), py::arg("timeout"), py::arg("channel"),
           py::arg("metadata"))
      .def("kind", [](const SchemaMethod& self) { return static_cast<int>(self.method->kind); });
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
