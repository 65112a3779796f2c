// A method of the other side, and a call of it: what all ways of calling (blocking, futures, asyncio) share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <leat/context.h>
#include <leat/message.h>
#include <leat/service.h>
#include <leat/status.h>

#include "array.h"
#include "context.h"
#include "python.h"

namespace leat::python {

/// A method's names, and how its messages are written and read. Immutable; the GIL is held.
class Method : public std::enable_shared_from_this<Method> {
 public:
  Method() = default;
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;
  virtual ~Method() = default;

  /// The kind is that of the schema; an object's calls decide on theirs by their arguments.
  [[nodiscard]] virtual MethodRef ref() const noexcept = 0;
  /// "scope.snap", for errors and reprs.
  [[nodiscard]] virtual std::string where() const = 0;
  /// One of a stream of requests. `exclusive`: nobody else holds the object.
  [[nodiscard]] virtual Payload encode(PyObject* request, Sharing sharing, bool exclusive) const = 0;
  /// A Python error naming the method for a message that can't be read.
  [[nodiscard]] virtual py::object decode(const Payload& reply) const = 0;
  /// As interceptors see and replace what passes on either side. `first`: the request that a call begins
  /// with, which for objects are its arguments.
  [[nodiscard]] virtual py::object decode_request(const Payload& request, bool first) const = 0;
  [[nodiscard]] virtual Payload encode_request(PyObject* request, bool first) const = 0;
  [[nodiscard]] virtual Payload encode_reply(PyObject* reply) const = 0;
  /// True for objects: whether they answer with a value or a stream is their choice, and the first message
  /// says.
  [[nodiscard]] virtual bool may_answer_with_stream() const noexcept = 0;
};

/// What a call needs beside its arguments.
struct Target {
  std::shared_ptr<Caller> caller;
  std::shared_ptr<const Method> method;
  CallOptions options;
};

/// The arguments of one call.
struct Arguments {
  CallKind kind = CallKind::kUnary;
  std::optional<Payload> first;  ///< none for schema methods that stream their requests
  py::object requests;           ///< what gives the stream of them, if the caller has passed one
};

/// What this thread is starting a call of; null if nothing, or nothing of Python's.
[[nodiscard]] const Method*& method_being_called() noexcept;

/// The options, and the handler that the call is made for, if there is one. Made and destroyed with the GIL,
/// and kept while the call is started; so long interceptors know by method_being_called() what it is.
class OptionsNow {
 public:
  explicit OptionsNow(const Target& target)
      : options_(&target.options), outer_(std::exchange(method_being_called(), target.method.get())) {
    if (parent_.get() == nullptr) return;
    own_ = target.options;
    own_->parent = parent_.get();
    options_ = &*own_;
  }
  ~OptionsNow() { method_being_called() = outer_; }
  OptionsNow(const OptionsNow&) = delete;
  OptionsNow& operator=(const OptionsNow&) = delete;
  [[nodiscard]] const CallOptions& get() const noexcept { return *options_; }

 private:
  CurrentParent parent_;
  const CallOptions* options_;
  const Method* outer_;
  std::optional<CallOptions> own_;
};

/// How a call has ended, as a Python error; the deadline's names the method, since it does not know it.
[[noreturn]] void raise_end(const Method& method, Status status);

class Feed;
/// A call under way, and the thread that feeds it with requests if they come from an iterator.
struct Started {
  std::shared_ptr<ClientCall> call;
  std::shared_ptr<Feed> feed;
};
/// Let go of without the GIL, whoever is the last: that takes the connection's lock.
[[nodiscard]] std::shared_ptr<ClientCall> share(std::unique_ptr<ClientCall> call);
/// Starts a call. The GIL is held, and released meanwhile; a Python error if it can't be started.
[[nodiscard]] Started start(const Target& target, Arguments arguments);

}  // namespace leat::python
