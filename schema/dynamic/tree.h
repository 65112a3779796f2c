// Messages as plain trees of values: the smallest Source and Sink. For tests and tools, and an example to
// write others by; generated code and Python have better ones.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <leat/schema/decode.h>
#include <leat/schema/descriptor.h>
#include <leat/schema/encode.h>

namespace leat::schema {

struct Tree {
  using List = std::vector<Tree>;
  using Object = std::map<std::string, Tree, std::less<>>;
  /// A vector of scalars as it came.
  struct Packed {
    BaseType element = BaseType::kNone;
    Buffer bytes;
  };
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Tensor, List, Object,
               Packed>
      value;

  /// "{index: 7, label: "x", pixels: uint16(2, 3)}", fields in alphabetical order.
  [[nodiscard]] std::string text() const;
};

/// Shows trees to encode(). Names of enum values are taken for numbers.
class TreeSource {
 public:
  using Value = const Tree*;
  Result<std::optional<Value>> field(Value object, const Table& table, const Field& field);
  Result<bool> boolean(Value value);
  Result<std::int64_t> integer(Value value, const Enum* names);
  Result<std::uint64_t> unsigned_integer(Value value, const Enum* names);
  Result<double> real(Value value);
  Result<std::string_view> text(Value value);
  Result<std::size_t> size(Value vector);
  Result<Value> element(Value vector, std::size_t i);
  Result<std::optional<Bytes>> packed(Value vector, BaseType element);
  Result<Tensor> tensor(Value value);
};
static_assert(Source<TreeSource>);

/// Builds trees for decode(). Enum values become names; absent fields are left out.
class TreeSink {
 public:
  using Value = Tree;
  using Object = Tree::Object;
  using List = Tree::List;
  Result<Object> begin(const Table& table);
  Status set(Object& object, const Table& table, const Field& field, Value value);
  Status absent(Object& object, const Table& table, const Field& field);
  Result<Value> end(Object object, const Table& table);
  Result<Value> boolean(bool value);
  Result<Value> integer(std::int64_t value, const Enum* names);
  Result<Value> unsigned_integer(std::uint64_t value, const Enum* names);
  Result<Value> real(double value);
  Result<Value> text(std::string_view value);
  Result<Value> tensor(Tensor value);
  Result<Value> scalars(BaseType element, const Enum* names, Buffer packed);
  Result<List> begin_list(const Type& type, std::size_t size);
  Status push(List& list, Value value);
  Result<Value> end_list(List list);
};
static_assert(Sink<TreeSink>);

}  // namespace leat::schema
