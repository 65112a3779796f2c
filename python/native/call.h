// Calls as Python makes them: the options every call takes, methods of remote objects, and streams of items.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <leat/context.h>
#include <leat/message.h>
#include <leat/service.h>
#include <leat/status.h>

#include "python.h"

namespace leat::python {

/// Seconds as Python gives them; None is no limit. ValueError for what is no length of time.
[[nodiscard]] std::optional<Duration> to_duration(const py::object& seconds, const char* name);
/// ValueError naming the channels for a name that is none.
[[nodiscard]] std::optional<Channel> to_channel(const py::object& name);
[[nodiscard]] Metadata to_metadata(const py::object& pairs);

/// Turns a reply into what the caller gets; holds the GIL. A Python error for a reply that makes no sense.
using Decode = std::function<py::object(const Payload&)>;

/// The items of a server stream, as a Python iterator. One thread at a time; the GIL is released while it
/// waits.
class ItemStream {
 public:
  ItemStream(std::unique_ptr<ClientCall> call, Decode decode)
      : call_(std::move(call)), decode_(std::move(decode)) {}
  ItemStream(const ItemStream&) = delete;
  ItemStream& operator=(const ItemStream&) = delete;
  ~ItemStream();

  /// Blocks; StopIteration at the end, the failure if that is how it ended.
  py::object next();
  /// Cancels the call if it has not ended. Idempotent.
  void close();
  /// Blocks until the stream has ended, dropping what was not read; raises its failure.
  void finish();

 private:
  class Use;
  std::unique_ptr<ClientCall> call_;
  Decode decode_;
  bool in_use_ = false;
};

/// What a call to an object takes beside its arguments.
struct MethodCall {
  std::shared_ptr<Caller> caller;
  std::string object;
  std::string method;
  CallOptions options;
};

/// A callable Python object for the method; its `options(timeout=, channel=, metadata=)` gives another.
[[nodiscard]] py::object make_remote_method(MethodCall call);

/// One request, one reply, with the GIL released in between.
[[nodiscard]] Payload call_unary(Caller& caller, const MethodRef& method, Payload request,
                                 const CallOptions& options);
/// A started call with its request sent; the GIL is released meanwhile.
[[nodiscard]] std::unique_ptr<ClientCall> start_call(Caller& caller, const MethodRef& method,
                                                     std::optional<Payload> request,
                                                     const CallOptions& options);

}  // namespace leat::python
