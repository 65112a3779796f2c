#include "schema/compiler/python_types.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace leat::schema {
namespace {

constexpr std::size_t kLineWidth = 110;

bool is_tensor(const Schema& schema, const Type& type) {
  return type.innermost() == BaseType::kTable && schema.table_of(type).is_tensor;
}

std::string_view numpy_name(BaseType type) { return type == BaseType::kBool ? "bool_" : type_name(type); }

/// The arguments between the outermost parentheses, split at their commas.
std::vector<std::string> split_arguments(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      parts.back() += c;
      if (c == '\\' && i + 1 < text.size()) parts.back() += text[++i];
      if (c == quote) quote = 0;
      continue;
    }
    if (c == '"') quote = c;
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (c == ',' && depth == 0) {
      parts.emplace_back();
    } else if (c != ' ' || !parts.back().empty()) {
      parts.back() += c;
    }
  }
  return parts;
}

// The builtins that annotations use.
constexpr auto kBuiltins = std::to_array<std::string_view>(
    {"bool", "bytearray", "bytes", "float", "int", "list", "memoryview", "property", "str"});

}  // namespace

PythonTypes::PythonTypes(const Schema& schema) : schema_(&schema), namer_(python_rules()) {
  for (const Table& table : schema.tables) {
    if (table.file != schema.file) continue;
    for (const Field& field : table.fields) {
      if (std::ranges::find(kBuiltins, namer_.field(field.name)) != kBuiltins.end()) shadowed_ = true;
    }
  }
  for (const Service& service : schema.services) {
    for (const Method& method : service.methods) {
      if (std::ranges::find(kBuiltins, namer_.method(method.name)) != kBuiltins.end()) shadowed_ = true;
    }
  }
}

std::string PythonTypes::builtin(std::string_view name) const {
  return (shadowed_ ? "_builtins." : "") + std::string(name);
}

std::string_view PythonTypes::kind(CallKind kind) noexcept {
  constexpr std::array<std::string_view, 4> kNames = {"unary", "server_stream", "client_stream", "bidi"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string PythonTypes::literal(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
      result += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else {
      if (c == '"' || c == '\\') result += '\\';
      result += c;
    }
  }
  return result + "\"";
}

void PythonTypes::emit_docstring(Emitter& out, std::string_view doc) {
  if (doc.empty()) return;
  std::string text = "\"\"\"";
  for (const char c : doc) {
    if (c == '\\' || c == '"') text += '\\';
    const bool control = (static_cast<unsigned char>(c) < ' ' && c != '\n') || c == '\x7f';
    text += control ? ' ' : c;
  }
  if (doc.find('\n') != std::string_view::npos) text += '\n';
  out.raw(text + "\"\"\"");
}

void PythonTypes::emit_call(Emitter& out, std::string_view text) {
  if (text.size() + 8 <= kLineWidth) {
    out.raw(text);
    return;
  }
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  out.raw(text.substr(0, open + 1));
  for (const std::string& argument : split_arguments(text.substr(open + 1, close - open - 1))) {
    out.line("    {},", argument);
  }
  out.raw(text.substr(close));
}

std::string PythonTypes::qualified(const std::string& name, const std::string& file) const {
  return file == schema_->file ? namer_.type(name) : "_" + module_name(file) + "." + namer_.type(name);
}

std::string PythonTypes::table(std::int32_t index) const {
  const Table& table = schema_->tables[static_cast<std::size_t>(index)];
  return qualified(table.name, table.file);
}

std::string PythonTypes::integer(BaseType type, std::int64_t value) const {
  return type == BaseType::kUInt64 ? fmt::format("{}", static_cast<std::uint64_t>(value))
                                   : fmt::format("{}", value);
}

std::string PythonTypes::initialiser(const Field& field, bool stub) const {
  switch (field.type.base) {
    case BaseType::kString: return "\"\"";
    case BaseType::kVector: return "()";
    case BaseType::kTable: return "None";
    case BaseType::kBool: return field.default_integer != 0 ? "True" : "False";
    default: break;
  }
  if (is_float(field.type.base)) {
    const double value = field.default_real;
    if (!std::isfinite(value)) {
      return stub                ? "..."
             : std::isnan(value) ? "float(\"nan\")"
             : value < 0         ? "float(\"-inf\")"
                                 : "float(\"inf\")";
    }
    const std::string text = fmt::format("{}", value);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
  }
  if (!field.type.is_enum()) return integer(field.type.base, field.default_integer);
  const Enum& definition = schema_->enum_of(field.type);
  const std::string name = qualified(definition.name, definition.file);
  if (stub) return "...";
  if (const EnumValue* value = definition.find(field.default_integer)) {
    return name + "." + namer_.enum_value(value->name);
  }
  const std::string number = integer(field.type.base, field.default_integer);
  return definition.bit_flags ? name + "(" + number + ")" : number;
}

std::string PythonTypes::scalar(const Type& type) const {
  if (type.is_enum()) {
    const Enum& definition = schema_->enum_of(type);
    return qualified(definition.name, definition.file);
  }
  if (type.innermost() == BaseType::kBool) return builtin("bool");
  return builtin(is_float(type.innermost()) ? "float" : "int");
}

std::string PythonTypes::read_type(const Field& field) const {
  const Type& type = field.type;
  const bool vector = type.base == BaseType::kVector;
  if (is_scalar(type.innermost())) {
    return vector ? fmt::format("_npt.NDArray[_np.{}]", numpy_name(type.element)) : scalar(type);
  }
  std::string inner = builtin("str");
  if (is_tensor(*schema_, type)) {
    inner = "_npt.NDArray[_typing.Any]";
  } else if (type.innermost() == BaseType::kTable) {
    inner = table(type.index);
  }
  if (vector) return builtin("list") + "[" + inner + "]";
  return type.base == BaseType::kTable ? inner + " | None" : inner;
}

std::string PythonTypes::write_type(const Field& field) const {
  const Type& type = field.type;
  const bool vector = type.base == BaseType::kVector;
  if (is_scalar(type.innermost())) {
    if (!vector) return scalar(type);
    std::string text = fmt::format("_abc.Sequence[{}] | _npt.NDArray[_typing.Any]", scalar(type));
    if (type.element != BaseType::kUInt8 || type.is_enum()) return text;
    for (const std::string_view name : {"bytes", "bytearray", "memoryview"}) text += " | " + builtin(name);
    return text;
  }
  std::string inner = builtin("str");
  if (is_tensor(*schema_, type)) {
    inner = "_npt.ArrayLike";
  } else if (type.innermost() == BaseType::kTable) {
    inner = table(type.index);
  }
  if (vector) return "_abc.Sequence[" + inner + "]";
  return type.base == BaseType::kTable ? inner + " | None" : inner;
}

std::vector<std::string> PythonTypes::included_modules() const {
  std::vector<std::string> modules;
  for (const std::string& include : schema_->includes) {
    if (include != "leat/leat.fbs") modules.push_back(module_name(include));
  }
  return modules;
}

void PythonTypes::emit_all(Emitter& out) const {
  out.line("__all__ = [");
  for (const Enum& definition : schema_->enums) {
    if (definition.file == schema_->file) out.line("    \"{}\",", namer_.type(definition.name));
  }
  for (const Table& table : schema_->tables) {
    if (table.file == schema_->file) out.line("    \"{}\",", namer_.type(table.name));
  }
  for (const Service& service : schema_->services) {
    if (service.file != schema_->file) continue;
    out.line("    \"{}\",", namer_.type(service.name));
    out.line("    \"{}Service\",", namer_.type(service.name));
  }
  out.line("]");
}

}  // namespace leat::schema
