#include "schema/compiler/cpp_types.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace leat::schema {
namespace {

bool is_tensor(const Schema& schema, const Type& type) {
  return type.innermost() == BaseType::kTable && schema.table_of(type).is_tensor;
}

}  // namespace

std::string CppTypes::type(std::string_view full, std::string_view suffix) const {
  std::string name = namer_.type(full) + std::string(suffix);
  const std::string space = namer_.name_space(full, "::");
  if (space == inside_) return name;
  return space.empty() ? "::" + name : "::" + space + "::" + name;
}

std::string CppTypes::scalar(const Type& type) const {
  if (type.is_enum()) return this->type(schema_->enum_of(type).name);
  const BaseType base = type.innermost();
  if (base == BaseType::kBool) return "bool";
  if (base == BaseType::kFloat32) return "float";
  if (base == BaseType::kFloat64) return "double";
  out_->need("#include <cstdint>");
  return fmt::format("std::{}_t", type_name(base));
}

std::string CppTypes::member(const Table& owner, const Field& field) const {
  const Type& type = field.type;
  std::string inner;
  if (is_scalar(type.innermost())) {
    inner = scalar(type);
  } else if (type.innermost() == BaseType::kString) {
    out_->need("#include <string>");
    inner = "std::string";
  } else if (is_tensor(*schema_, type)) {
    out_->need("#include <leat/tensor.h>");
    inner = "leat::Tensor";
  } else {
    inner = this->type(schema_->table_of(type).name);
  }
  if (type.base == BaseType::kVector) {
    out_->need("#include <vector>");
    return "std::vector<" + inner + ">";
  }
  if (type.base != BaseType::kTable) return inner;
  if (recursive(owner, field)) return "leat::schema::Box<" + inner + ">";
  if (field.required) return inner;
  out_->need("#include <optional>");
  return "std::optional<" + inner + ">";
}

std::string CppTypes::number(const Field& field) const {
  const BaseType base = field.type.base;
  if (is_float(base)) {
    const bool single = base == BaseType::kFloat32;
    const double value = field.default_real;
    const std::string_view name = single ? "float" : "double";
    if (!std::isfinite(value)) out_->need("#include <limits>");
    if (std::isnan(value)) return fmt::format("std::numeric_limits<{}>::quiet_NaN()", name);
    if (std::isinf(value))
      return fmt::format("{}std::numeric_limits<{}>::infinity()", value < 0 ? "-" : "", name);
    // The shortest digits that give the same number back.
    std::string text = single ? fmt::format("{}", static_cast<float>(value)) : fmt::format("{}", value);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return single ? text + "F" : text;
  }
  if (base == BaseType::kBool) return field.default_integer != 0 ? "true" : "false";
  if (is_unsigned(base)) return fmt::format("{}U", static_cast<std::uint64_t>(field.default_integer));
  if (field.default_integer == std::numeric_limits<std::int64_t>::min()) return "-9223372036854775807 - 1";
  return fmt::format("{}", field.default_integer);
}

std::string CppTypes::initialiser(const Field& field) const {
  if (!is_scalar(field.type.base)) return "{}";
  if (!field.type.is_enum()) return number(field);
  const Enum& definition = schema_->enum_of(field.type);
  const std::string name = type(definition.name);
  if (const EnumValue* value = definition.find(field.default_integer)) {
    return name + "::" + namer_.enum_value(value->name);
  }
  return fmt::format("static_cast<{}>({})", name, number(field));
}

std::string CppTypes::viewed(const Field& field) const {
  const Type& type = field.type;
  std::string inner;
  if (is_scalar(type.innermost())) {
    inner = scalar(type);
  } else if (type.innermost() == BaseType::kString) {
    out_->need("#include <string_view>");
    inner = "std::string_view";
  } else if (is_tensor(*schema_, type)) {
    out_->need("#include <leat/tensor.h>");
    inner = "leat::Tensor";
  } else {
    inner = this->type(schema_->table_of(type).name, "View");
  }
  return type.base == BaseType::kVector ? "leat::schema::VectorView<" + inner + ">" : inner;
}

bool CppTypes::reaches(std::int32_t from, const Table& target, std::set<std::int32_t>& seen) const {
  const Table& table = schema_->tables[static_cast<std::size_t>(from)];
  if (&table == &target) return true;
  if (!seen.insert(from).second) return false;
  for (const Field& field : table.fields) {
    if (field.type.innermost() == BaseType::kTable && reaches(field.type.index, target, seen)) return true;
  }
  return false;
}

bool CppTypes::recursive(const Table& owner, const Field& field) const {
  std::set<std::int32_t> seen;
  return field.type.base == BaseType::kTable && reaches(field.type.index, owner, seen);
}

std::vector<const Table*> CppTypes::by_dependency() const {
  std::vector<const Table*> order;
  std::set<const Table*> done;
  // Recursion is bounded by the number of tables, each of which is entered once.
  const auto add = [&](const auto& self, const Table& table) -> void {
    if (!done.insert(&table).second) return;
    for (const Field& field : table.fields) {
      if (field.type.innermost() == BaseType::kTable) self(self, schema_->table_of(field.type));
    }
    if (table.file == schema_->file) order.push_back(&table);
  };
  for (const Table& table : schema_->tables) add(add, table);
  return order;
}

}  // namespace leat::schema
