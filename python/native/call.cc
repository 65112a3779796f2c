#include "call.h"

#include <utility>

#include "error.h"
#include "gil.h"
#include "schema/dynamic/value_writer.h"
#include "stream.h"

namespace leat::python {

const Method*& method_being_called() noexcept {
  thread_local const Method* method = nullptr;
  return method;
}

void raise_end(const Method& method, Status status) {
  const std::string where = method.where();
  if (status.code() == Code::kDeadlineExceeded && !status.message().starts_with(where))
    status.with_context(where);
  raise(status);
}

std::shared_ptr<ClientCall> share(std::unique_ptr<ClientCall> call) {
  return {call.release(), [](ClientCall* ended) {
            const ReleaseGilIfTaken released;
            delete ended;
          }};
}

Started start(const Target& target, Arguments arguments) {
  const OptionsNow options(target);
  MethodRef method = target.method->ref();
  method.kind = arguments.kind;
  Result<std::unique_ptr<ClientCall>> call = [&] {
    const ReleaseGilIfTaken released(arguments.first ? arguments.first->byte_size() : 0);
    return target.caller->start(method, std::move(arguments.first), options.get());
  }();
  Started started{share(unwrap(std::move(call))), nullptr};
  if (arguments.requests) {
    started.feed = std::make_shared<Feed>(started.call, target.method, std::move(arguments.requests));
    started.feed->start();
  }
  return started;
}

namespace {

py::object call_unary(const Target& target, Arguments arguments) {
  const OptionsNow options(target);
  Result<Payload> reply = [&] {
    const ReleaseGil released;
    MethodRef method = target.method->ref();
    method.kind = CallKind::kUnary;
    return target.caller->call(method, std::move(*arguments.first), options.get());
  }();
  return target.method->decode(unwrap(std::move(reply)));
}

[[noreturn]] void raise_without_answer(const Target& target) {
  raise({Code::kInternal, target.method->where() + " ended without an answer"});
}

/// What a call with one reply has brought in the end.
py::object take_reply(const Target& target, const Started& started, const std::optional<Payload>& reply,
                      const Status& status) {
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  if (!status.ok()) {
    if (started.feed) started.feed->raise_failure();
    raise_end(*target.method, status);
  }
  if (!reply) raise_without_answer(target);
  return target.method->decode(*reply);
}

/// Whether the answer is a value or a stream is the callee's choice, and its first message says.
py::object call_object(const Target& target, Arguments arguments) {
  Started started;
  std::optional<Payload> first;
  Status status;
  bool items_follow = false;
  const auto wait = [&] {
    first = started.call->read();
    items_follow = first && values::says_items_follow(*first);
    if (!items_follow) status = started.call->finish();
  };
  if (arguments.requests) {
    started = start(target, std::move(arguments));
    const ReleaseGil released;
    wait();
  } else {
    const OptionsNow options(target);
    MethodRef method = target.method->ref();
    method.kind = arguments.kind;
    const ReleaseGil released;
    Result<std::unique_ptr<ClientCall>> call =
        target.caller->start(method, std::move(arguments.first), options.get());
    if (call) {
      started.call = share(std::move(*call));
      wait();
      if (!items_follow) started.call.reset();
    } else {
      status = call.error();
    }
  }
  if (items_follow) return py::cast(std::make_unique<ItemStream>(std::move(started), target.method));
  return take_reply(target, started, first, status);
}

/// A list is written from here: nothing in it can wait.
void write_all(const Target& target, ClientCall& call, PyObject* requests) {
  const auto count = [requests] { return PySequence_Fast_GET_SIZE(requests); };
  for (Py_ssize_t i = 0; i < count(); ++i) {
    const py::object request = borrow(PySequence_Fast_GET_ITEM(requests, i));
    Payload payload = target.method->encode(request.ptr(), Sharing::kIfUnchanged, false);
    const ReleaseGil released;
    if (!call.write(std::move(payload)).ok()) return;  // the call has ended, and its end says why
  }
  const ReleaseGil released;
  (void)call.half_close();
}

py::object upload(const Target& target, Arguments arguments) {
  const bool listed = arguments.requests && (PyList_CheckExact(arguments.requests.ptr()) != 0 ||
                                             PyTuple_CheckExact(arguments.requests.ptr()) != 0);
  const py::object list = listed ? std::exchange(arguments.requests, py::object()) : py::object();
  const bool one_by_one = !listed && !arguments.requests;
  Started started = start(target, std::move(arguments));
  if (one_by_one) return py::cast(std::make_unique<Upload>(std::move(started), target.method));
  if (listed) write_all(target, *started.call, list.ptr());
  std::optional<Payload> reply;
  Status status;
  {
    const ReleaseGil released;
    reply = started.call->read();
    status = started.call->finish();
  }
  return take_reply(target, started, reply, status);
}

}  // namespace

py::object call_and_wait(const Target& target, Arguments arguments) {
  if (target.method->may_answer_with_stream()) {
    // Only a call that is known to have one answer can be tried again.
    const bool once = target.options.idempotent.value_or(false) && !arguments.requests;
    return once ? call_unary(target, std::move(arguments)) : call_object(target, std::move(arguments));
  }
  switch (arguments.kind) {
    case CallKind::kUnary: return call_unary(target, std::move(arguments));
    case CallKind::kClientStream: return upload(target, std::move(arguments));
    default: break;
  }
  const bool exchange = arguments.kind == CallKind::kBidi && !arguments.requests;
  Started started = start(target, std::move(arguments));
  if (exchange) return py::cast(std::make_unique<Exchange>(std::move(started), target.method));
  return py::cast(std::make_unique<ItemStream>(std::move(started), target.method));
}

}  // namespace leat::python
