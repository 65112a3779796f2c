// What the tests of this folder share.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <leat/schema/compile.h>
#include <leat/schema/decode.h>
#include <leat/schema/encode.h>

#include "schema/dynamic/tree.h"

namespace leat::schema {

/// A schema of testdata/schemas, compiled once.
inline const Schema& test_schema(const std::string& name) {
  static std::map<std::string, std::shared_ptr<const Schema>> schemas;
  std::shared_ptr<const Schema>& schema = schemas[name];
  if (schema == nullptr) {
    auto compiled = compile(std::string(LEAT_SOURCE_DIR) + "/schema/testdata/schemas/" + name + ".fbs");
    EXPECT_TRUE(compiled) << compiled.error().message();
    schema = compiled.value_or(std::make_shared<const Schema>());
  }
  return *schema;
}

/// Trees without much ado: object({{"x", number(1)}}).
inline Tree object(Tree::Object fields) { return Tree{std::move(fields)}; }
inline Tree list(Tree::List items) { return Tree{std::move(items)}; }
inline Tree integer(std::int64_t value) { return Tree{value}; }
inline Tree real(double value) { return Tree{value}; }
inline Tree text(std::string value) { return Tree{std::move(value)}; }
inline Tree truth(bool value) { return Tree{value}; }

inline Result<Payload> encode_tree(const Schema& schema, std::string_view table, const Tree& tree,
                                   const EncodeOptions& options = {}) {
  TreeSource source;
  return encode(schema, *schema.find_table(table), source, &tree, options);
}
inline Result<Tree> decode_tree(const Schema& schema, std::string_view table, const Payload& payload) {
  TreeSink sink;
  return decode(schema, *schema.find_table(table), payload, sink);
}
/// The text of what comes back, or the error's.
inline std::string round_trip(const Schema& schema, std::string_view table, const Tree& tree,
                              const EncodeOptions& options = {}) {
  const auto payload = encode_tree(schema, table, tree, options);
  if (!payload) return payload.error().to_string();
  const auto back = decode_tree(schema, table, *payload);
  return back ? back->text() : back.error().to_string();
}

/// A frame with something in every field.
inline Tree full_frame(std::int64_t side = 4) {
  return object(
      {{"pixels", Tree{Tensor::allocate(DType::kUInt16, {side, side})}},
       {"index", integer(7)},
       {"captured", real(1.5)},
       {"position", object({{"x", real(1)}, {"y", real(2)}, {"locked", truth(false)}})},
       {"defects", integer(5)},
       {"label", text("a\xc3\xa4")},
       {"histogram", list({integer(1), integer(4000000000)})},
       {"trail", list({object({{"x", real(3)}, {"y", real(4)}}), object({{"x", real(5)}, {"y", real(6)}})})},
       {"tags", list({text("one"), text("")})},
       {"masks", list({Tree{Tensor::allocate(DType::kFloat64, {2})}})},
       {"modes", list({text("HighSpeed"), integer(0)})},
       {"valid", list({truth(true), truth(false)})},
       {"class", integer(-3)}});
}

}  // namespace leat::schema
