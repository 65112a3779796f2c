// Proves that bytes are a well-formed message of a table, so that everything else may trust them.
#pragma once

#include <cstddef>

#include <leat/message.h>
#include <leat/schema/descriptor.h>
#include <leat/status.h>

namespace leat::schema {

/// What a message may cost its reader. Exceeding one is kResourceExhausted.
struct Limits {
  /// Tables within tables.
  std::size_t depth = 64;
  std::size_t tables = 1'000'000;
  /// Bytes that a walk over the message visits. Offsets may share what they point to, so a small message can
  /// describe an endless one; honest messages share little.
  std::size_t visited_per_byte = 64;
  std::size_t visited_at_least = std::size_t{1} << 20U;
};

/// Checks the head of `payload` as a message of `table`: every offset in bounds and aligned, strings
/// terminated and UTF-8, required fields present, tensors whose shape, data and attachment agree.
/// kInvalidArgument (kResourceExhausted for a limit) with the field's path: "imaging.Frame.pixels.shape:
/// ...". Fields that the schema does not know are skipped, as FlatBuffers' evolution wants. `table` belongs
/// to `schema`.
[[nodiscard]] Status verify(const Schema& schema, const Table& table, const Payload& payload,
                            const Limits& limits = {});

}  // namespace leat::schema
