// How names of a schema are spelled in a language. The rules are data, so that a language is a table, not
// code.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace leat::schema {

enum class Case {
  kAsDeclared,
  kSnake,       ///< pixel_size
  kUpperSnake,  ///< PIXEL_SIZE
  kCamel,       ///< PixelSize; names without underscores that begin with a capital stay as they are
};

/// The text in that case. Words end at underscores and where capitals begin: "pixelSize", "HTTPServer"
/// (http_server).
[[nodiscard]] std::string to_case(std::string_view name, Case to);

struct NameRules {
  std::string_view language;
  Case field = Case::kSnake;
  Case method = Case::kSnake;
  Case enum_value = Case::kAsDeclared;
  std::string_view enum_value_prefix;
  std::span<const std::string_view> keywords;
  /// Names that the generated classes use themselves.
  std::span<const std::string_view> reserved_fields;
  std::span<const std::string_view> reserved_methods;
  std::span<const std::string_view> reserved_types;
};

[[nodiscard]] const NameRules& cpp_rules() noexcept;
[[nodiscard]] const NameRules& python_rules() noexcept;

/// Spells names by a language's rules; a name that would be a keyword or is reserved gets a trailing
/// underscore.
class Namer {
 public:
  explicit Namer(const NameRules& rules) noexcept : rules_(&rules) {}
  [[nodiscard]] std::string field(std::string_view name) const;
  [[nodiscard]] std::string method(std::string_view name) const;
  [[nodiscard]] std::string enum_value(std::string_view name) const;
  /// A table, enum or service; `name` may be full, the namespace is left out.
  [[nodiscard]] std::string type(std::string_view name) const;
  /// A full name's namespace with `separator` between its parts: "a::b". Empty if there is none.
  [[nodiscard]] std::string name_space(std::string_view full, std::string_view separator) const;

 private:
  [[nodiscard]] std::string escape(std::string name, std::span<const std::string_view> reserved) const;
  const NameRules* rules_;
};

/// A file's name without directories and ".fbs", as an identifier: "imaging".
[[nodiscard]] std::string module_name(std::string_view file);

}  // namespace leat::schema
