// The generators: a Schema in, the text of files out. Pure functions; the same schema gives the same text.
#pragma once

#include <string>

#include <leat/schema/descriptor.h>

namespace leat::schema {

/// The version of leatc that generated files state.
inline constexpr const char* kGeneratorVersion = "0.1.0";

/// The header imaging.leat.h.
[[nodiscard]] std::string generate_cpp(const Schema& schema);
/// The module imaging.py.
[[nodiscard]] std::string generate_python(const Schema& schema);
/// Its stub imaging.pyi.
[[nodiscard]] std::string generate_python_stub(const Schema& schema);

}  // namespace leat::schema
