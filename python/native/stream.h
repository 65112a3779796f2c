// The client's end of streams: items that arrive, requests that leave.
#pragma once

#include <memory>
#include <optional>

#include <leat/metadata.h>
#include <leat/service.h>
#include <leat/status.h>

#include "method.h"
#include "python.h"

namespace leat::python {

/// Requests on their way from a Python iterator to the server, on a thread of its own, so that what the
/// iterator waits for keeps neither replies nor deadlines waiting.
class Feed : public std::enable_shared_from_this<Feed> {
 public:
  Feed(std::shared_ptr<ClientCall> call, std::shared_ptr<const Method> method, py::object requests);
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;
  ~Feed();

  /// The GIL is held here and below.
  void start();
  /// Raises what the iterator raised, or what could not be sent of it; that has cancelled the call.
  void raise_failure() const;

 private:
  void run();
  void stop() noexcept;

  std::shared_ptr<ClientCall> call_;
  std::shared_ptr<const Method> method_;
  PyObject* requests_;           // until they have ended
  PyObject* failure_ = nullptr;  // the exception
};

/// A call that streams in either direction or both, for Python. One thread may read while another writes; the
/// GIL is held, and released while they wait.
class ClientStream {
 public:
  ClientStream(Started started, std::shared_ptr<const Method> method)
      : call_(std::move(started.call)), feed_(std::move(started.feed)), method_(std::move(method)) {}
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;
  virtual ~ClientStream();

  /// The next reply. StopIteration at the end, the failure (once) if that is how it ended.
  py::object next();
  /// Waits until the call has ended, dropping what was not read; raises its failure.
  void finish();
  /// Gives the call up if it has not ended. Idempotent, any thread.
  void cancel();
  /// The server's initial metadata; blocks until it is here.
  py::object metadata();
  /// None before the end.
  py::object trailing_metadata() const;

 protected:
  /// Sends a request. The call's failure, if it has ended.
  void write(PyObject* request);
  void half_close();
  /// All that was read and has not ended.
  [[nodiscard]] const Method& method() const noexcept { return *method_; }
  /// The next reply, or null when there are no more and the call has ended well.
  py::object read();

 private:
  class Use;
  /// What the end brings; not the GIL.
  struct End {
    Status status;
    Metadata initial;
    Metadata trailing;
  };
  static End take_end(ClientCall& call);
  void ended(End end);
  void raise_failure();

  std::shared_ptr<ClientCall> call_;  // null once it has ended
  std::shared_ptr<Feed> feed_;
  std::shared_ptr<const Method> method_;
  std::optional<End> end_;
  bool given_up_ = false;
  bool failure_told_ = false;
  bool reading_ = false;
  bool writing_ = false;
};

/// What a server stream, or a stream whose requests come from an iterator, gives: an iterator.
class ItemStream final : public ClientStream {
 public:
  using ClientStream::ClientStream;
};

/// A client stream whose requests are written one by one.
class Upload final : public ClientStream {
 public:
  using ClientStream::ClientStream;
  void send(const py::object& request) { write(request.ptr()); }
  /// No more requests: waits for the reply. Gives it again when asked again.
  py::object reply();

 private:
  py::object reply_;
};

/// Requests written one by one, replies read one by one.
class Exchange final : public ClientStream {
 public:
  using ClientStream::ClientStream;
  void send(const py::object& request) { write(request.ptr()); }
  void close() { half_close(); }
};

}  // namespace leat::python
