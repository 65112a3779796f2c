// Schemas to and from FlatBuffers' binary form (.bfbs, reflection.fbs), which is what generated code embeds
// and what peers send each other.
#pragma once

#include <memory>

#include <leat/bytes.h>
#include <leat/schema/descriptor.h>
#include <leat/status.h>

namespace leat::schema {

/// Reads a binary schema written by save() or by `flatc -b --schema --bfbs-comments`. The bytes may come from
/// anybody: they are verified first, and everything they refer to is checked. kInvalidArgument naming what is
/// wrong; also for constructs that this version does not take (structs, unions, fixed arrays, optional
/// scalars). Shares nothing with `bfbs`.
[[nodiscard]] Result<std::shared_ptr<const Schema>> load(Bytes bfbs);

/// The binary schema, readable by load() and by stock FlatBuffers tools. The same schema gives the same
/// bytes.
[[nodiscard]] Buffer save(const Schema& schema);

/// The checks of load() alone, for schemas that were built in memory: references in range, ids without gaps,
/// leat.Tensor as leat/leat.fbs declares it, services with valid attributes. Also fills in what follows from
/// attributes and names (Table::is_tensor, Method's fields).
[[nodiscard]] Status complete(Schema& schema);

}  // namespace leat::schema
