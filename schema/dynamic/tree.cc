#include "schema/dynamic/tree.h"

#include <cstring>
#include <string_view>

namespace leat::schema {
namespace {

/// The alternative T of a tree, or an error that says what was wanted.
template <class T>
Result<const T*> get(const Tree& tree, std::string_view wanted) {
  const T* value = std::get_if<T>(&tree.value);
  if (value == nullptr) return failure(Code::kInvalidArgument, "expected " + std::string(wanted));
  return value;
}

std::string number_text(double value) {
  std::string text = std::to_string(value);
  while (text.find('.') != std::string::npos && text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text += '0';
  return text;
}

template <class T>
std::string packed_text(const Buffer& bytes) {
  std::string text;
  for (std::size_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
    const T value = load_scalar<T>(bytes.data() + i);
    if (!text.empty()) text += ", ";
    if constexpr (std::is_floating_point_v<T>) {
      text += number_text(static_cast<double>(value));
    } else {
      text += std::to_string(value);
    }
  }
  return "[" + text + "]";
}

struct Writer {
  std::string operator()(std::monostate /*none*/) const { return "none"; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(std::uint64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return number_text(value); }
  std::string operator()(const std::string& value) const { return "\"" + value + "\""; }
  std::string operator()(const Tensor& tensor) const {
    std::string text(dtype_name(tensor.dtype()));
    text += tensor.order() == Order::kRowMajor ? "(" : "F(";
    for (std::size_t i = 0; i < tensor.rank(); ++i)
      text += (i == 0 ? "" : ", ") + std::to_string(tensor.shape()[i]);
    return text + ")";
  }
  std::string operator()(const Tree::List& list) const {
    std::string text;
    for (const Tree& item : list) text += (text.empty() ? "" : ", ") + item.text();
    return "[" + text + "]";
  }
  std::string operator()(const Tree::Object& object) const {
    std::string text;
    for (const auto& [name, item] : object) text += (text.empty() ? "" : ", ") + name + ": " + item.text();
    return "{" + text + "}";
  }
  std::string operator()(const Tree::Packed& packed) const {
    switch (packed.element) {
      case BaseType::kInt8: return packed_text<std::int8_t>(packed.bytes);
      case BaseType::kInt16: return packed_text<std::int16_t>(packed.bytes);
      case BaseType::kUInt16: return packed_text<std::uint16_t>(packed.bytes);
      case BaseType::kInt32: return packed_text<std::int32_t>(packed.bytes);
      case BaseType::kUInt32: return packed_text<std::uint32_t>(packed.bytes);
      case BaseType::kInt64: return packed_text<std::int64_t>(packed.bytes);
      case BaseType::kUInt64: return packed_text<std::uint64_t>(packed.bytes);
      case BaseType::kFloat32: return packed_text<float>(packed.bytes);
      case BaseType::kFloat64: return packed_text<double>(packed.bytes);
      default: return packed_text<std::uint8_t>(packed.bytes);
    }
  }
};

}  // namespace

std::string Tree::text() const { return std::visit(Writer(), value); }

Result<std::optional<TreeSource::Value>> TreeSource::field(Value object, const Table& table,
                                                           const Field& field) {
  const auto fields = get<Tree::Object>(*object, "a table " + table.name);
  if (!fields) return failure(fields.error());
  const auto found = (*fields)->find(field.name);
  if (found == (*fields)->end()) return std::nullopt;
  return &found->second;
}
Result<bool> TreeSource::boolean(Value value) {
  const auto found = get<bool>(*value, "a bool");
  if (!found) return failure(found.error());
  return **found;
}
Result<std::int64_t> TreeSource::integer(Value value, const Enum* names) {
  if (const auto* name = std::get_if<std::string>(&value->value); name != nullptr && names != nullptr) {
    const EnumValue* known = names->find(*name);
    if (known == nullptr)
      return failure(Code::kInvalidArgument, "'" + *name + "' is no value of " + names->name);
    return known->value;
  }
  const auto found = get<std::int64_t>(*value, "an integer");
  if (!found) return failure(found.error());
  return **found;
}
Result<std::uint64_t> TreeSource::unsigned_integer(Value value, const Enum* names) {
  if (const auto* number = std::get_if<std::uint64_t>(&value->value)) return *number;
  const auto found = integer(value, names);
  if (!found) return failure(found.error());
  if (*found < 0 && names == nullptr)
    return failure(Code::kInvalidArgument, "a negative number does not fit uint64");
  return static_cast<std::uint64_t>(*found);
}
Result<double> TreeSource::real(Value value) {
  const auto found = get<double>(*value, "a number");
  if (!found) return failure(found.error());
  return **found;
}
Result<std::string_view> TreeSource::text(Value value) {
  const auto found = get<std::string>(*value, "a string");
  if (!found) return failure(found.error());
  return std::string_view(**found);
}
Result<std::size_t> TreeSource::size(Value vector) {
  if (const auto* packed = std::get_if<Tree::Packed>(&vector->value)) {
    return packed->bytes.size() / inline_size(packed->element);
  }
  const auto found = get<Tree::List>(*vector, "a list");
  if (!found) return failure(found.error());
  return (*found)->size();
}
Result<TreeSource::Value> TreeSource::element(Value vector, std::size_t i) {
  const auto found = get<Tree::List>(*vector, "a list of other elements");
  if (!found) return failure(found.error());
  return &(**found)[i];
}
Result<std::optional<Bytes>> TreeSource::packed(Value vector, BaseType element) {
  const auto* packed = std::get_if<Tree::Packed>(&vector->value);
  if (packed == nullptr || packed->element != element) return std::nullopt;
  return packed->bytes.bytes();
}
Result<Tensor> TreeSource::tensor(Value value) {
  const auto found = get<Tensor>(*value, "a tensor");
  if (!found) return failure(found.error());
  return **found;
}

Result<TreeSink::Object> TreeSink::begin(const Table& /*table*/) { return Object(); }
Status TreeSink::set(Object& object, const Table& /*table*/, const Field& field, Value value) {
  object.insert_or_assign(field.name, std::move(value));
  return {};
}
Status TreeSink::absent(Object& /*object*/, const Table& /*table*/, const Field& /*field*/) { return {}; }
Result<Tree> TreeSink::end(Object object, const Table& /*table*/) { return Tree{std::move(object)}; }
Result<Tree> TreeSink::boolean(bool value) { return Tree{value}; }
Result<Tree> TreeSink::integer(std::int64_t value, const Enum* names) {
  if (const EnumValue* known = names != nullptr ? names->find(value) : nullptr) return Tree{known->name};
  return Tree{value};
}
Result<Tree> TreeSink::unsigned_integer(std::uint64_t value, const Enum* names) {
  const EnumValue* known = names != nullptr ? names->find(static_cast<std::int64_t>(value)) : nullptr;
  if (known != nullptr) return Tree{known->name};
  return Tree{value};
}
Result<Tree> TreeSink::real(double value) { return Tree{value}; }
Result<Tree> TreeSink::text(std::string_view value) { return Tree{std::string(value)}; }
Result<Tree> TreeSink::tensor(Tensor value) { return Tree{std::move(value)}; }
Result<Tree> TreeSink::scalars(BaseType element, const Enum* /*names*/, Buffer packed) {
  return Tree{Tree::Packed{.element = element, .bytes = std::move(packed)}};
}
Result<TreeSink::List> TreeSink::begin_list(const Type& /*type*/, std::size_t size) {
  List list;
  list.reserve(size);
  return list;
}
Status TreeSink::push(List& list, Value value) {
  list.push_back(std::move(value));
  return {};
}
Result<Tree> TreeSink::end_list(List list) { return Tree{std::move(list)}; }

}  // namespace leat::schema
