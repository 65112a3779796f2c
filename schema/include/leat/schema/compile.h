// From .fbs files to a Schema, at build time (leatc) and at run time (leat.load_schema). Needs
// leat_schema_compiler.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <leat/schema/descriptor.h>
#include <leat/status.h>

namespace leat::schema {

/// One thing wrong with a schema file.
struct Diagnostic {
  std::string file;  ///< as the user spelled it, or as it was found from an include
  int line = 0;      ///< from 1; 0 if the whole file is meant
  std::string message;

  /// "imaging.fbs:12: message"
  [[nodiscard]] std::string to_string() const;
};

struct CompileOptions {
  /// Where includes are searched, in order, if they are not beside the including file. "leat/leat.fbs" is
  /// built in.
  std::vector<std::filesystem::path> include_directories;
  /// Also refuse names that collide once they are spelled the way of a language: for its generator.
  bool check_cpp_names = false;
  bool check_python_names = false;
};

/// Compiles a schema file and what it includes. Fails as kInvalidArgument (kNotFound if the file itself can't
/// be read) with one "file:line: message" per line, which `diagnostics`, if given, takes up one by one.
/// Thread-safe, but compilations wait for each other.
[[nodiscard]] Result<std::shared_ptr<const Schema>> compile(const std::filesystem::path& file,
                                                            const CompileOptions& options = {},
                                                            std::vector<Diagnostic>* diagnostics = nullptr);

/// The text of "leat/leat.fbs".
[[nodiscard]] std::string_view builtin_schema() noexcept;

}  // namespace leat::schema
