#include <algorithm>
#include <tuple>
#include <utility>

#include <leat/schema/compile.h>
#include <leat/schema/load.h>

#include "schema/compiler/checks.h"
#include "schema/compiler/front_end.h"
#include "schema/compiler/namer.h"
#include "schema/compiler/source_files.h"

namespace leat::schema {

std::string Diagnostic::to_string() const {
  return file + ":" + (line > 0 ? std::to_string(line) + ":" : "") + " " + message;
}

Result<std::shared_ptr<const Schema>> compile(const std::filesystem::path& file,
                                              const CompileOptions& options,
                                              std::vector<Diagnostic>* diagnostics) {
  SourceFiles files;
  const std::string path = file.generic_string();
  const std::string* text = files.read(path);
  if (text == nullptr) {
    Diagnostic missing{.file = path, .line = 0, .message = "no such file, or it can't be read"};
    if (diagnostics != nullptr) diagnostics->push_back(missing);
    return failure(Code::kNotFound, missing.to_string());
  }
  std::vector<std::string> directories;
  for (const std::filesystem::path& directory : options.include_directories) {
    directories.push_back(directory.generic_string());
  }
  Parsed parsed = parse(files, path, *text, directories);
  if (parsed.understood) {
    check_schema(parsed);
    if (options.check_cpp_names) check_names(parsed, cpp_rules(), false);
    if (options.check_python_names) check_names(parsed, python_rules(), true);
  }
  if (parsed.diagnostics.empty()) {
    // What is left for complete() to find would be a mistake of ours or of the parser's.
    if (Status status = complete(parsed.schema); !status.ok()) {
      parsed.diagnostics.push_back({.file = path, .line = 0, .message = status.message()});
    }
  }
  if (!parsed.diagnostics.empty()) {
    std::ranges::sort(parsed.diagnostics, [](const Diagnostic& a, const Diagnostic& b) {
      return std::tie(a.file, a.line, a.message) < std::tie(b.file, b.line, b.message);
    });
    std::string all;
    for (const Diagnostic& diagnostic : parsed.diagnostics) {
      if (!all.empty()) all += '\n';
      all += diagnostic.to_string();
    }
    if (diagnostics != nullptr) *diagnostics = std::move(parsed.diagnostics);
    return failure(Code::kInvalidArgument, std::move(all));
  }
  return std::make_shared<const Schema>(std::move(parsed.schema));
}

}  // namespace leat::schema
