#include <bit>
#include <limits>
#include <string>

#include <leat/schema/encode.h>

#include "core/base/utf8.h"

namespace leat::schema::detail {

Status check_range(std::int64_t value, BaseType type) {
  if (type == BaseType::kInt64 || type == BaseType::kUInt64) return {};
  const std::size_t bits = 8 * inline_size(type);
  const std::int64_t low = is_unsigned(type) ? 0 : -(std::int64_t{1} << (bits - 1));
  const std::int64_t high = (std::int64_t{1} << (is_unsigned(type) ? bits : bits - 1)) - 1;
  if (value >= low && value <= high) return {};
  return {Code::kInvalidArgument, std::to_string(value) + " does not fit " + std::string(type_name(type)) +
                                      " (" + std::to_string(low) + " to " + std::to_string(high) + ")"};
}

std::uint64_t real_bits(double value, BaseType type) noexcept {
  if (type == BaseType::kFloat64) return std::bit_cast<std::uint64_t>(value);
  return std::bit_cast<std::uint32_t>(static_cast<float>(value));
}

std::uint64_t integer_bits(std::int64_t value, BaseType type) noexcept {
  const auto bits = static_cast<std::uint64_t>(value);
  const std::size_t size = inline_size(type);
  return size == 8 ? bits : bits & ((std::uint64_t{1} << (8 * size)) - 1);
}

std::uint64_t default_bits(const Field& field) noexcept {
  return is_float(field.type.base) ? real_bits(field.default_real, field.type.base)
                                   : integer_bits(field.default_integer, field.type.base);
}

Status check_text(std::string_view text) {
  if (is_utf8(text)) return {};
  return {Code::kInvalidArgument, "the text is not valid UTF-8; send bytes as [ubyte]"};
}

}  // namespace leat::schema::detail
