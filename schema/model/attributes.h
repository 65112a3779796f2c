// What each attribute of a method may say. Used where a schema comes from text (positions are added there)
// and where it comes as a descriptor.
#pragma once

#include <leat/schema/descriptor.h>
#include <leat/status.h>

namespace leat::schema {

/// Fills in what the method's attributes say: kind, idempotent, channel and so on. kInvalidArgument naming
/// the attribute, what it says and what it may say.
[[nodiscard]] Status apply_attributes(Method& method);

/// kInvalidArgument unless the table is leat.Tensor exactly as leat/leat.fbs declares it.
[[nodiscard]] Status check_tensor_declaration(const Schema& schema, const Table& table);

}  // namespace leat::schema
