#include "object_service.h"

#include <iterator>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "aio_handler.h"
#include "error.h"
#include "gil.h"
#include "handler.h"
#include "value.h"

namespace leat::python {
namespace {

class ObjectService final : public Service, public LoopService {
 public:
  ObjectService(std::string name, py::object object, const MethodLimits& limits)
      : name_(std::move(name)),
        limits_(limits),
        object_(std::move(object)),
        handler_loop_(HandlerLoop::current()) {
    find_coroutines();
    for (const auto& [method, limit] : limits_)
      methods_.push_back({.name = method, .max_inflight = limit, .run_inline = on_loop_.contains(method)});
    info_ = {name_, methods_, {}};
  }

  [[nodiscard]] const ServiceInfo& service_info() const noexcept override { return info_; }
  /// Whether there is such a method is found out in its handler, with the GIL. Those without a limit of their
  /// own are all one to Leat, the last.
  [[nodiscard]] std::optional<std::size_t> find_method(std::string_view method) const noexcept override {
    const auto at = limits_.find(method);
    return at == limits_.end() ? methods_.size()
                               : static_cast<std::size_t>(std::distance(limits_.begin(), at));
  }
  [[nodiscard]] std::string known_methods() const override { return {}; }
  Status handle_call(std::size_t method, ServerCall& call) override;

  // LoopService.
  [[nodiscard]] py::object invoke(std::size_t method, ServerCall& call, const py::object& context,
                                  Payload request) const override;
  [[nodiscard]] Payload encode(std::size_t method, const std::string& where, PyObject* object, bool exclusive,
                               Sharing sharing) const override;
  [[nodiscard]] bool streams(std::size_t method, const ServerCall& call,
                             const py::object& result) const override;
  [[nodiscard]] std::optional<Payload> prelude() const override { return values::items_follow(); }

 private:
  Status answer(Handling& handling, Payload request) const;
  /// A new reference to the bound method. Throws Python's AttributeError as kUnimplemented.
  [[nodiscard]] py::object bound_method(const std::string& name) const;
  /// What is a coroutine by the look of its class goes to the loop from its first call on, and needs no
  /// thread to get there.
  void find_coroutines();
  /// The loop that the method is known to run on; null if it is not.
  [[nodiscard]] Loop loop_of(std::string_view method) const;
  [[nodiscard]] Loop learn_loop_of(std::string_view method) const;

  std::string name_;
  MethodLimits limits_;              // of methods that have one (else 0) or are coroutines
  std::vector<MethodInfo> methods_;  // in the same order
  ServiceInfo info_;
  SharedObject object_;
  std::shared_ptr<HandlerLoop> handler_loop_;
  mutable std::mutex mutex_;
  mutable std::set<std::string, std::less<>> on_loop_;  // methods that are known to run there
};

/// An iterator made by the handler, as against a container, which is a value.
bool is_stream(PyObject* result) { return PyIter_Check(result) != 0 || PyAIter_Check(result) != 0; }
bool streams_requests(CallKind kind) { return kind == CallKind::kBidi || kind == CallKind::kClientStream; }
bool takes_streams(CallKind kind) { return kind == CallKind::kBidi || kind == CallKind::kServerStream; }

Payload encode_object(PyObject* object, bool exclusive, const char* name, Sharing sharing) {
  ValueEncoder encoder(sharing);
  encoder.value(object, name, exclusive);
  return std::move(encoder).finish();
}

[[noreturn]] void refuse(const Status& status) { raise(status); }

/// The caller's arguments were right: what can't be sent is not an invalid_argument.
Payload encode_result(PyObject* object, bool exclusive, const std::string& where) {
  try {
    return encode_object(object, exclusive, "result", Sharing::kResult);
  } catch (py::error_already_set& error) {
    const Status answer = status_of(error, where);
    Status internal(Code::kInternal, where + ": " + answer.message());
    refuse(internal.with_remote_traceback(answer.remote_type(), answer.remote_traceback()));
  }
}

Status ObjectService::handle_call(std::size_t /*method*/, ServerCall& call) {
  Result<Payload> request = read_request(call);
  if (!request) return request.error();
  std::string where = name_ + "." + std::string(call.method());
  if (const Loop loop = loop_of(call.method()))
    return answer_on_loop(call, {this, 0, std::move(where), std::move(*request)}, loop);
  Handling handling(call, std::move(where));
  return handling.conclude(answer(handling, std::move(*request)));
}

Status ObjectService::answer(Handling& handling, Payload request) const {
  ServerCall& call = handling.call();
  const std::string& where = handling.where();
  Payload reply;
  PyObject* items = nullptr;
  Loop loop;
  std::shared_ptr<LoopQueue::Item> later;
  Status status = handling.run([&] {
    py::object result = invoke(0, call, handling.context(), std::exchange(request, {}));
    if (is_for_loop(result.ptr())) {
      loop = learn_loop_of(call.method());
      later = prepare_for_loop({this, 0, where, {}}, loop, handling.hand_over(), std::move(result));
      return;
    }
    if (streams(0, call, result)) {
      items = result.release().ptr();
      note_reply(handling.context());
      return;
    }
    reply = encode_result(result.ptr(), Py_REFCNT(result.ptr()) == 1, where);
    result = py::object();
    handling.done();
  });
  if (!status.ok()) return status;
  if (loop) {
    if (!later) return not_for_loop(where);
    loop.queue->push(std::move(later));
    return {};
  }
  if (items == nullptr) return call.write_last(std::move(reply));
  // Said before the first item is asked for; a failure shows again with the first item.
  (void)call.write(values::items_follow());
  return handling.push_items(items, [](PyObject* item, bool exclusive) {
    return encode_object(item, exclusive, "item", Sharing::kIfUnchanged);
  });
}

void ObjectService::find_coroutines() {
  const py::object type = borrow(reinterpret_cast<PyObject*>(Py_TYPE(object_.get())));
  const py::object names = steal(PyObject_Dir(type.ptr()));
  if (!names) throw py::error_already_set();
  for (const py::handle name : names) {
    PyObject* found = _PyType_Lookup(Py_TYPE(object_.get()), name.ptr());
    std::string method = py::str(name);
    if (found == nullptr || method.empty() || method.front() == '_') continue;
    const py::object function = py::getattr(found, "__func__", borrow(found));  // of a staticmethod
    if (PyCallable_Check(function.ptr()) == 0 || !is_async(function)) continue;
    limits_.try_emplace(method, 0U);
    on_loop_.insert(std::move(method));
  }
  if (!on_loop_.empty()) (void)handler_loop_->get();
}

Loop ObjectService::loop_of(std::string_view method) const {
  const std::lock_guard lock(mutex_);
  return on_loop_.contains(method) ? handler_loop_->known() : Loop();
}

/// A method that has just given something for a loop.
Loop ObjectService::learn_loop_of(std::string_view method) const {
  std::string name(method);
  const bool always = is_async(bound_method(name));  // as against a function that happened to return it
  Loop loop = handler_loop_->get();
  const ReleaseGil released;
  const std::lock_guard lock(mutex_);
  if (always) on_loop_.insert(std::move(name));
  return loop;
}

bool ObjectService::streams(std::size_t /*method*/, const ServerCall& call, const py::object& result) const {
  if (!is_stream(result.ptr())) return false;
  if (!takes_streams(call.kind()))
    refuse({Code::kFailedPrecondition,
            name_ + "." + std::string(call.method()) + " answers with a stream; call it as a server stream"});
  return true;
}

Payload ObjectService::encode(std::size_t /*method*/, const std::string& where, PyObject* object,
                              bool exclusive, Sharing sharing) const {
  return sharing == Sharing::kResult ? encode_result(object, exclusive, where)
                                     : encode_object(object, exclusive, "item", sharing);
}

py::object ObjectService::invoke(std::size_t /*method*/, ServerCall& call, const py::object& context,
                                 Payload request) const {
  const py::object function = bound_method(std::string(call.method()));
  const auto decode_item = [](const Payload& item) { return unwrap(decode_value(item)); };
  const auto requests = [&] { return make_requests(context, decode_item); };
  const py::object decoded =
      unwrap(streams_requests(call.kind()) ? decode_value(request, requests) : decode_value(request));
  PyObject* both = decoded.ptr();
  if (PyList_CheckExact(both) == 0 || PyList_GET_SIZE(both) != 2 ||
      PyList_CheckExact(PyList_GET_ITEM(both, 0)) == 0 || PyDict_CheckExact(PyList_GET_ITEM(both, 1)) == 0)
    refuse({Code::kInvalidArgument, "the request is not a list of arguments and a dictionary of named ones"});
  PyObject* args = PyList_GET_ITEM(both, 0);
  PyObject* kwargs = PyList_GET_ITEM(both, 1);
  PyObject* const* items = reinterpret_cast<PyListObject*>(args)->ob_item;
  py::object result =
      steal(PyObject_VectorcallDict(function.ptr(), items, static_cast<std::size_t>(PyList_GET_SIZE(args)),
                                    PyDict_Size(kwargs) == 0 ? nullptr : kwargs));
  if (!result) throw py::error_already_set();
  return result;
}

py::object ObjectService::bound_method(const std::string& name) const {
  const py::object key = py::str(name);
  PyObject* defined =
      name.empty() || name.front() == '_' ? nullptr : _PyType_Lookup(Py_TYPE(object_.get()), key.ptr());
  // Only what the class defines, and nested classes are no methods.
  if (defined != nullptr && PyType_Check(defined) == 0) {
    py::object bound = steal(PyObject_GetAttr(object_.get(), key.ptr()));
    if (!bound) throw py::error_already_set();
    if (PyCallable_Check(bound.ptr()) != 0) return bound;
  }
  py::module_::import("leat._errors").attr("raise_no_method")(py::handle(object_.get()), name_, name);
  throw py::error_already_set();  // not reached
}

}  // namespace

std::shared_ptr<Service> make_object_service(std::string name, py::object object,
                                             const MethodLimits& limits) {
  return std::make_shared<ObjectService>(std::move(name), std::move(object), limits);
}

}  // namespace leat::python
