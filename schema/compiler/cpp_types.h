// How C++ spells a schema's types, values and names.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <leat/schema/descriptor.h>

#include "schema/compiler/emitter.h"
#include "schema/compiler/namer.h"

namespace leat::schema {

class CppTypes {
 public:
  CppTypes(const Schema& schema, Emitter& out) : schema_(&schema), out_(&out), namer_(cpp_rules()) {}

  [[nodiscard]] const Namer& namer() const noexcept { return namer_; }
  /// "::imaging::Frame", or "Frame" inside its own namespace. `suffix` for views and service bases.
  [[nodiscard]] std::string type(std::string_view full, std::string_view suffix = {}) const;
  /// Sets the namespace that names are written in.
  void enter(std::string_view name_space) { inside_ = name_space; }

  /// The member of the struct that is sent: "std::vector<std::string>".
  [[nodiscard]] std::string member(const Table& owner, const Field& field) const;
  /// What its initialiser is: "0.05", "Mode::kManual", "{}".
  [[nodiscard]] std::string initialiser(const Field& field) const;
  /// What a view's accessor gives: "leat::schema::VectorView<std::string_view>".
  [[nodiscard]] std::string viewed(const Field& field) const;
  /// A scalar's or enum's C++ type.
  [[nodiscard]] std::string scalar(const Type& type) const;

  /// Tables of the compiled file such that each comes after those it holds by value.
  [[nodiscard]] std::vector<const Table*> by_dependency() const;
  /// True if the field's table holds its owner again, directly or through others, so that it must be boxed.
  [[nodiscard]] bool recursive(const Table& owner, const Field& field) const;

 private:
  [[nodiscard]] std::string number(const Field& field) const;
  [[nodiscard]] bool reaches(std::int32_t from, const Table& target, std::set<std::int32_t>& seen) const;

  const Schema* schema_;
  Emitter* out_;
  Namer namer_;
  std::string inside_;
};

}  // namespace leat::schema
