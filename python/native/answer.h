// A call with one answer, without a thread that waits for it: it goes on when its moment has come.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <leat/metadata.h>
#include <leat/service.h>
#include <leat/status.h>

#include "method.h"
#include "python.h"

namespace leat::python {

/// What the call has brought so far. One thread at a time.
class Answer {
 public:
  Answer(std::shared_ptr<ClientCall> call, std::shared_ptr<const Method> method)
      : call_(std::move(call)), method_(std::move(method)) {}
  /// A call that could not be started.
  Answer(Status failed, std::shared_ptr<const Method> method)
      : method_(std::move(method)), done_(true), status_(std::move(failed)) {}

  [[nodiscard]] const std::shared_ptr<ClientCall>& call() const noexcept { return call_; }
  [[nodiscard]] const std::shared_ptr<const Method>& shared_method() const noexcept { return method_; }

  /// Goes as far as it can without waiting, without the GIL. The moment of call() to go on at, or nothing
  /// when all is there.
  [[nodiscard]] std::optional<Moment> advance();

  // Once all is there; the GIL is held.
  /// True if a stream of items is the answer: call() is to be read on, and nothing below is known.
  [[nodiscard]] bool is_stream() const noexcept { return stream_; }
  [[nodiscard]] const Status& status() const noexcept { return status_; }
  /// The reply, or a Python error.
  [[nodiscard]] py::object take() const;
  /// Lets go of call(), which keeps its connection open.
  void let_go() noexcept { call_.reset(); }
  [[nodiscard]] const Metadata& initial_metadata() const noexcept { return initial_; }
  [[nodiscard]] const Metadata& trailing_metadata() const noexcept { return trailing_; }

 private:
  std::shared_ptr<ClientCall> call_;
  std::shared_ptr<const Method> method_;
  bool done_ = false;
  bool stream_ = false;
  bool read_ = false;
  std::optional<Payload> reply_;
  Status status_;
  Metadata initial_;
  Metadata trailing_;
};

}  // namespace leat::python
