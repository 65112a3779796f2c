#include "interceptor.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "call_view.h"
#include "context.h"
#include "error.h"
#include "object_method.h"
#include "schema/dynamic/value_writer.h"
#include "schema_method.h"

namespace leat::python {
namespace {

enum class Hook : std::uint8_t { kStart, kSend, kReceive, kHeaders, kEnd };
constexpr std::array<const char*, 5> kHookNames = {"on_start", "on_send", "on_receive", "on_headers",
                                                   "on_end"};

/// A Python interceptor, and which hooks its class defines. Immutable; may go without the GIL.
struct Definition {
  std::string name;
  std::array<std::unique_ptr<SharedObject>, kHookNames.size()> hooks;  ///< bound methods; null: not defined
  std::shared_ptr<const ServedSchemas> served;

  [[nodiscard]] PyObject* operator[](Hook hook) const noexcept {
    const auto& found = hooks[static_cast<std::size_t>(hook)];
    return found ? found->get() : nullptr;
  }
  [[nodiscard]] bool defines(Hook hook) const noexcept { return (*this)[hook] != nullptr; }
};

/// An error that is on its way while a hook runs.
class ErrorAside {
 public:
  ErrorAside() { PyErr_Fetch(&type_, &value_, &trace_); }
  ~ErrorAside() { PyErr_Restore(type_, value_, trace_); }
  ErrorAside(const ErrorAside&) = delete;
  ErrorAside& operator=(const ErrorAside&) = delete;

 private:
  PyObject *type_ = nullptr, *value_ = nullptr, *trace_ = nullptr;
};

/// The handler's contextvars. Those of this thread remain if the handler has entered its own already: it
/// reads or writes, and these are they.
class Entered {
 public:
  explicit Entered(PyObject* variables) : variables_(variables) {
    if (variables_ == nullptr || PyContext_Enter(variables_) == 0) return;
    PyErr_Clear();
    variables_ = nullptr;
  }
  ~Entered() {
    if (variables_ != nullptr) PyContext_Exit(variables_);
  }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

 private:
  PyObject* variables_;
};

/// Ctrl-C that came in a hook belongs to the thread's own code, which gets it when the call has ended.
bool hand_on_interrupt(py::error_already_set& error) {
  if (!error.matches(PyExc_KeyboardInterrupt)) return false;
  const py::module_ threading = py::module_::import("threading");
  if (!threading.attr("current_thread")().is(threading.attr("main_thread")())) return false;
  PyErr_SetInterrupt();
  return true;
}

/// One call. The GIL is taken for hooks that are defined, and when the call begins and ends.
class PythonHooks final : public CallHooks {
 public:
  PythonHooks(std::shared_ptr<const Definition> definition, CallDetails& details)
      : definition_(std::move(definition)), details_(details) {}
  ~PythonHooks() override { leave(); }

  [[nodiscard]] Decision on_start() override {
    Decision decision;
    const TakeGil gil;
    if (!gil.held()) return decision;
    if (details_.side == Side::kServer) variables_ = prepare_variables(details_.context);
    Status ran = run(Hook::kStart, [&](PyObject* function) {
      learn_method();
      auto view = std::make_unique<CallView>(details_);
      view_ = view.get();
      call_ = py::cast(std::move(view));
      const py::object answer = function == nullptr ? py::none() : borrow(function)(call_);
      view_->started();
      if (!answer.is_none()) decision = Decision::answer(replies_of(answer));
    });
    return ran.ok() ? std::move(decision) : Decision::refuse(std::move(ran));
  }

  Status on_send(Payload& message) override {
    return pass(Hook::kSend, message, details_.side == Side::kClient);
  }
  Status on_receive(Payload& message) override {
    return pass(Hook::kReceive, message, details_.side == Side::kServer);
  }

  Status on_headers(Metadata& headers) override {
    if (!definition_->defines(Hook::kHeaders)) return {};
    const TakeGil gil;
    if (!gil.held()) return {};
    return run(Hook::kHeaders, [&](PyObject* function) {
      MetadataView view(headers);
      borrow(function)(call_, view.dict());
      view.commit();
    });
  }

  void on_end(Status& status, Metadata& trailing) override {
    if (definition_->defines(Hook::kEnd)) {
      const TakeGil gil;
      if (!gil.held()) return;
      Status ran = run(Hook::kEnd, [&](PyObject* function) {
        MetadataView view(trailing);
        borrow(function)(call_, status.ok() ? py::none() : exception_of(status), view.dict());
        view.commit();
      });
      if (!ran.ok()) status = std::move(ran);
    }
    leave();
  }

 private:
  Status pass(Hook hook, Payload& message, bool is_request) {
    const bool first = is_request && std::exchange(begins_, false);
    if (!definition_->defines(hook) || values::says_items_follow(message)) return {};
    const TakeGil gil;
    if (!gil.held()) return {};
    return run(hook, [&](PyObject* function) {
      auto view = std::make_unique<MessageView>(message, method_, is_request, first);
      MessageView* const seen = view.get();
      const py::object object = py::cast(std::move(view));
      struct Leave {
        MessageView* view;
        ~Leave() { view->leave(); }
      } const leave{seen};
      borrow(function)(call_, object);
    });
  }

  /// With the GIL and the handler's contextvars. What the hook raises is how the call ends.
  template <class Body>
  Status run(Hook hook, Body&& body) {
    const ErrorAside aside;
    const Entered entered(variables_ ? variables_->ptr() : nullptr);
    try {
      std::forward<Body>(body)((*definition_)[hook]);
      return {};
    } catch (py::error_already_set& error) {
      if (hand_on_interrupt(error)) return {Code::kCancelled, "interrupted"};
      return status_of(error, where(hook), details_.side == Side::kClient);
    } catch (const py::builtin_exception& error) {
      error.set_error();
      py::error_already_set fetched;
      return status_of(fetched, where(hook), details_.side == Side::kClient);
    } catch (const std::exception& error) {
      return {Code::kInternal, where(hook) + ": " + error.what()};
    }
  }
  [[nodiscard]] std::string where(Hook hook) const {
    return definition_->name + "." + kHookNames[static_cast<std::size_t>(hook)] + " for " +
           std::string(details_.service) + "." + std::string(details_.method);
  }

  /// How this call's messages are read.
  void learn_method() {
    const std::string service(details_.service);
    const std::string name(details_.method);
    if (details_.side == Side::kServer) {
      method_ = definition_->served->method(service, name);
    } else if (const Method* called = method_being_called(); called != nullptr) {
      const MethodRef ref = called->ref();
      if (ref.service == details_.service && ref.method == details_.method)
        method_ = called->shared_from_this();
    }
    if (!method_) method_ = make_object_method(service, name);
  }

  /// The replies of a leat.interceptors.Answer.
  [[nodiscard]] std::vector<Payload> replies_of(const py::object& answer) const {
    const py::object type = py::module_::import("leat.interceptors").attr("Answer");
    if (!py::isinstance(answer, type))
      throw py::type_error("on_start() returns None, or an Answer to the call; got " +
                           py::repr(answer).cast<std::string>());
    const py::object items = answer.attr("items");
    std::vector<Payload> replies;
    if (items.is_none()) {
      replies.push_back(method_->encode_reply(py::object(answer.attr("value")).ptr()));
      return replies;
    }
    if (method_->may_answer_with_stream()) replies.push_back(values::items_follow());
    for (const py::handle item : items) replies.push_back(method_->encode_reply(item.ptr()));
    return replies;
  }

  /// The call is over: Python sees no more of it.
  void leave() noexcept {
    if (!call_ && !variables_) return;
    const TakeGil gil;
    variables_.reset();
    if (!gil.held()) return (void)call_.release();  // exiting: nobody frees it any more
    if (view_ != nullptr) std::exchange(view_, nullptr)->ended();
    call_ = py::object();
  }

  const std::shared_ptr<const Definition> definition_;
  CallDetails& details_;
  std::shared_ptr<const Method> method_;
  std::shared_ptr<const py::object> variables_;  // the server's side only
  py::object call_;
  CallView* view_ = nullptr;  // call_'s
  bool begins_ = true;        // no request has passed yet
};

class PythonInterceptor final : public Interceptor {
 public:
  explicit PythonInterceptor(std::shared_ptr<const Definition> definition)
      : definition_(std::move(definition)) {}
  [[nodiscard]] std::string_view name() const noexcept override { return definition_->name; }
  [[nodiscard]] std::unique_ptr<CallHooks> begin(CallDetails& call) override {
    if (std::ranges::none_of(definition_->hooks, [](const auto& hook) { return hook != nullptr; }))
      return nullptr;
    return std::make_unique<PythonHooks>(definition_, call);
  }

 private:
  const std::shared_ptr<const Definition> definition_;
};

std::shared_ptr<Interceptor> make_interceptor(const py::handle object, const py::object& base,
                                              const std::shared_ptr<const ServedSchemas>& served) {
  if (PyType_Check(object.ptr()) != 0) {
    const auto name = object.attr("__name__").cast<std::string>();
    throw py::type_error(name + " is a class; give an instance of it: " + name + "()");
  }
  if (!py::isinstance(object, base))
    throw py::type_error("interceptors are leat.Interceptor objects, got " +
                         py::repr(object).cast<std::string>());
  if (py::hasattr(object, "_native")) return object.attr("_native").cast<InterceptorHandle&>().interceptor;
  auto definition = std::make_shared<Definition>();
  definition->name = py::type::handle_of(object).attr("__name__").cast<std::string>();
  definition->served = served;
  for (std::size_t i = 0; i < kHookNames.size(); ++i) {
    py::object hook = object.attr(kHookNames[i]);
    const py::object function = py::getattr(hook, "__func__", hook);
    if (!function.is(base.attr(kHookNames[i])))
      definition->hooks[i] = std::make_unique<SharedObject>(std::move(hook));
  }
  return std::make_shared<PythonInterceptor>(std::move(definition));
}

}  // namespace

std::shared_ptr<const Method> ServedSchemas::method(const std::string& service,
                                                    const std::string& method) const {
  const auto found = schemas_.find(service);
  if (found == schemas_.end()) return nullptr;
  return make_schema_method(borrow(found->second->get()), service, method);
}

Interceptors to_interceptors(const py::sequence& list, const std::shared_ptr<const ServedSchemas>& served) {
  Interceptors interceptors;
  if (list.empty()) return interceptors;
  const py::object base = py::module_::import("leat.interceptors").attr("Interceptor");
  for (const py::handle each : list) interceptors.push_back(make_interceptor(each, base, served));
  return interceptors;
}

}  // namespace leat::python
