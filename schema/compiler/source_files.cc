#include "schema/compiler/source_files.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include <flatbuffers/util.h>

#include <leat/schema/compile.h>

namespace leat::schema {
namespace {

std::mutex hook_mutex;
SourceFiles* current = nullptr;  // guarded by hook_mutex, which a SourceFiles holds all its life

const std::string& builtin_path() {
  static const std::string kPath = std::string(SourceFiles::kBuiltinDirectory) + "/leat/leat.fbs";
  return kPath;
}

bool load_hook(const char* path, bool /*binary*/, std::string* text) {
  const std::string* found = current->read(path);
  if (found != nullptr) *text = *found;
  return found != nullptr;
}

bool exists_hook(const char* path) {
  std::error_code error;
  return path == builtin_path() || std::filesystem::is_regular_file(path, error);
}

}  // namespace

SourceFiles::SourceFiles() : lock_(hook_mutex) {
  current = this;
  flatbuffers::SetLoadFileFunction(load_hook);
  flatbuffers::SetFileExistsFunction(exists_hook);
}

SourceFiles::~SourceFiles() {
  flatbuffers::SetLoadFileFunction(nullptr);  // null: the library's own
  flatbuffers::SetFileExistsFunction(nullptr);
  current = nullptr;
}

const std::string* SourceFiles::read(const std::string& path) {
  if (const auto known = texts_.find(path); known != texts_.end()) return &known->second;
  if (path == builtin_path()) return &texts_.emplace(path, builtin_schema()).first->second;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return nullptr;
  std::ifstream file(path, std::ios::binary);
  if (!file) return nullptr;
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) return nullptr;
  return &texts_.emplace(path, std::move(text)).first->second;
}

std::string SourceFiles::spelled(const std::string& path) const {
  std::error_code error;
  for (const auto& [known, text] : texts_) {
    if (known == path || std::filesystem::weakly_canonical(known, error) == path) return known;
  }
  return path;
}

}  // namespace leat::schema
