#include "schema/compiler/checks.h"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "schema/model/attributes.h"

namespace leat::schema {
namespace {

constexpr std::string_view kBuiltinFile = "leat/leat.fbs";

/// Finds two names that are spelled alike, and says so at the second.
class Scope {
 public:
  Scope(Parsed& parsed, std::string_view language) : parsed_(parsed), language_(language) {}
  /// `spelled` stands in the scope because of the declaration `name`; `what` says how, if not directly. False
  /// if it stood there already.
  bool add(const std::string& spelled, const std::string& name, const std::string& what = {}) {
    const auto [at, fresh] = names_.emplace(spelled, name + what);
    if (fresh) return true;
    parsed_.complain(
        name, name + what + " is called '" + spelled + "' in " + language_ + ", and so is " + at->second);
    return false;
  }

 private:
  Parsed& parsed_;
  std::string language_;
  std::map<std::string, std::string> names_;
};

void check_namespace(Parsed& parsed, const std::string& name, const std::string& file) {
  const std::string_view space = namespace_name(name);
  if (file != kBuiltinFile && (space == "leat" || space.starts_with("leat."))) {
    parsed.complain(name, name + ": the namespace leat is Leat's own");
  }
}

/// Follows required fields that hold a table directly: a cycle of them has no end.
class RequiredCycles {
 public:
  explicit RequiredCycles(Parsed& parsed) : parsed_(parsed) {}
  void run() {
    for (std::size_t i = 0; i < parsed_.schema.tables.size(); ++i) visit(static_cast<std::int32_t>(i));
  }

 private:
  void visit(std::int32_t index) {
    if (done_.contains(index)) return;
    open_.insert(index);
    const Table& table = parsed_.schema.tables[static_cast<std::size_t>(index)];
    for (const Field& field : table.fields) {
      if (field.type.base != BaseType::kTable || !field.required) continue;
      if (open_.contains(field.type.index)) {
        parsed_.complain(
            table.name + "." + field.name,
            "required field " + field.name + " closes a cycle of required tables: no message can hold it");
      } else {
        visit(field.type.index);
      }
    }
    open_.erase(index);
    done_.insert(index);
  }

  Parsed& parsed_;
  std::set<std::int32_t> open_;
  std::set<std::int32_t> done_;
};

void check_files(Parsed& parsed) {
  std::set<std::string> names;
  for (const std::string& include : parsed.schema.includes) {
    if (!names.insert(module_name(include)).second ||
        module_name(include) == module_name(parsed.schema.file)) {
      parsed.complain(
          {}, "two files are called " + include + "; generated files lie in one folder and would collide");
    }
  }
}

}  // namespace

void check_schema(Parsed& parsed) {
  check_files(parsed);
  for (const Enum& definition : parsed.schema.enums)
    check_namespace(parsed, definition.name, definition.file);
  for (const Table& table : parsed.schema.tables) {
    check_namespace(parsed, table.name, table.file);
    if (table.name != "leat.Tensor") continue;
    if (Status status = check_tensor_declaration(parsed.schema, table); !status.ok()) {
      parsed.complain(table.name, status.message());
    }
  }
  for (Service& service : parsed.schema.services) {
    check_namespace(parsed, service.name, service.file);
    for (Method& method : service.methods) {
      const std::string name = service.name + "." + method.name;
      if (Status status = apply_attributes(method); !status.ok()) parsed.complain(name, status.message());
      for (const auto& [end, index] :
           {std::pair("request", method.request), std::pair("response", method.response)}) {
        if (parsed.schema.tables[static_cast<std::size_t>(index)].name == "leat.Tensor") {
          parsed.complain(
              name, "the " + std::string(end) + " of a method must be a table of yours with a Tensor field");
        }
      }
    }
  }
  RequiredCycles(parsed).run();
}

void check_names(Parsed& parsed, const NameRules& rules, bool one_scope) {
  const Namer namer(rules);
  const Schema& schema = parsed.schema;
  std::map<std::string, Scope> scopes;
  const auto scope = [&](const std::string& name) -> Scope& {
    const std::string key = one_scope ? std::string() : std::string(namespace_name(name));
    return scopes.try_emplace(key, parsed, rules.language).first->second;
  };
  for (const Enum& definition : schema.enums) {
    if (definition.file != schema.file) continue;
    scope(definition.name).add(namer.type(definition.name), definition.name);
    Scope values(parsed, rules.language);
    for (const EnumValue& value : definition.values) {
      values.add(namer.enum_value(value.name), definition.name + "." + value.name);
    }
  }
  for (const Table& table : schema.tables) {
    if (table.file != schema.file) continue;
    scope(table.name).add(namer.type(table.name), table.name);
    if (!one_scope) scope(table.name).add(namer.type(table.name) + "View", table.name, "'s view");
    Scope fields(parsed, rules.language);
    for (const Field& field : table.fields) {
      if (field.deprecated) continue;
      fields.add(namer.field(field.name), table.name + "." + field.name);
      if (!one_scope && field.type.base == BaseType::kTable) {
        fields.add("has_" + namer.field(field.name), table.name + "." + field.name, "'s presence");
      }
    }
  }
  for (const Service& service : schema.services) {
    if (service.file != schema.file) continue;
    scope(service.name).add(namer.type(service.name), service.name);
    scope(service.name).add(namer.type(service.name) + "Service", service.name, "'s base class");
    if (!one_scope) {
      scope(service.name)
          .add(namer.type(service.name) + "AsyncService", service.name, "'s asynchronous base class");
    }
    Scope methods(parsed, rules.language);
    for (const Method& method : service.methods) {
      const std::string spelled = namer.method(method.name);
      const std::string name = service.name + "." + method.name;
      if (methods.add(spelled, name) && !one_scope && method.kind == CallKind::kUnary) {
        methods.add(spelled + "_async", name, "'s asynchronous form");
      }
    }
  }
}

}  // namespace leat::schema
