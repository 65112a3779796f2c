#include <algorithm>
#include <array>

#include <leat/schema/descriptor.h>

namespace leat::schema {
namespace {

struct BaseTypeRow {
  std::string_view name;
  std::size_t size;
};
// In the order of BaseType.
constexpr std::array<BaseTypeRow, 18> kBaseTypes = {{{"none", 0},
                                                     {"union type", 1},
                                                     {"bool", 1},
                                                     {"int8", 1},
                                                     {"uint8", 1},
                                                     {"int16", 2},
                                                     {"uint16", 2},
                                                     {"int32", 4},
                                                     {"uint32", 4},
                                                     {"int64", 8},
                                                     {"uint64", 8},
                                                     {"float32", 4},
                                                     {"float64", 8},
                                                     {"string", 4},
                                                     {"vector", 4},
                                                     {"table", 4},
                                                     {"union", 4},
                                                     {"array", 0}}};

template <class Range>
auto* find_named(Range& range, std::string_view name) noexcept {
  const auto found =
      std::ranges::find(range, name, [](const auto& item) -> std::string_view { return item.name; });
  return found == range.end() ? nullptr : &*found;
}

}  // namespace

std::size_t inline_size(BaseType type) noexcept { return kBaseTypes[static_cast<std::size_t>(type)].size; }
std::string_view type_name(BaseType type) noexcept { return kBaseTypes[static_cast<std::size_t>(type)].name; }

const std::string* find_attribute(const Attributes& attributes, std::string_view name) noexcept {
  const auto found =
      std::ranges::find(attributes, name, [](const auto& item) -> std::string_view { return item.first; });
  return found == attributes.end() ? nullptr : &found->second;
}

const Field* Table::find(std::string_view field) const noexcept { return find_named(fields, field); }
const EnumValue* Enum::find(std::string_view value) const noexcept { return find_named(values, value); }
const EnumValue* Enum::find(std::int64_t value) const noexcept {
  const auto found = std::ranges::find(values, value, &EnumValue::value);
  return found == values.end() ? nullptr : &*found;
}
const Method* Service::find(std::string_view method) const noexcept { return find_named(methods, method); }
const Table* Schema::find_table(std::string_view name) const noexcept { return find_named(tables, name); }
const Enum* Schema::find_enum(std::string_view name) const noexcept { return find_named(enums, name); }
const Service* Schema::find_service(std::string_view name) const noexcept {
  return find_named(services, name);
}

std::string_view short_name(std::string_view full) noexcept {
  const std::size_t dot = full.rfind('.');
  return dot == std::string_view::npos ? full : full.substr(dot + 1);
}
std::string_view namespace_name(std::string_view full) noexcept {
  const std::size_t dot = full.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : full.substr(0, dot);
}

}  // namespace leat::schema
