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

  class iterator {
   public:
    using value_type = Message<View>;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    iterator() = default;
    explicit iterator(RequestReader* reader) : reader_(reader), item_(reader->next()) {}
    const Message<View>& operator*() const { return *item_; }
    const Message<View>* operator->() const { return &*item_; }
    iterator& operator++() {
      item_ = reader_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& it, std::default_sentinel_t /*end*/) { return !it.item_; }

   private:
    RequestReader* reader_ = nullptr;
    std::optional<Message<View>> item_;
  };
  iterator begin() { return iterator(this); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  ServerCall* call_;
  Status status_;
  bool ended_ = false;
};

/// A client stream, for the client: write() requests, then finish() for the one reply. Not thread-safe,
/// movable. Destroying it before finish() cancels the call.
template <class M, class View>
class Upload {
 public:
  explicit Upload(Result<std::unique_ptr<ClientCall>> call) {
    if (call) {
      call_ = std::move(*call);
    } else {
      status_ = call.error();
    }
  }

  /// Sends one request. Blocks while the server's window is full; fails once the call has ended, and finish()
  /// says why.
  Status write(const M& request) { return call_ ? call_->write(encode(request)) : status_; }
  /// No more requests: waits for the reply and the final status.
  Result<Message<View>> finish() {
    if (!call_)
      return failure(status_.ok() ? Status(Code::kFailedPrecondition, "finish() was called twice") : status_);
    const std::unique_ptr<ClientCall> call = std::move(call_);
    const Status closed = call->half_close();
    std::optional<Payload> reply = call->read();
    if (Status status = call->finish(); !status.ok()) return failure(std::move(status));
    if (!closed.ok()) return failure(closed);
    if (!reply) return failure(Code::kInternal, "the server ended the call without a reply");
    return View::decode(std::move(*reply));
  }
  void cancel() noexcept {
    if (call_) call_->cancel();
  }

 private:
  std::unique_ptr<ClientCall> call_;
  Status status_;
};

/// A bidirectional stream, for the client: write() and next() in any order, close() after the last request,
/// finish() for the final status. Not thread-safe, movable. Destroying it before the end cancels the call.
template <class M, class View>
class Exchange {
 public:
  explicit Exchange(Result<std::unique_ptr<ClientCall>> call)
      : started_(call ? Status() : call.error()),
        writer_(call ? call->get() : nullptr),
        replies_(reader(call)) {}

  /// Sends one request. Blocks while the server's window is full.
  Status write(const M& request) { return writer_ != nullptr ? writer_->write(encode(request)) : started_; }
  /// No more requests.
  Status close() { return writer_ != nullptr ? writer_->half_close() : started_; }
  /// The next reply, or nullopt at the end. Blocks.
  std::optional<Message<View>> next() { return replies_.next(); }
  /// The replies as a range.
  Reader<View>& replies() noexcept { return replies_; }
  /// The final status; drops replies that were not read. Call close() before, or the server may wait for
  /// requests.
  Status finish() {
    writer_ = nullptr;
    started_ = replies_.finish();
    return started_;
  }
  void cancel() noexcept { replies_.cancel(); }

 private:
  static Reader<View> reader(Result<std::unique_ptr<ClientCall>>& call) {
    return call ? Reader<View>(std::move(*call)) : Reader<View>(call.error());
  }

  Status started_;
  ClientCall* writer_;
  Reader<View> replies_;
};

}  // namespace leat
