// How Python spells a schema's types, values and names; shared by the module and its stub.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <leat/schema/descriptor.h>

#include "schema/compiler/emitter.h"
#include "schema/compiler/namer.h"

namespace leat::schema {

class PythonTypes {
 public:
  explicit PythonTypes(const Schema& schema);

  [[nodiscard]] const Namer& namer() const noexcept { return namer_; }
  /// A table's class: "Frame", or "_common.Frame" if an included file declares it.
  [[nodiscard]] std::string table(std::int32_t index) const;
  /// A constructor's default. In a stub, "..." where the value says nothing.
  [[nodiscard]] std::string initialiser(const Field& field, bool stub) const;
  /// The attribute's type as read.
  [[nodiscard]] std::string read_type(const Field& field) const;
  /// What may be given for it.
  [[nodiscard]] std::string write_type(const Field& field) const;
  [[nodiscard]] std::string integer(BaseType type, std::int64_t value) const;
  /// Modules of the included files, leat/leat.fbs aside.
  [[nodiscard]] std::vector<std::string> included_modules() const;

  /// A builtin type for annotations: "list", or "_builtins.list" in a file where some field is called like a
  /// builtin.
  [[nodiscard]] std::string builtin(std::string_view name) const;

  /// "unary", "server_stream", "client_stream" or "bidi".
  [[nodiscard]] static std::string_view kind(CallKind kind) noexcept;
  /// A string literal.
  [[nodiscard]] static std::string literal(std::string_view text);
  static void emit_docstring(Emitter& out, std::string_view doc);
  /// One line if it fits, else one argument per line. `text` has one pair of parentheses that matters, the
  /// outermost.
  static void emit_call(Emitter& out, std::string_view text);
  /// __all__ with the names of this file's definitions.
  void emit_all(Emitter& out) const;

 private:
  [[nodiscard]] std::string qualified(const std::string& name, const std::string& file) const;
  [[nodiscard]] std::string scalar(const Type& type) const;

  const Schema* schema_;
  Namer namer_;
  bool shadowed_ = false;
};

}  // namespace leat::schema
