// What a schema must keep to beyond FlatBuffers' own rules. All that is wrong is reported in one run.
#pragma once

#include "schema/compiler/front_end.h"
#include "schema/compiler/namer.h"

namespace leat::schema {

/// Attributes of methods, reserved names, cycles that no message can satisfy, files that can't be told apart.
void check_schema(Parsed& parsed);

/// Names that become the same once they are spelled by a language's rules. Only of the compiled file, not of
/// what it includes. `one_scope`: the language puts all namespaces of a file into one (a Python module).
void check_names(Parsed& parsed, const NameRules& rules, bool one_scope);

}  // namespace leat::schema
