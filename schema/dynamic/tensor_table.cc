#include "schema/dynamic/tensor_table.h"

#include <cstring>
#include <optional>
#include <string>

#include <leat/schema/access.h>

namespace leat::schema {
namespace {

// Vtable offsets of leat/leat.fbs's fields, in its order.
constexpr std::uint16_t kDType = 4;
constexpr std::uint16_t kShape = 6;
constexpr std::uint16_t kOrder = 8;
constexpr std::uint16_t kStrides = 10;
constexpr std::uint16_t kData = 12;
constexpr std::uint16_t kAttachment = 14;
// numpy takes 64 at most, and so do we.
constexpr std::size_t kMostDimensions = 64;

std::vector<std::int64_t> read_integers(const TableView& table, std::uint16_t field) {
  const std::byte* at = table.vector(field);
  if (at == nullptr) return {};
  const Bytes packed = load_packed(at, 8);
  std::vector<std::int64_t> values(packed.size() / 8);
  if (!values.empty()) std::memcpy(values.data(), packed.data(), packed.size());
  return values;
}

Status invalid(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }

/// Strides are accepted where they say what is so anyway: senders that always state them stay readable.
bool contiguous(const TensorParts& parts) {
  auto expected = static_cast<std::int64_t>(dtype_size(parts.dtype));
  const std::size_t rank = parts.shape.size();
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t dimension = parts.order == Order::kRowMajor ? rank - 1 - i : i;
    if (parts.shape[dimension] != 1 && parts.strides[dimension] != expected) return false;
    expected *= parts.shape[dimension];
  }
  return true;
}

}  // namespace

TensorParts read_tensor(const std::byte* table) {
  const TableView view(table, {});
  TensorParts parts;
  parts.dtype = view.scalar(kDType, DType::kBool);
  parts.order = view.scalar(kOrder, Order::kRowMajor);
  parts.attachment = view.scalar(kAttachment, std::uint32_t{0});
  parts.shape = read_integers(view, kShape);
  parts.strides = read_integers(view, kStrides);
  if (const std::byte* data = view.vector(kData)) parts.data = load_packed(data, 1);
  return parts;
}

Status check_tensor(const std::byte* table, std::span<const Buffer> attachments) {
  for (const std::uint16_t field : {kShape, kStrides}) {
    const std::byte* at = TableView(table, {}).vector(field);
    if (at != nullptr && load_packed(at, 8).size() / 8 > kMostDimensions) {
      return invalid(std::string(field == kShape ? "shape" : "strides") + ": more than 64 dimensions");
    }
  }
  const TensorParts parts = read_tensor(table);
  if (static_cast<std::size_t>(parts.dtype) >= kDTypeCount) {
    return invalid("dtype: " + std::to_string(static_cast<unsigned>(parts.dtype)) + " is no dtype");
  }
  if (parts.order != Order::kRowMajor && parts.order != Order::kColumnMajor) {
    return invalid("order: " + std::to_string(static_cast<unsigned>(parts.order)) + " is no order");
  }
  const std::optional<std::uint64_t> bytes = tensor_bytes(parts.dtype, parts.shape);
  if (!bytes) return invalid("shape: a dimension is negative, or the product of all overflows");
  if (parts.attachment > attachments.size()) {
    return invalid("attachment: number " + std::to_string(parts.attachment) + ", but the message has " +
                   std::to_string(attachments.size()));
  }
  if (parts.attachment != 0 && !parts.data.empty())
    return invalid("data: given both inline and as an attachment");
  const std::size_t given =
      parts.attachment != 0 ? attachments[parts.attachment - 1].size() : parts.data.size();
  if (given != *bytes) {
    return invalid("shape: takes " + std::to_string(*bytes) + " bytes of " +
                   std::string(dtype_name(parts.dtype)) + ", but the data has " + std::to_string(given));
  }
  if (!parts.strides.empty()) {
    if (parts.strides.size() != parts.shape.size()) return invalid("strides: not as many as dimensions");
    if (*bytes != 0 && !contiguous(parts)) return invalid("strides: only contiguous data is supported");
  }
  return {};
}

}  // namespace leat::schema
