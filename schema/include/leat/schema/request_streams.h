// Typed ends of calls that stream their requests: what a handler reads, and what a client writes.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include <leat/message.h>
#include <leat/service.h>
#include <leat/status.h>
#include <leat/stream.h>

namespace leat {

/// The requests of a client or bidirectional stream, for the handler. A single-pass range, like Reader; it
/// ends when the client has sent its last request and when something failed alike, and status() tells which.
/// Not thread-safe.
template <class View>
class RequestReader {
 public:
  explicit RequestReader(ServerCall& call) : call_(&call) {}

  /// The next request, or nullopt at the end. Blocks.
  std::optional<Message<View>> next() {
    if (!status_.ok() || ended_) return std::nullopt;
    Result<std::optional<Payload>> payload = call_->read();
    if (!payload) {
      status_ = payload.error();
      return std::nullopt;
    }
    if (!*payload) {
      ended_ = true;
      return std::nullopt;
    }
    Result<Message<View>> message = View::decode(std::move(**payload));
    if (!message) {
      status_ = message.error();
      return std::nullopt;
    }
    return std::move(*message);
  }
  /// kOk unless a request could not be read; return it from the handler if it is not.
  [[nodiscard]] const Status& status() const noexcept { return status_; }

  using iterator = ItemIterator<RequestReader, View>;
  iterator begin() { return iterator(this); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  ServerCall* call_;
  Status status_;
  bool ended_ = false;
};

/// A client stream, for the client: write() requests, then finish() for the one reply. One thread at a time,
/// and one step at a time, except cancel(). Movable. Destroying it before finish() cancels the call.
template <class M, class View>
class Upload {
 public:
  explicit Upload(std::shared_ptr<detail::StartedCall> call) noexcept : call_(std::move(call)) {}

  /// Sends one request. Blocks while the server's window is full; fails once the call has ended, and finish()
  /// says why.
  Status write(const M& request) { return call_->call ? call_->call->write(encode(request)) : call_->status; }
  /// As write(), without waiting: await it, or give it a callback, before the next one. `request` may go at
  /// once.
  Pending<Status> write_async(const M& request) {
    return detail::write_later(call_.shared(), encode(request));
  }
  /// No more requests: waits for the reply and the final status. Once.
  Result<Message<View>> finish() { return finish_async().get(); }
  /// No more requests: the reply and the final status to come. Once. The call belongs to the future from here
  /// on.
  Future<Message<View>> finish_async() {
    if (std::exchange(finished_, true)) return Future<Message<View>>(refuse());
    if (call_->call) {
      if (Status closed = call_->call->half_close(); !closed.ok()) {
        call_->status = std::move(closed);
        call_->cancel();
      }
    }
    call_.hand_on();
    return Future<Message<View>>(call_.shared());
  }
  /// Ends the call as kCancelled unless it has ended. Does not wait. Any thread.
  void cancel() noexcept { call_->cancel(); }

 private:
  std::shared_ptr<detail::StartedCall> refuse() const {
    auto refused = std::make_shared<detail::StartedCall>();
    refused->caller = call_->caller;
    refused->status = Status(Code::kFailedPrecondition, "finish() was called twice");
    return refused;
  }

  detail::CallOwner call_;
  bool finished_ = false;
};

/// A bidirectional stream, for the client: write() and next() in any order, close() after the last request,
/// finish() for the final status. One thread (or coroutine) may write while another reads, unless the
/// connection has interceptors, which see one step of a call at a time; each one step at a time. cancel()
/// from any thread. Movable. Destroying it before the end cancels the call.
template <class M, class View>
class Exchange {
 public:
  explicit Exchange(std::shared_ptr<detail::StartedCall> call) noexcept
      : call_(call), replies_(std::move(call)) {}

  /// Sends one request. Blocks while the server's window is full; fails once the call has ended, and finish()
  /// says why.
  Status write(const M& request) { return call_->call ? call_->call->write(encode(request)) : call_->status; }
  /// As write(), without waiting: await it, or give it a callback, before the next one. `request` may go at
  /// once.
  Pending<Status> write_async(const M& request) { return detail::write_later(call_, encode(request)); }
  /// No more requests. Does not wait.
  Status close() { return call_->call ? call_->call->half_close() : call_->status; }
  /// The next reply, or nullopt at the end. Blocks.
  std::optional<Message<View>> next() { return replies_.next(); }
  Pending<std::optional<Message<View>>> next_async() { return replies_.next_async(); }
  /// The replies as a range.
  Reader<View>& replies() noexcept { return replies_; }
  /// The final status; drops replies that were not read. Call close() before, or the server may wait for
  /// requests.
  Status finish() { return replies_.finish(); }
  Pending<Status> finish_async() { return replies_.finish_async(); }
  void cancel() noexcept { replies_.cancel(); }

 private:
  std::shared_ptr<detail::StartedCall> call_;
  Reader<View> replies_;
};

}  // namespace leat
