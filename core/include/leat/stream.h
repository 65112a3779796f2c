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

#include <leat/future.h>
#include <leat/message.h>
#include <leat/service.h>

namespace leat {

/// The single pass over something with a next() that gives Message<View>s.
template <class Items, class View>
class ItemIterator {
 public:
  using value_type = Message<View>;
  using difference_type = std::ptrdiff_t;
  using iterator_category = std::input_iterator_tag;

  ItemIterator() = default;
  explicit ItemIterator(Items* items) : items_(items), item_(items->next()) {}
  const Message<View>& operator*() const { return *item_; }
  const Message<View>* operator->() const { return &*item_; }
  ItemIterator& operator++() {
    item_ = items_->next();
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const ItemIterator& it, std::default_sentinel_t /*end*/) { return !it.item_; }

 private:
  Items* items_ = nullptr;
  std::optional<Message<View>> item_;
};

namespace detail {

/// A reply that has been read, or the end: then, and if it can't be decoded, no more will be asked for.
template <class View>
std::optional<Message<View>> take_item(StartedCall& from, std::optional<Payload> payload) {
  if (!payload) return std::nullopt;
  Result<Message<View>> message = Reply<Message<View>>::take(from.method, std::move(*payload));
  if (message) return std::move(*message);
  from.status = std::move(message.error());
  from.cancel();
  return std::nullopt;
}

template <class View>
class NextItem final : public ValueStep<std::optional<Message<View>>> {
 public:
  explicit NextItem(std::shared_ptr<StartedCall> call)
      : ValueStep<std::optional<Message<View>>>(std::move(call), Moment::kReadable) {}
  bool poll() override {
    StartedCall& from = this->started();
    Polled polled;
    if (from.call && from.status.ok()) polled = from.call->try_read();
    if (polled.pending) return false;
    this->value.emplace(take_item<View>(from, std::move(polled.message)));
    return true;
  }
};

[[nodiscard]] Pending<Status> write_later(std::shared_ptr<StartedCall> call, Payload payload);
[[nodiscard]] Pending<Status> finish_later(std::shared_ptr<StartedCall> call);

}  // namespace detail

/// The receiving end of a server stream, for the client. A single-pass range:
///
///   for (const auto& frame : frames) use(frame->index());
///   if (auto status = frames.finish(); !status.ok()) ...
///
/// and the same in a coroutine:
///
///   while (auto frame = co_await frames.next_async()) use((*frame)->index());
///   if (auto status = co_await frames.finish_async(); !status.ok()) ...
///
/// The range ends at the end of the stream and at a failure alike; finish() tells which. One thread at a
/// time, and one step at a time, except cancel(). Movable. Destroying it before the end cancels the call.
template <class View>
class Reader {
 public:
  explicit Reader(std::shared_ptr<detail::StartedCall> call) noexcept : call_(std::move(call)) {}

  /// The next item, or nullopt at the end. Blocks.
  std::optional<Message<View>> next() {
    if (!call_->call || !call_->status.ok()) return std::nullopt;
    return detail::take_item<View>(*call_.shared(), call_->call->read());
  }
  /// As next(), without waiting: await it, or give it a callback.
  Pending<std::optional<Message<View>>> next_async() {
    return Pending<std::optional<Message<View>>>(std::make_shared<detail::NextItem<View>>(call_.shared()));
  }

  /// The stream's final status; drops what was not read. Blocks until it is known.
  Status finish() { return call_->finish(); }
  Pending<Status> finish_async() { return detail::finish_later(call_.shared()); }
  /// Ends the call as kCancelled unless it has ended. Does not wait. Any thread.
  void cancel() noexcept { call_->cancel(); }

  using iterator = ItemIterator<Reader, View>;
  iterator begin() { return iterator(this); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  detail::CallOwner call_;
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
