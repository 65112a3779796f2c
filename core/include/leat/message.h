// A message as it travels: a head in some codec, and the large buffers that the head refers to by number.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <leat/bytes.h>
#include <leat/status.h>

namespace leat {

/// How a message's head is encoded. Numbers are the wire's.
enum class Codec : std::uint8_t {
  kRaw = 0,          ///< Bytes that Leat does not look into.
  kFlatBuffers = 1,  ///< A schema message; the method says of which table.
  kMessagePack = 2,  ///< A value without a schema (docs/wire-format.md, "Values").
};

/// One message. Attachments are counted from 1 where a head refers to them (0 means "inline"), so
/// `attachments[n - 1]` is attachment n. Received attachments are aligned to Buffer::kAlignment.
struct Payload {
  Codec codec = Codec::kRaw;
  Buffer head;
  std::vector<Buffer> attachments;

  [[nodiscard]] std::uint64_t byte_size() const noexcept {
    std::uint64_t size = head.size();
    for (const Buffer& attachment : attachments) size += attachment.size();
    return size;
  }
};

/// A received schema message: a view and the payload that keeps it valid. The view lives as long as this.
/// Movable and not copyable: the view points into this payload's list of attachments, which a copy would have
/// anew.
template <class View>
class Message {
 public:
  Message(Payload payload, View view) : payload_(std::move(payload)), view_(view) {}
  Message(Message&&) noexcept = default;
  Message& operator=(Message&&) noexcept = default;

  const View& operator*() const noexcept { return view_; }
  const View* operator->() const noexcept { return &view_; }
  [[nodiscard]] const View& view() const noexcept { return view_; }
  [[nodiscard]] const Payload& payload() const noexcept { return payload_; }

 private:
  Payload payload_;
  View view_;
};

}  // namespace leat
