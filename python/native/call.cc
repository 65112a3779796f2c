#include "call.h"

#include <cmath>
#include <utility>

#include "error.h"
#include "gil.h"

namespace leat::python {

std::optional<Duration> to_duration(const py::object& seconds, const char* name) {
  if (seconds.is_none()) return std::nullopt;
  const double value = PyFloat_AsDouble(seconds.ptr());
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  if (std::isnan(value) || value < 0)
    throw py::value_error(std::string(name) + " is a number of seconds, not negative; got " +
                          py::repr(seconds).cast<std::string>());
  constexpr double kLongest = 1e9;  // thirty years: no limit
  if (value >= kLongest) return std::nullopt;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
}

std::optional<Channel> to_channel(const py::object& name) {
  if (name.is_none()) return std::nullopt;
  const auto wanted = py::str(name).cast<std::string>();
  for (const Channel channel : {Channel::kStream, Channel::kRpc, Channel::kBulk})
    if (channel_name(channel) == wanted) return channel;
  throw py::value_error("no channel is called '" + wanted + "'; calls travel on 'stream', 'rpc' or 'bulk'");
}

Metadata to_metadata(const py::object& pairs) {
  Metadata metadata;
  if (pairs.is_none()) return metadata;
  for (const auto& [key, value] : py::dict(pairs)) {
    const bool bytes = PyBytes_Check(value.ptr()) != 0;
    metadata.add(key.cast<std::string>(),
                 bytes ? value.cast<std::string>() : py::str(value).cast<std::string>());
  }
  unwrap(metadata.validate());
  return metadata;
}

Payload call_unary(Caller& caller, const MethodRef& method, Payload request, const CallOptions& options) {
  Result<Payload> reply = [&] {
    const ReleaseGil released;
    return caller.call(method, std::move(request), options);
  }();
  return unwrap(std::move(reply));
}

std::unique_ptr<ClientCall> start_call(Caller& caller, const MethodRef& method,
                                       std::optional<Payload> request, const CallOptions& options) {
  Result<std::unique_ptr<ClientCall>> call = [&] {
    const ReleaseGil released;
    return caller.start(method, std::move(request), options);
  }();
  return unwrap(std::move(call));
}

/// Keeps a second thread from reading the same stream, which holds for generators too.
class ItemStream::Use {
 public:
  explicit Use(ItemStream& stream) : stream_(stream) {
    if (stream.in_use_) throw py::value_error("the stream is being read by another thread");
    stream.in_use_ = true;
  }
  ~Use() { stream_.in_use_ = false; }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  ItemStream& stream_;
};

ItemStream::~ItemStream() {
  if (!call_) return;
  const ReleaseGil released;
  call_.reset();
}

py::object ItemStream::next() {
  // Code in C that takes items without end (list, sum) runs no signal handler between them.
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  const Use use(*this);
  if (!call_) throw py::stop_iteration();
  std::optional<Payload> item;
  Status status;
  {
    const ReleaseGil released;
    item = call_->read();
    if (!item) {
      status = call_->finish();
      call_.reset();
    }
  }
  if (!item) {
    unwrap(status);
    if (PyErr_Occurred() != nullptr) throw py::error_already_set();
    throw py::stop_iteration();
  }
  try {
    return decode_(*item);
  } catch (...) {
    const ReleaseGil released;
    call_.reset();
    throw;
  }
}

void ItemStream::close() {
  if (!call_) return;
  if (in_use_) {  // another thread waits in next(): end its wait, it clears up
    call_->cancel();
    return;
  }
  const ReleaseGil released;
  call_.reset();
}

void ItemStream::finish() {
  const Use use(*this);
  if (!call_) return;
  Status status;
  {
    const ReleaseGil released;
    status = call_->finish();
    call_.reset();
  }
  unwrap(status);
}

}  // namespace leat::python
