#include "schema/compiler/namer.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <leat/schema/descriptor.h>

namespace leat::schema {
namespace {

bool upper(char c) { return c >= 'A' && c <= 'Z'; }
bool lower(char c) { return c >= 'a' && c <= 'z'; }
char to_upper(char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); }
char to_lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

std::string snake(std::string_view name) {
  std::string result;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool after_word = i > 0 && name[i - 1] != '_' && !upper(name[i - 1]);
    const bool ends_acronym = i > 0 && i + 1 < name.size() && upper(name[i - 1]) && lower(name[i + 1]);
    if (upper(name[i]) && (after_word || ends_acronym)) result += '_';
    result += to_lower(name[i]);
  }
  return result;
}

std::string camel(std::string_view name) {
  if (!name.empty() && upper(name.front()) && name.find('_') == std::string_view::npos)
    return std::string(name);
  std::string result;
  bool start = true;
  for (const char c : snake(name)) {
    if (c == '_') {
      start = true;
      continue;
    }
    result += start ? to_upper(c) : c;
    start = false;
  }
  return result;
}

constexpr auto kCppKeywords =
    std::to_array<std::string_view>({"alignas",   "alignof",      "and",           "and_eq",
                                     "asm",       "auto",         "bitand",        "bitor",
                                     "bool",      "break",        "case",          "catch",
                                     "char",      "char16_t",     "char32_t",      "char8_t",
                                     "class",     "co_await",     "co_return",     "co_yield",
                                     "compl",     "concept",      "const",         "const_cast",
                                     "consteval", "constexpr",    "constinit",     "continue",
                                     "decltype",  "default",      "delete",        "do",
                                     "double",    "dynamic_cast", "else",          "enum",
                                     "errno",     "explicit",     "export",        "extern",
                                     "false",     "float",        "for",           "friend",
                                     "goto",      "if",           "inline",        "int",
                                     "long",      "mutable",      "namespace",     "new",
                                     "noexcept",  "not",          "not_eq",        "nullptr",
                                     "operator",  "or",           "or_eq",         "private",
                                     "protected", "public",       "register",      "reinterpret_cast",
                                     "requires",  "return",       "short",         "signed",
                                     "sizeof",    "static",       "static_assert", "static_cast",
                                     "std",       "struct",       "switch",        "template",
                                     "this",      "thread_local", "throw",         "true",
                                     "try",       "typedef",      "typeid",        "typename",
                                     "union",     "unsigned",     "using",         "virtual",
                                     "void",      "volatile",     "wchar_t",       "while",
                                     "xor",       "xor_eq",       "leat"});
constexpr auto kCppFields = std::to_array<std::string_view>({"decode", "table_"});
constexpr auto kCppMethods = std::to_array<std::string_view>(
    {"service_info", "find_method", "known_methods", "handle_call", "caller_"});
constexpr auto kCppTypes = std::to_array<std::string_view>({"build", "encode", "enum_name"});

constexpr auto kPythonKeywords = std::to_array<std::string_view>(
    {"False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
     "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
     "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
     "or",    "pass",     "raise", "return", "self", "try",    "while",  "with",     "yield"});
// What leat.schema's base classes have.
constexpr auto kPythonFields = std::to_array<std::string_view>({"decode", "encode", "_descriptor", "_table"});
constexpr auto kPythonMethods =
    std::to_array<std::string_view>({"_add_to", "_descriptor", "_methods", "_peer", "_service"});
constexpr auto kPythonTypes = std::to_array<std::string_view>({"_descriptor", "_enum", "_schema"});

}  // namespace

std::string to_case(std::string_view name, Case to) {
  switch (to) {
    case Case::kSnake: return snake(name);
    case Case::kCamel: return camel(name);
    case Case::kUpperSnake: {
      std::string result = snake(name);
      std::ranges::transform(result, result.begin(), to_upper);
      return result;
    }
    case Case::kAsDeclared: break;
  }
  return std::string(name);
}

const NameRules& cpp_rules() noexcept {
  static constexpr NameRules rules{.language = "C++",
                                   .enum_value = Case::kCamel,
                                   .enum_value_prefix = "k",
                                   .keywords = kCppKeywords,
                                   .reserved_fields = kCppFields,
                                   .reserved_methods = kCppMethods,
                                   .reserved_types = kCppTypes};
  return rules;
}

const NameRules& python_rules() noexcept {
  static constexpr NameRules rules{.language = "Python",
                                   .enum_value = Case::kUpperSnake,
                                   .enum_value_prefix = {},
                                   .keywords = kPythonKeywords,
                                   .reserved_fields = kPythonFields,
                                   .reserved_methods = kPythonMethods,
                                   .reserved_types = kPythonTypes};
  return rules;
}

std::string Namer::escape(std::string name, std::span<const std::string_view> reserved) const {
  const bool taken = std::ranges::find(rules_->keywords, name) != rules_->keywords.end() ||
                     std::ranges::find(reserved, name) != reserved.end();
  if (taken) name += '_';
  return name;
}

std::string Namer::field(std::string_view name) const {
  return escape(to_case(name, rules_->field), rules_->reserved_fields);
}
std::string Namer::method(std::string_view name) const {
  return escape(to_case(name, rules_->method), rules_->reserved_methods);
}
std::string Namer::enum_value(std::string_view name) const {
  return escape(std::string(rules_->enum_value_prefix) + to_case(name, rules_->enum_value), {});
}
std::string Namer::type(std::string_view name) const {
  return escape(std::string(short_name(name)), rules_->reserved_types);
}

std::string Namer::name_space(std::string_view full, std::string_view separator) const {
  std::string result;
  std::string_view rest = namespace_name(full);
  while (!rest.empty()) {
    const std::size_t dot = rest.find('.');
    if (!result.empty()) result += separator;
    result += escape(std::string(rest.substr(0, dot)), {});
    rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  }
  return result;
}

std::string module_name(std::string_view file) {
  if (const std::size_t slash = file.rfind('/'); slash != std::string_view::npos)
    file.remove_prefix(slash + 1);
  if (file.ends_with(".fbs")) file.remove_suffix(4);
  std::string name;
  for (const char c : file) {
    const bool fits = lower(c) || upper(c) || (c >= '0' && c <= '9');
    name += fits ? c : '_';
  }
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) name.insert(name.begin(), '_');
  return name;
}

}  // namespace leat::schema
