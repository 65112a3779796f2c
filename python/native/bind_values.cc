// Values without a schema as bytes, for tests and for programs that store them.
#include <string>
#include <utility>
#include <vector>

#include <pybind11/stl.h>

#include "bindings.h"
#include "error.h"
#include "value.h"

namespace leat::python {
namespace {

Buffer buffer_of(const py::bytes& bytes) { return Buffer::copy(std::string_view(bytes)); }

py::tuple encode_value(const py::object& object) {
  ValueEncoder encoder(Sharing::kAlways);
  encoder.value(object.ptr(), "value");
  const Payload payload = std::move(encoder).finish();
  py::list attachments;
  for (const Buffer& attachment : payload.attachments)
    attachments.append(py::bytes(attachment.text().data(), attachment.size()));
  return py::make_tuple(py::bytes(payload.head.text().data(), payload.head.size()), attachments);
}

py::object decode(const py::bytes& head, const std::vector<py::bytes>& attachments) {
  Payload payload{Codec::kMessagePack, buffer_of(head), {}};
  for (const py::bytes& attachment : attachments) payload.attachments.push_back(buffer_of(attachment));
  return unwrap(decode_value(payload));
}

}  // namespace

void bind_values(py::module_& module) {
  module.def("encode_value", &encode_value, py::arg("value"), py::pos_only());
  module.def("decode_value", &decode, py::arg("head"), py::arg("attachments") = std::vector<py::bytes>(),
             py::pos_only());
}

}  // namespace leat::python
