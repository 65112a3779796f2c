// Where things are declared, by a scan of the tokens of our own: the FlatBuffers parser keeps no positions.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace leat::schema {

struct Position {
  std::string file;
  int line = 0;  ///< from 1
};

/// Declarations by full name: "imaging.Frame", "imaging.Frame.pixels", "imaging.Microscope.Snap",
/// "imaging.Mode.Auto".
class Positions {
 public:
  /// Adds what the text of one file declares. Text that the parser refuses may be misread, but does no harm.
  void scan(const std::string& file, std::string_view text);
  /// The declaration, or null.
  [[nodiscard]] const Position* find(std::string_view name) const;

 private:
  std::map<std::string, Position, std::less<>> found_;
};

}  // namespace leat::schema
