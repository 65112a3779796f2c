#include "core/wire/call_frames.h"

#include <algorithm>

#include "core/base/utf8.h"
#include "core/wire/codec.h"

namespace leat::wire {
namespace {

constexpr std::uint64_t kNoTimeout = 0;
constexpr std::uint8_t kNotStarted = 1;  // bit of a status's marks; the others are for later versions
constexpr std::uint8_t kLastCode = static_cast<std::uint8_t>(Code::kUnauthenticated);

// Numbers that later versions may add read as kUnknown, as in gRPC.
Code read_code(Reader& reader) {
  const std::uint8_t number = reader.u8();
  return number <= kLastCode ? static_cast<Code>(number) : Code::kUnknown;
}

}  // namespace

std::size_t OpenView::most_bytes() const noexcept {
  // Of the numbers, 1 + 10 + 2 * 2 and the count of the metadata. A pair's two lengths take less than the 32
  // that byte_size() counts for it.
  constexpr std::size_t kNumbers = 32;
  return kNumbers + service.size() + method.size() + metadata.byte_size();
}

void OpenView::encode(std::vector<std::byte>& out) const {
  Writer writer(out);
  writer.u8(static_cast<std::uint8_t>(kind));
  writer.varint(timeout_us ? *timeout_us + 1 : kNoTimeout);
  writer.text(service);
  writer.text(method);
  writer.metadata(metadata);
}

std::optional<Open> Open::decode(Bytes body) {
  Reader reader(body);
  Open open;
  const std::uint8_t kind = reader.u8();
  if (kind > static_cast<std::uint8_t>(CallKind::kBidi)) return std::nullopt;
  open.kind = static_cast<CallKind>(kind);
  const std::uint64_t timeout = reader.varint();
  if (timeout != kNoTimeout) open.timeout_us = timeout - 1;
  open.service = reader.text(kMaxNameBytes);
  open.method = reader.text(kMaxNameBytes);
  reader.metadata(open.metadata);
  if (!reader.ok()) return std::nullopt;
  return open;
}

void Headers::encode(std::vector<std::byte>& out) const { Writer(out).metadata(metadata); }

std::optional<Headers> Headers::decode(Bytes body) {
  Reader reader(body);
  Headers headers;
  reader.metadata(headers.metadata);
  if (!reader.ok()) return std::nullopt;
  return headers;
}

void End::encode(std::vector<std::byte>& out) const {
  Writer writer(out);
  writer.u8(static_cast<std::uint8_t>(status.code()));
  writer.u8(status.not_started() ? kNotStarted : 0);
  writer.text(clipped(status.message()));
  writer.text(clipped(status.remote_type()));
  writer.text(clipped(status.remote_traceback()));
  const std::size_t details = std::min(status.details().size(), kMaxStatusDetails);
  writer.varint(details);
  for (const StatusDetail& detail : std::span(status.details()).first(details)) {
    writer.text(clipped(detail.type));
    writer.text(as_text(detail.value.bytes()));
  }
  writer.metadata(trailing);
}

std::optional<End> End::decode(Bytes body) {
  Reader reader(body);
  End end;
  const Code code = read_code(reader);
  const std::uint8_t marks = reader.u8();
  std::string message(reader.text(kMaxReasonBytes));
  std::string type(reader.text(kMaxReasonBytes));
  std::string traceback(reader.text(kMaxReasonBytes));
  end.status = Status(code, std::move(message));
  end.status.mark_not_started((marks & kNotStarted) != 0);
  if (!type.empty() || !traceback.empty())
    end.status.with_remote_traceback(std::move(type), std::move(traceback));
  const std::uint64_t details = reader.varint();
  if (details > kMaxStatusDetails) return std::nullopt;
  for (std::uint64_t i = 0; reader.ok() && i < details; ++i) {
    std::string name(reader.text(kMaxReasonBytes));
    end.status.with_detail({std::move(name), Buffer::copy(reader.text(kMaxFrameBody))});
  }
  reader.metadata(end.trailing);
  if (!reader.ok()) return std::nullopt;
  return end;
}

void Reason::encode(std::vector<std::byte>& out) const {
  Writer writer(out);
  writer.u8(static_cast<std::uint8_t>(code));
  writer.text(clipped(message));
}

std::optional<Reason> Reason::decode(Bytes body) {
  Reader reader(body);
  Reason reason;
  reason.code = read_code(reader);
  reason.message = reader.text(kMaxReasonBytes);
  if (!reader.ok()) return std::nullopt;
  return reason;
}

void Credit::encode(std::vector<std::byte>& out) const { Writer(out).u64(limit); }

std::optional<Credit> Credit::decode(Bytes body) {
  Reader reader(body);
  const Credit credit{reader.u64()};
  if (!reader.ok()) return std::nullopt;
  return credit;
}

std::uint64_t Prologue::message_size() const noexcept {
  std::uint64_t size = head_size;
  for (const std::uint64_t attachment : attachment_sizes) size += attachment;
  return size;
}

void Prologue::encode(std::byte* out) const noexcept {
  encode_head(codec, head_size, out);
  store_le(out + 2, static_cast<std::uint16_t>(attachment_sizes.size()));
  for (std::size_t i = 0; i < attachment_sizes.size(); ++i)
    store_le(out + kFixedSize + 8 * i, attachment_sizes[i]);
}

void Prologue::encode_head(Codec codec, std::uint32_t head_size, std::byte* out) noexcept {
  out[0] = static_cast<std::byte>(codec);
  out[1] = std::byte{0};
  store_le(out + 2, std::uint16_t{0});
  store_le(out + 4, head_size);
}

std::optional<Prologue> Prologue::decode(Bytes body) {
  if (body.size() < kFixedSize) return std::nullopt;
  Prologue prologue;
  prologue.codec = static_cast<Codec>(body[0]);
  const auto attachments = load_le<std::uint16_t>(body.data() + 2);
  prologue.head_size = load_le<std::uint32_t>(body.data() + 4);
  if (attachments > kMaxAttachments || body.size() < kFixedSize + std::size_t{8} * attachments)
    return std::nullopt;
  prologue.attachment_sizes.resize(attachments);
  for (std::size_t i = 0; i < attachments; ++i) {
    prologue.attachment_sizes[i] = load_le<std::uint64_t>(body.data() + kFixedSize + 8 * i);
    // The top two bytes are reserved for other ways to carry an attachment; nothing negotiates them yet.
    if (prologue.attachment_sizes[i] > kMaxPartBytes) return std::nullopt;
  }
  return prologue;
}

}  // namespace leat::wire
