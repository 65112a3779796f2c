// From .fbs files to a Schema, at build time (leatc) and at run time (leat.load_schema). Needs leat_schema_compiler.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
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

/// Compiles a schema file and what it includes. Includes are searched beside the including file, then in
/// `include_directories` in order; "leat/leat.fbs" is built in. Fails as kInvalidArgument (kNotFound if the file itself
/// can't be read) with one "file:line: message" per line, the same that `diagnostics` takes up if given.
/// Thread-safe, but compilations wait for each other.
[[nodiscard]] Result<std::shared_ptr<const Schema>> compile(
    const std::filesystem::path& file, const std::vector<std::filesystem::path>& include_directories = {},
    std::vector<Diagnostic>* diagnostics = nullptr);

/// The text of "leat/leat.fbs".
[[nodiscard]] std::string_view builtin_schema() noexcept;

}  // namespace leat::schema
