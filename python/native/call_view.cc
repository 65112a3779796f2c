#include "call_view.h"

#include <array>
#include <string_view>
#include <utility>

#include "bindings.h"
#include "options.h"

namespace leat::python {
namespace {

std::string kind_name(CallKind kind) {
  constexpr std::array<const char*, 4> kNames = {"unary", "server_stream", "client_stream", "bidi"};
  return kNames.at(static_cast<std::size_t>(kind));
}

}  // namespace

// ---- metadata

const py::dict& MetadataView::dict() {
  if (!dict_) dict_ = metadata_ == nullptr ? py::dict() : from_metadata(*metadata_);
  return *dict_;
}

void MetadataView::commit() {
  if (!dict_ || metadata_ == nullptr) return;
  const py::dict before = from_metadata(*metadata_);
  if (before.equal(*dict_)) return;
  const Metadata after = to_metadata(*dict_);  // refused before anything is changed
  for (const auto& [key, value] : before) {
    if (!dict_->contains(key)) metadata_->remove(key.cast<std::string>());
  }
  for (const auto& [key, value] : after.entries()) {
    const py::str name(key);
    if (before.contains(name) && before[name].equal((*dict_)[name])) continue;
    metadata_->set(key, value);
  }
}

// ---- the call

CallView::CallView(CallDetails& details)
    : details_(&details),
      side_(side_name(details.side)),
      service_(details.service),
      method_(details.method),
      kind_(kind_name(details.kind)),
      peer_(details.peer),
      timeout_(details.timeout),
      metadata_(details.metadata) {}

py::object CallView::timeout() const {
  return timeout_ ? py::object(py::float_(to_seconds(*timeout_))) : py::none();
}

void CallView::set_timeout(const py::object& seconds) {
  if (details_ == nullptr || !starting_) throw py::attribute_error("a call's timeout is set in on_start()");
  if (details_->side == Side::kServer)
    throw py::attribute_error("the time that a call may take is its caller's to set");
  timeout_ = to_duration(seconds, "timeout");
}

void CallView::started() {
  starting_ = false;
  metadata_.commit();
  if (details_->side == Side::kClient) details_->timeout = timeout_;
}

void CallView::ended() noexcept {
  details_ = nullptr;
  metadata_.leave();
}

// ---- messages

Payload& MessageView::payload() const {
  if (payload_ == nullptr) throw std::runtime_error("a message can be read and replaced while its hook runs");
  return *payload_;
}

void MessageView::check_schema() const {
  if (payload_->codec == Codec::kFlatBuffers && method_->may_answer_with_stream())
    throw py::value_error("nothing here knows the schema of " + method_->where());
}

py::object MessageView::value() {
  if (value_) return *value_;
  const Payload& message = payload();
  if (message.codec == Codec::kRaw) {
    value_ = py::bytes(message.head.text());
  } else {
    check_schema();
    value_ = request_ ? method_->decode_request(message, first_) : method_->decode(message);
  }
  return *value_;
}

void MessageView::set_value(py::object value) {
  Payload& message = payload();
  if (message.codec == Codec::kRaw) {
    if (PyBytes_Check(value.ptr()) == 0) throw py::type_error("a message without a codec is bytes");
    message = {Codec::kRaw, Buffer::copy(value.cast<std::string_view>()), {}};
  } else {
    check_schema();
    message = request_ ? method_->encode_request(value.ptr(), first_) : method_->encode_reply(value.ptr());
  }
  value_ = std::move(value);
}

void bind_call_view(py::module_& module) {
  py::class_<CallView>(module, "CallDetails", py::dynamic_attr())
      .def_property_readonly("side", &CallView::side)
      .def_property_readonly("service", &CallView::service)
      .def_property_readonly("method", &CallView::method)
      .def_property_readonly("kind", &CallView::kind)
      .def_property_readonly("peer", &CallView::peer)
      .def_property_readonly("metadata", &CallView::metadata)
      .def_property("timeout", &CallView::timeout, &CallView::set_timeout)
      .def("__repr__", [](const CallView& self) {
        return "<" + self.side() + " call of " + self.service() + "." + self.method() + ">";
      });
  py::class_<MessageView>(module, "Message")
      .def_property("value", &MessageView::value, &MessageView::set_value)
      .def_property_readonly("nbytes", &MessageView::size);
}

}  // namespace leat::python
