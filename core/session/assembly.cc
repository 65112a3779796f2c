#include "core/session/assembly.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace leat::session {
namespace {

// Attachments below this share one allocation with their neighbours; above it each has memory of its own, so
// that keeping one array alive does not keep the others.
constexpr std::uint64_t kShareBelow = 64U << 10U;

// Early bytes that come in small pieces share chunks of this size, and a larger piece has a chunk of its own.
// A vector that doubles would hold up to twice the window, which nobody has accounted for, and copy it as it
// grows.
constexpr std::uint64_t kEarlyChunk = 4U << 10U;

std::uint64_t aligned(std::uint64_t size) noexcept {
  return (size + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment;
}

std::vector<Buffer> allocate_attachments(const std::vector<std::uint64_t>& sizes,
                                         const Assembly::Allocate& allocate) {
  std::uint64_t shared_size = 0;
  for (const std::uint64_t size : sizes) {
    if (size < kShareBelow) shared_size += aligned(size);
  }
  const Buffer shared = Buffer::allocate(static_cast<std::size_t>(shared_size));
  std::vector<Buffer> attachments;
  attachments.reserve(sizes.size());
  std::size_t at = 0;
  for (const std::uint64_t size : sizes) {
    const auto bytes = static_cast<std::size_t>(size);
    if (size < kShareBelow) {
      attachments.push_back(bytes == 0 ? Buffer() : shared.slice(at, bytes));
      at += static_cast<std::size_t>(aligned(size));
    } else {
      attachments.push_back(allocate(bytes));
    }
  }
  return attachments;
}

}  // namespace

void Assembly::admit(const Allocate& allocate) {
  admitted_ = true;
  head_ = allocate(prologue_.head_size);
  attachments_ = allocate_attachments(prologue_.attachment_sizes, allocate);
  received_ = 0;
  skip_full_parts();
  for (const std::vector<std::byte>& chunk : std::exchange(early_, {})) append(chunk);
}

void Assembly::skip_full_parts() noexcept {
  while (part_ <= attachments_.size() && offset_ == part().size()) {
    ++part_;
    offset_ = 0;
  }
}

std::span<std::byte> Assembly::destination() noexcept {
  if (!admitted_ || complete()) return {};
  return part().writable().subspan(offset_);
}

void Assembly::wrote(std::size_t size) noexcept {
  offset_ += size;
  received_ += size;
  skip_full_parts();
}

void Assembly::append(Bytes bytes) {
  if (!admitted_) {
    append_early(bytes);
    return;
  }
  while (!bytes.empty()) {
    const std::span<std::byte> to = destination();
    const std::size_t size = std::min(to.size(), bytes.size());
    std::memcpy(to.data(), bytes.data(), size);
    wrote(size);
    bytes = bytes.subspan(size);
  }
}

void Assembly::append_early(Bytes bytes) {
  while (!bytes.empty()) {
    if (early_.empty() || early_.back().size() == early_.back().capacity()) {
      const std::uint64_t chunk = std::max<std::uint64_t>(bytes.size(), kEarlyChunk);
      early_.emplace_back().reserve(static_cast<std::size_t>(std::min(chunk, size_ - received_)));
    }
    std::vector<std::byte>& to = early_.back();
    const Bytes part = bytes.first(std::min(bytes.size(), to.capacity() - to.size()));
    to.insert(to.end(), part.begin(), part.end());
    received_ += part.size();
    bytes = bytes.subspan(part.size());
  }
}

std::size_t Assembly::early_capacity() const noexcept {
  std::size_t bytes = 0;
  for (const std::vector<std::byte>& chunk : early_) bytes += chunk.capacity();
  return bytes;
}

Payload Assembly::take() { return {prologue_.codec, std::move(head_), std::move(attachments_)}; }

Payload assemble_whole(const wire::Prologue& prologue, Bytes body, const Assembly::Allocate& allocate) {
  Payload payload;
  payload.codec = prologue.codec;
  payload.head = Buffer::copy(body.first(prologue.head_size));
  if (prologue.attachment_sizes.empty()) return payload;
  body = body.subspan(prologue.head_size);
  payload.attachments = allocate_attachments(prologue.attachment_sizes, allocate);
  for (Buffer& attachment : payload.attachments) {
    if (attachment.empty()) continue;
    std::memcpy(attachment.writable().data(), body.data(), attachment.size());
    body = body.subspan(attachment.size());
  }
  return payload;
}

}  // namespace leat::session
