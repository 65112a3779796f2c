// From text to our descriptors, by way of FlatBuffers' own parser. front_end.cc is the one file that includes
// flatbuffers/idl.h.
#pragma once

#include <string>
#include <vector>

#include <leat/schema/compile.h>
#include <leat/schema/descriptor.h>

#include "schema/compiler/positions.h"
#include "schema/compiler/source_files.h"

namespace leat::schema {

/// What came of parsing; `schema` is meant only if `diagnostics` is empty.
struct Parsed {
  Schema schema;
  Positions positions;
  std::vector<Diagnostic> diagnostics;
  /// FlatBuffers' parser took the file, so further checks make sense.
  bool understood = false;

  /// Adds a diagnostic where `name` (full, see Positions) is declared.
  void complain(std::string_view name, std::string message);
};

/// Parses the file at `path`, whose text is `text`. What FlatBuffers' parser refuses is reported alone, its
/// first error only; what it takes and this version does not is reported all at once.
[[nodiscard]] Parsed parse(SourceFiles& files, const std::string& path, const std::string& text,
                           const std::vector<std::string>& include_directories);

}  // namespace leat::schema
