#include "object_method.h"

#include <utility>
#include <vector>

#include "error.h"
#include "value.h"

namespace leat::python {
namespace {

class ObjectMethod final : public Method {
 public:
  ObjectMethod(std::string object, std::string method)
      : object_(std::move(object)), method_(std::move(method)) {}

  [[nodiscard]] MethodRef ref() const noexcept override {
    MethodRef ref;
    ref.service = object_;
    ref.method = method_;
    ref.kind = CallKind::kServerStream;
    ref.mostly_one_reply = true;
    return ref;
  }
  [[nodiscard]] std::string where() const override { return object_ + "." + method_; }
  [[nodiscard]] Payload encode(PyObject* request, Sharing sharing, bool exclusive) const override {
    ValueEncoder encoder(sharing);
    encoder.value(request, "item", exclusive);
    return std::move(encoder).finish();
  }
  [[nodiscard]] py::object decode(const Payload& reply) const override {
    Result<py::object> value = decode_value(reply);
    if (!value)
      raise(Status(Code::kInternal, value.error().message())
                .with_context("the reply of " + where() + " can't be read"));
    return std::move(*value);
  }
  [[nodiscard]] py::object decode_request(const Payload& request, bool first) const override {
    if (!first) return unwrap(decode_value(request));
    const auto interceptors = py::module_::import("leat.interceptors");
    const py::object both = unwrap(decode_value(request, [&] { return interceptors.attr("STREAM"); }));
    return interceptors.attr("Arguments")(*both);
  }
  [[nodiscard]] Payload encode_request(PyObject* request, bool first) const override {
    if (!first) return encode(request, Sharing::kIfUnchanged, false);
    const py::tuple both(borrow(request));
    if (both.size() != 2 || PyDict_Check(both[1].ptr()) == 0)
      throw py::type_error("the request of " + where() + " is leat.interceptors.Arguments(args, kwargs)");
    std::vector<PyObject*> values;
    const py::list args(both[0]);
    const py::dict kwargs(both[1]);
    for (const py::handle each : args) values.push_back(each.ptr());
    const py::tuple names(kwargs.attr("keys")());
    for (const py::handle name : names) values.push_back(py::object(kwargs[name]).ptr());
    ValueEncoder encoder(Sharing::kIfUnchanged);
    encoder.call(values.data(), args.size(), names.ptr());
    return std::move(encoder).finish();
  }
  [[nodiscard]] Payload encode_reply(PyObject* reply) const override {
    ValueEncoder encoder(Sharing::kIfUnchanged);
    encoder.value(reply, "reply");
    return std::move(encoder).finish();
  }
  [[nodiscard]] bool may_answer_with_stream() const noexcept override { return true; }

 private:
  std::string object_;
  std::string method_;
};

}  // namespace

std::shared_ptr<const Method> make_object_method(std::string object, std::string method) {
  return std::make_shared<ObjectMethod>(std::move(object), std::move(method));
}

}  // namespace leat::python
