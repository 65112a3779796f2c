// The files of one compilation: what the FlatBuffers parser reads, it reads through here.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace leat::schema {

/// While one exists, the parser's file access goes through it: "leat/leat.fbs" is answered from memory, and
/// the text of every file is kept, to find positions in. The parser's hooks are global, so a second one waits
/// for the first to go.
class SourceFiles {
 public:
  /// Give this to the parser as an include directory, to have "leat/leat.fbs" found.
  static constexpr const char* kBuiltinDirectory = "<leat>";

  SourceFiles();
  ~SourceFiles();
  SourceFiles(const SourceFiles&) = delete;
  SourceFiles& operator=(const SourceFiles&) = delete;

  /// Reads a file, or takes it from what was read before. Null if it can't be read. The text stays where it
  /// is.
  const std::string* read(const std::string& path);
  /// Everything read so far, by the path it was read under.
  [[nodiscard]] const std::map<std::string, std::string>& texts() const noexcept { return texts_; }
  /// The path as the user knows it, for one that the parser has made absolute.
  [[nodiscard]] std::string spelled(const std::string& path) const;

 private:
  std::unique_lock<std::mutex> lock_;
  std::map<std::string, std::string> texts_;
};

}  // namespace leat::schema
