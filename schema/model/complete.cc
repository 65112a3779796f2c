// The checks that make a Schema safe to use without further ones, whoever built it.
#include <set>
#include <string>

#include <leat/schema/load.h>

#include "schema/model/attributes.h"

namespace leat::schema {
namespace {

// A vtable entry is 16 bits, so a table can't have more fields; the other numbers keep a hostile descriptor
// small.
constexpr std::size_t kMostFields = 32'764;

Status refuse(std::string message) { return {Code::kInvalidArgument, "schema: " + std::move(message)}; }

/// Letters, digits and underscores, not a digit first; with dots between if it may be qualified.
bool is_name(std::string_view text, bool qualified) {
  bool start = true;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool digit = c >= '0' && c <= '9';
    if (qualified && c == '.') {
      if (start) return false;
      start = true;
      continue;
    }
    if (!letter && (!digit || start)) return false;
    start = false;
  }
  return !start;
}

Status check_type(const Schema& schema, const Type& type) {
  const BaseType inner = type.innermost();
  const bool known = is_scalar(inner) || inner == BaseType::kString || inner == BaseType::kTable;
  if (!known || (type.base != BaseType::kVector && type.element != BaseType::kNone)) {
    return refuse("type " + std::string(type_name(inner)) + " is not supported yet");
  }
  if (inner == BaseType::kTable) {
    if (type.index < 0 || static_cast<std::size_t>(type.index) >= schema.tables.size()) {
      return refuse("refers to a table that is not there");
    }
  } else if (type.index != -1) {
    if (!is_scalar(inner) || type.index < 0 || static_cast<std::size_t>(type.index) >= schema.enums.size()) {
      return refuse("refers to an enum that is not there");
    }
    if (schema.enum_of(type).underlying != inner) return refuse("an enum's type contradicts its declaration");
  }
  return {};
}

Status check_table(const Schema& schema, Table& table) {
  if (!is_name(table.name, true)) return refuse("a table's name is not an identifier");
  if (table.fields.size() > kMostFields) return refuse("table " + table.name + " has too many fields");
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < table.fields.size(); ++i) {
    const Field& field = table.fields[i];
    if (!is_name(field.name, false))
      return refuse("table " + table.name + ": a field's name is not an identifier");
    if (!names.insert(field.name).second)
      return refuse("table " + table.name + ": field " + field.name + " twice");
    if (field.id != i)
      return refuse("table " + table.name + ": ids of fields have a gap at " + std::to_string(i));
    if (Status status = check_type(schema, field.type); !status.ok()) {
      return status.with_context("table " + table.name + ", field " + field.name);
    }
    if (field.required && is_scalar(field.type.base)) {
      return refuse("table " + table.name + ", field " + field.name + ": a scalar can't be required");
    }
  }
  table.is_tensor = table.name == "leat.Tensor";
  return table.is_tensor ? check_tensor_declaration(schema, table) : Status();
}

Status check_enum(const Enum& definition) {
  if (!is_name(definition.name, true)) return refuse("an enum's name is not an identifier");
  if (!is_integer(definition.underlying))
    return refuse("enum " + definition.name + " is not of an integer type");
  if (definition.values.empty()) return refuse("enum " + definition.name + " has no values");
  std::set<std::string_view> names;
  for (const EnumValue& value : definition.values) {
    if (!is_name(value.name, false))
      return refuse("enum " + definition.name + ": a value's name is no identifier");
    if (!names.insert(value.name).second)
      return refuse("enum " + definition.name + ": " + value.name + " twice");
  }
  return {};
}

Status check_service(const Schema& schema, Service& service) {
  if (!is_name(service.name, true)) return refuse("a service's name is not an identifier");
  std::set<std::string_view> names;
  for (Method& method : service.methods) {
    if (!is_name(method.name, false))
      return refuse("service " + service.name + ": a method's name is no identifier");
    if (!names.insert(method.name).second)
      return refuse("service " + service.name + ": " + method.name + " twice");
    for (const std::int32_t index : {method.request, method.response}) {
      if (index < 0 || static_cast<std::size_t>(index) >= schema.tables.size()) {
        return refuse("method " + service.name + "." + method.name + " refers to a table that is not there");
      }
    }
    if (Status status = apply_attributes(method); !status.ok()) {
      return status.with_context("schema: method " + service.name + "." + method.name);
    }
  }
  return {};
}

}  // namespace

Status complete(Schema& schema) {
  std::set<std::string_view> names;
  for (const Enum& definition : schema.enums) {
    if (Status status = check_enum(definition); !status.ok()) return status;
    if (!names.insert(definition.name).second) return refuse(definition.name + " is declared twice");
  }
  for (Table& table : schema.tables) {
    if (Status status = check_table(schema, table); !status.ok()) return status;
    if (!names.insert(table.name).second) return refuse(table.name + " is declared twice");
  }
  for (Service& service : schema.services) {
    if (Status status = check_service(schema, service); !status.ok()) return status;
    if (!names.insert(service.name).second) return refuse(service.name + " is declared twice");
  }
  if (schema.root < -1 || schema.root >= static_cast<std::int32_t>(schema.tables.size())) {
    return refuse("the root table is not there");
  }
  return {};
}

}  // namespace leat::schema
