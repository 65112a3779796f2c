#include "schema/dynamic/value_reader.h"

#include <optional>

#include "core/base/utf8.h"

namespace leat::values {

Status detail::malformed(std::string_view why) {
  return {Code::kInvalidArgument, "malformed value: " + std::string(why)};
}

Status detail::unexpected_extension(int type) {
  return malformed("extension type " + std::to_string(type) + " is unknown here or stands where it may not");
}

bool is_text(std::string_view text) noexcept { return is_utf8(text); }

Status read_array(Bytes payload, std::span<const Buffer> attachments, std::span<std::int64_t, kMaxRank> shape,
                  ArrayView& view) {
  if (payload.size() < ArrayHeader::kSize) return detail::malformed("an array's header ends early");
  const auto dtype = std::to_integer<std::uint8_t>(payload[0]);
  const auto order = std::to_integer<std::uint8_t>(payload[1]);
  const auto rank = std::to_integer<std::size_t>(payload[2]);
  if (dtype >= kDTypeCount) return detail::malformed("an array of unknown dtype " + std::to_string(dtype));
  if (order > static_cast<std::uint8_t>(Order::kColumnMajor) || payload[3] != std::byte{0})
    return detail::malformed("an array's order or flags are unknown");
  if (rank > kMaxRank) return detail::malformed("an array of more than 64 dimensions");
  if (payload.size() < ArrayHeader::kSize + 8 * rank) return detail::malformed("an array's shape ends early");
  for (std::size_t i = 0; i < rank; ++i) shape[i] = load_i64(&payload[ArrayHeader::kSize + 8 * i]);
  view.dtype = static_cast<DType>(dtype);
  view.order = static_cast<Order>(order);
  view.shape = shape.first(rank);
  view.attachment = load_u32(&payload[4]);
  view.data = payload.subspan(ArrayHeader::kSize + 8 * rank);
  if (view.attachment != 0) {
    if (!view.data.empty()) return detail::malformed("an array is both inline and attached");
    if (view.attachment > attachments.size())
      return detail::malformed("an array refers to attachment " + std::to_string(view.attachment) + " of " +
                               std::to_string(attachments.size()));
    view.data = attachments[view.attachment - 1];
  }
  const std::optional<std::uint64_t> size = tensor_bytes(view.dtype, view.shape);
  if (!size) return detail::malformed("an array's shape is negative or too large");
  if (*size != view.data.size())
    return detail::malformed("an array's shape asks for " + std::to_string(*size) + " bytes, and there are " +
                             std::to_string(view.data.size()));
  return {};
}

Result<const Buffer*> read_attached_bytes(Bytes payload, std::span<const Buffer> attachments) {
  if (payload.size() != 4) return failure(detail::malformed("a reference to an attachment takes four bytes"));
  const std::uint32_t number = load_u32(payload.data());
  if (number == 0 || number > attachments.size())
    return failure(detail::malformed("bytes refer to attachment " + std::to_string(number) + " of " +
                                     std::to_string(attachments.size())));
  return &attachments[number - 1];
}

Status read_scalar(Bytes payload, DType& dtype, Bytes& element) {
  if (payload.empty() || std::to_integer<std::size_t>(payload[0]) >= kDTypeCount)
    return detail::malformed("a scalar of unknown dtype");
  dtype = static_cast<DType>(payload[0]);
  element = payload.subspan(1);
  if (element.size() != dtype_size(dtype))
    return detail::malformed("a scalar's size is not that of its dtype");
  return {};
}

}  // namespace leat::values
