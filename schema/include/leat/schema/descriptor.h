// What a schema says, as plain values: tables, enums, services and how they refer to each other. The one
// description that the compiler, the verifier, the dynamic codec, reflection and the handshake share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <leat/context.h>
#include <leat/service.h>

namespace leat::schema {

/// FlatBuffers' base types under its own numbers (reflection.fbs). What this version does not take is refused
/// by load() and compile(), so that nobody downstream has to handle it: unions, structs, fixed arrays.
enum class BaseType : std::uint8_t {
  kNone = 0,
  kUnionType = 1,
  kBool = 2,
  kInt8 = 3,
  kUInt8 = 4,
  kInt16 = 5,
  kUInt16 = 6,
  kInt32 = 7,
  kUInt32 = 8,
  kInt64 = 9,
  kUInt64 = 10,
  kFloat32 = 11,
  kFloat64 = 12,
  kString = 13,
  kVector = 14,
  kTable = 15,
  kUnion = 16,
  kArray = 17,
};

[[nodiscard]] constexpr bool is_scalar(BaseType type) noexcept {
  return type >= BaseType::kBool && type <= BaseType::kFloat64;
}
[[nodiscard]] constexpr bool is_integer(BaseType type) noexcept {
  return type >= BaseType::kInt8 && type <= BaseType::kUInt64;
}
[[nodiscard]] constexpr bool is_unsigned(BaseType type) noexcept {
  return type == BaseType::kUInt8 || type == BaseType::kUInt16 || type == BaseType::kUInt32 ||
         type == BaseType::kUInt64;
}
[[nodiscard]] constexpr bool is_float(BaseType type) noexcept {
  return type == BaseType::kFloat32 || type == BaseType::kFloat64;
}
/// Bytes that a value takes inside a table or vector: the scalar itself, or a 32-bit offset.
[[nodiscard]] std::size_t inline_size(BaseType type) noexcept;
/// The type's name as schemas spell it: "uint16", "string".
[[nodiscard]] std::string_view type_name(BaseType type) noexcept;

struct Type {
  BaseType base = BaseType::kNone;
  /// For vectors: what they are of.
  BaseType element = BaseType::kNone;
  /// Into Schema::tables if the base (or a vector's element) is kTable; into Schema::enums if it is an enum;
  /// else -1.
  std::int32_t index = -1;

  /// The base type, or for a vector its element's.
  [[nodiscard]] BaseType innermost() const noexcept { return base == BaseType::kVector ? element : base; }
  /// True if the value, or a vector's element, is an enum's.
  [[nodiscard]] bool is_enum() const noexcept { return index >= 0 && is_scalar(innermost()); }
  friend bool operator==(const Type&, const Type&) = default;
};

/// Attributes in alphabetical order; a flag such as `required` has an empty value or "0".
using Attributes = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] const std::string* find_attribute(const Attributes& attributes, std::string_view name) noexcept;

struct Field {
  std::string name = {};
  Type type = {};
  /// The slot in the vtable, from 0.
  std::uint16_t id = 0;
  /// The default of an integer, a bool (0 or 1) or an enum; of a uint64 the same 64 bits.
  std::int64_t default_integer = 0;
  double default_real = 0;
  bool required = false;
  bool deprecated = false;
  std::string doc = {};  ///< lines joined by '\n', without the comment marks
  Attributes attributes = {};

  /// Where the field's entry stands in a vtable, in bytes.
  [[nodiscard]] std::uint16_t vtable_offset() const noexcept {
    return static_cast<std::uint16_t>(4 + 2 * id);
  }
};

struct Table {
  std::string name = {};           ///< full: "imaging.Frame"
  std::vector<Field> fields = {};  ///< by id, which has no gaps: fields[i].id == i
  std::string doc = {};
  Attributes attributes = {};
  std::string file =
      {};  ///< the schema file that declares it, without directories ("leat/leat.fbs" for the built-in one)
  /// The built-in leat.Tensor: travels as a table, is a leat::Tensor everywhere else.
  bool is_tensor = false;

  [[nodiscard]] const Field* find(std::string_view field) const noexcept;
};

struct EnumValue {
  std::string name = {};
  std::int64_t value = 0;  ///< of a uint64 enum the same 64 bits
  std::string doc = {};
};

struct Enum {
  std::string name = {};
  BaseType underlying = BaseType::kInt32;
  bool bit_flags = false;              ///< values are masks already (1, 2, 4), not bit numbers
  std::vector<EnumValue> values = {};  ///< ascending
  std::string doc = {};
  Attributes attributes = {};
  std::string file = {};

  [[nodiscard]] const EnumValue* find(std::string_view value) const noexcept;
  [[nodiscard]] const EnumValue* find(std::int64_t value) const noexcept;
};

struct Method {
  std::string name = {};
  std::int32_t request = -1;   ///< into Schema::tables
  std::int32_t response = -1;  ///< into Schema::tables
  CallKind kind = CallKind::kUnary;
  bool idempotent = false;
  std::optional<Channel> channel = {};
  std::optional<std::uint32_t> deadline_ms = {};
  std::optional<std::uint32_t> max_inflight = {};  ///< calls of it that one server runs at a time
  bool run_inline = false;                         ///< known to be quick: runs where the request is read
  std::string doc = {};
  Attributes attributes = {};  ///< all of them, those above included
};

struct Service {
  std::string name = {};
  std::vector<Method> methods = {};
  std::string doc = {};
  Attributes attributes = {};
  std::string file = {};

  [[nodiscard]] const Method* find(std::string_view method) const noexcept;
};

/// A schema file with everything it includes. Immutable once built; share it as shared_ptr<const Schema>.
/// Compiled schemas keep the order of declaration; loaded ones are alphabetical. Nothing depends on the
/// order.
struct Schema {
  std::vector<Table> tables = {};
  std::vector<Enum> enums = {};
  std::vector<Service> services = {};
  std::string file = {};                   ///< the file that was compiled: "imaging.fbs"
  std::vector<std::string> includes = {};  ///< files it includes directly, as Table::file spells them
  std::int32_t root = -1;                  ///< the root_type's table, or -1
  std::string file_identifier = {};

  [[nodiscard]] const Table* find_table(std::string_view name) const noexcept;
  [[nodiscard]] const Enum* find_enum(std::string_view name) const noexcept;
  [[nodiscard]] const Service* find_service(std::string_view name) const noexcept;
  /// The table that a type (or a vector's element) names. The type must be of this schema and of a table.
  [[nodiscard]] const Table& table_of(const Type& type) const noexcept {
    return tables[static_cast<std::size_t>(type.index)];
  }
  [[nodiscard]] const Enum& enum_of(const Type& type) const noexcept {
    return enums[static_cast<std::size_t>(type.index)];
  }
};

/// 128 bits over what two sides must agree on to exchange this service's messages: its methods with their
/// kinds, and every table and enum they reach. Docs, files, the order of declaration, and attributes that
/// only one side acts on (channel, deadline_ms) do not count. Stable across versions of Leat: FNV-1a over the
/// text of canonical().
[[nodiscard]] Fingerprint fingerprint(const Schema& schema, const Service& service);
/// The text that is hashed, one line per fact; for tests and for finding out why two fingerprints differ.
[[nodiscard]] std::string canonical(const Schema& schema, const Service& service);

/// The part after the last dot: "Frame".
[[nodiscard]] std::string_view short_name(std::string_view full) noexcept;
/// The part before it: "imaging", or empty.
[[nodiscard]] std::string_view namespace_name(std::string_view full) noexcept;

}  // namespace leat::schema
