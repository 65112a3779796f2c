// Typed ends of streams, over the untyped calls of service.h. Generated code hands these out.
//
// A message type M that can be sent has `Payload encode(const M&)`; a view V that can be received has
// `static Result<Message<V>> V::decode(Payload)`, which verifies.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include <leat/message.h>
#include <leat/service.h>

namespace leat {

/// The receiving end of a server stream, for the client. A single-pass range:
///
///   for (const auto& frame : frames) use(frame->index());
///   if (auto status = frames.finish(); !status.ok()) ...
///
/// The range ends at the end of the stream and at a failure alike; finish() tells which. Not thread-safe,
/// movable.
template <class View>
class Reader {
 public:
  explicit Reader(std::unique_ptr<ClientCall> call) : call_(std::move(call)) {}
  explicit Reader(Status failed) : status_(std::move(failed)) {}

  /// The next item, or nullopt at the end. Blocks.
  std::optional<Message<View>> next() {
    if (!call_ || !status_.ok()) return std::nullopt;
    std::optional<Payload> payload = call_->read();
    if (!payload) return std::nullopt;
    Result<Message<View>> message = View::decode(std::move(*payload));
    if (!message) {
      status_ = message.error();
      call_->cancel();
      return std::nullopt;
    }
    return std::move(*message);
  }

  /// The stream's final status; drops what was not read. Blocks until it is known.
  Status finish() {
    if (call_ && status_.ok()) status_ = call_->finish();
    call_.reset();
    return status_;
  }
  void cancel() noexcept {
    if (call_) call_->cancel();
  }

  class iterator {
   public:
    using value_type = Message<View>;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    iterator() = default;
    explicit iterator(Reader* reader) : reader_(reader), item_(reader->next()) {}
    const Message<View>& operator*() const { return *item_; }
    const Message<View>* operator->() const { return &*item_; }
    iterator& operator++() {
      item_ = reader_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& it, std::default_sentinel_t /*end*/) { return !it.item_; }

   private:
    Reader* reader_ = nullptr;
    std::optional<Message<View>> item_;
  };
  iterator begin() { return iterator(this); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  std::unique_ptr<ClientCall> call_;
  Status status_;
};

/// The sending end of a server stream, for the handler.
template <class M>
class Writer {
 public:
  explicit Writer(ServerCall& call) : call_(&call) {}
  /// Sends one item. Blocks while the client's window is full; fails once nobody listens any more.
  Status write(const M& item) { return call_->write(encode(item)); }

 private:
  ServerCall* call_;
};

}  // namespace leat
