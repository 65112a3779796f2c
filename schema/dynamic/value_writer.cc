#include "schema/dynamic/value_writer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

namespace leat::values {
namespace {

constexpr std::size_t kFirstSize =
    192;  // with the block in front of it a request of usual size takes 256 bytes

Status too_long(std::string_view what, std::uint64_t size) {
  return {Code::kInvalidArgument, std::string(what) + " of " + std::to_string(size) + " is more than the " +
                                      std::to_string(kMaxLength) + " that a value can hold"};
}

const char* chars(Bytes bytes) { return reinterpret_cast<const char*>(bytes.data()); }

}  // namespace

void HeadBuffer::grow(std::size_t more) {
  Buffer larger = Buffer::allocate(std::max({kFirstSize, used_ + more, buffer_.size() * 2}));
  if (used_ != 0) std::memcpy(larger.writable().data(), buffer_.data(), used_);
  buffer_.swap(larger);
}

Status ValueWriter::text(std::string_view value) {
  if (value.size() > kMaxLength) return too_long("text", value.size());
  packer_.pack_str(static_cast<std::uint32_t>(value.size()));
  packer_.pack_str_body(value.data(), static_cast<std::uint32_t>(value.size()));
  return {};
}

Status ValueWriter::bytes(Bytes value) {
  if (value.size() > kMaxLength) return too_long("a byte string", value.size());
  packer_.pack_bin(static_cast<std::uint32_t>(value.size()));
  packer_.pack_bin_body(chars(value), static_cast<std::uint32_t>(value.size()));
  return {};
}

Status ValueWriter::attached_bytes(Buffer value) {
  Result<std::uint32_t> number = attach(std::move(value));
  if (!number) return number.error();
  std::array<std::byte, 4> payload{};
  store_u32(payload.data(), *number);
  extension(Ext::kAttachedBytes, payload);
  return {};
}

Status ValueWriter::begin_list(std::uint64_t count) {
  if (count > kMaxLength) return too_long("a list", count);
  packer_.pack_array(static_cast<std::uint32_t>(count));
  return {};
}

Status ValueWriter::begin_tuple(std::uint64_t count) {
  if (count >= kMaxLength) return too_long("a tuple", count);
  packer_.pack_array(static_cast<std::uint32_t>(count + 1));
  extension(Ext::kTuple, {});
  return {};
}

Status ValueWriter::begin_map(std::uint64_t count) {
  if (count > kMaxLength) return too_long("a dictionary", count);
  packer_.pack_map(static_cast<std::uint32_t>(count));
  return {};
}

Status ValueWriter::array(DType dtype, Order order, std::span<const std::int64_t> shape, Buffer data) {
  Result<std::uint32_t> number = attach(std::move(data));
  if (!number) return number.error();
  Status status = array_head({dtype, order, static_cast<std::uint8_t>(shape.size()), *number}, shape, 0);
  if (!status.ok()) attachments_.pop_back();
  return status;
}

Status ValueWriter::inline_array(DType dtype, Order order, std::span<const std::int64_t> shape, Bytes data) {
  if (data.size() > kMaxLength / 2) return too_long("an array inside a head", data.size());
  Status status = array_head({dtype, order, static_cast<std::uint8_t>(shape.size()), 0}, shape, data.size());
  if (status.ok()) packer_.pack_ext_body(chars(data), static_cast<std::uint32_t>(data.size()));
  return status;
}

void ValueWriter::scalar(DType dtype, Bytes element) {
  std::array<std::byte, 17> payload{};
  payload[0] = static_cast<std::byte>(dtype);
  std::memcpy(payload.data() + 1, element.data(), element.size());
  extension(Ext::kScalar, Bytes(payload.data(), element.size() + 1));
}

Payload ValueWriter::finish() && {
  Payload payload;
  payload.codec = Codec::kMessagePack;
  payload.head = std::move(head_).finish();
  payload.attachments = std::move(attachments_);
  return payload;
}

void ValueWriter::extension(Ext type, Bytes payload) {
  if (payload.empty()) {
    // msgpack-c writes a length of 0 as an 8-bit one too, but takes a shortcut for 1, 2, 4, 8 and 16; spelled
    // out because kItemsFollowHead and the markers are compared as bytes.
    const std::array<char, 3> empty = {static_cast<char>(0xc7), 0, static_cast<char>(type)};
    head_.write(empty.data(), empty.size());
    return;
  }
  packer_.pack_ext(payload.size(), static_cast<std::int8_t>(type));
  packer_.pack_ext_body(chars(payload), static_cast<std::uint32_t>(payload.size()));
}

Status ValueWriter::array_head(const ArrayHeader& header, std::span<const std::int64_t> shape,
                               std::size_t inline_size) {
  if (shape.size() > kMaxRank) return {Code::kInvalidArgument, "an array of more than 64 dimensions"};
  std::array<std::byte, ArrayHeader::kSize + 8 * kMaxRank> head{};
  head[0] = static_cast<std::byte>(header.dtype);
  head[1] = static_cast<std::byte>(header.order);
  head[2] = static_cast<std::byte>(header.rank);
  store_u32(&head[4], header.attachment);
  std::size_t size = ArrayHeader::kSize;
  for (const std::int64_t extent : shape) {
    store_i64(&head[size], extent);
    size += 8;
  }
  packer_.pack_ext(size + inline_size, static_cast<std::int8_t>(Ext::kArray));
  packer_.pack_ext_body(chars(head), static_cast<std::uint32_t>(size));
  return {};
}

Result<std::uint32_t> ValueWriter::attach(Buffer data) {
  if (attachments_.size() == std::numeric_limits<std::uint32_t>::max())
    return failure(Code::kInvalidArgument, "too many arrays in one message");
  attachments_.push_back(std::move(data));
  return static_cast<std::uint32_t>(attachments_.size());
}

Payload items_follow() { return {Codec::kMessagePack, Buffer::borrow_static(kItemsFollowHead), {}}; }

bool says_items_follow(const Payload& payload) noexcept {
  return payload.codec == Codec::kMessagePack && std::ranges::equal(payload.head.bytes(), kItemsFollowHead);
}

}  // namespace leat::values
