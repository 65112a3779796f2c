// The hash is FNV-1a with 128 bits, from its authors' description (Fowler, Noll, Vo; IETF
// draft-eastlake-fnv): offset basis 0x6c62272e07bb014262b821756295c58d, prime 2^88 + 0x13b. It only has to
// tell schemas apart that differ by accident: a peer that lies about its schema gains nothing, since messages
// are verified.
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <leat/schema/descriptor.h>

namespace leat::schema {
namespace {

struct Hash128 {
  std::uint64_t high = 0x6c62272e07bb0142;
  std::uint64_t low = 0x62b821756295c58d;

  void add(unsigned char byte) noexcept {
    low ^= byte;
    // Times 2^88 + 0x13b, modulo 2^128: a shift of the low half into the high one, and a product by a small
    // number.
    constexpr std::uint64_t kFactor = 0x13b;
    const std::uint64_t low_part = (low & 0xffffffffU) * kFactor;
    const std::uint64_t middle = (low >> 32U) * kFactor + (low_part >> 32U);
    high = high * kFactor + (middle >> 32U) + (low << 24U);
    low = (middle << 32U) | (low_part & 0xffffffffU);
  }
};

std::string type_text(const Schema& schema, const Type& type) {
  std::string inner(type_name(type.innermost()));
  if (type.innermost() == BaseType::kTable) inner = "table " + schema.table_of(type).name;
  if (type.is_enum()) inner = "enum " + schema.enum_of(type).name;
  return type.base == BaseType::kVector ? "[" + inner + "]" : inner;
}

std::string field_line(const Schema& schema, const Field& field) {
  std::string line =
      "  field " + std::to_string(field.id) + " " + field.name + " " + type_text(schema, field.type);
  if (is_float(field.type.base)) {
    // The bits, so that the text does not depend on how a library prints numbers.
    std::uint64_t bits = 0;
    const double value = field.default_real;
    static_assert(sizeof bits == sizeof value);
    std::copy_n(reinterpret_cast<const char*>(&value), sizeof bits, reinterpret_cast<char*>(&bits));
    line += " = bits " + std::to_string(bits);
  } else if (is_scalar(field.type.base)) {
    line += " = " + std::to_string(field.default_integer);
  }
  if (field.required) line += " required";
  if (field.deprecated) line += " deprecated";
  return line + "\n";
}

constexpr std::string_view kKinds[] = {"unary", "server", "client", "bidi"};  // in the order of CallKind

}  // namespace

std::string canonical(const Schema& schema, const Service& service) {
  std::vector<const Method*> methods;
  for (const Method& method : service.methods) methods.push_back(&method);
  std::ranges::sort(methods, {}, &Method::name);

  std::set<std::int32_t> tables;
  std::set<std::int32_t> enums;
  std::vector<std::int32_t> open;
  const auto reach = [&](std::int32_t table) {
    if (tables.insert(table).second) open.push_back(table);
  };
  std::string text = "service " + service.name + "\n";
  for (const Method* method : methods) {
    text += "  method " + method->name + " " + std::string(kKinds[static_cast<std::size_t>(method->kind)]) +
            " " + schema.tables[static_cast<std::size_t>(method->request)].name + " " +
            schema.tables[static_cast<std::size_t>(method->response)].name +
            (method->idempotent ? " idempotent\n" : "\n");
    reach(method->request);
    reach(method->response);
  }
  while (!open.empty()) {
    const Table& table = schema.tables[static_cast<std::size_t>(open.back())];
    open.pop_back();
    for (const Field& field : table.fields) {
      if (field.type.innermost() == BaseType::kTable) reach(field.type.index);
      if (field.type.is_enum()) enums.insert(field.type.index);
    }
  }

  std::vector<std::string> blocks;
  for (const std::int32_t index : tables) {
    const Table& table = schema.tables[static_cast<std::size_t>(index)];
    std::string block = "table " + table.name + "\n";
    for (const Field& field : table.fields) block += field_line(schema, field);
    blocks.push_back(std::move(block));
  }
  for (const std::int32_t index : enums) {
    const Enum& definition = schema.enums[static_cast<std::size_t>(index)];
    // Whether it is of bit flags shows in the values; stock descriptors do not say it.
    std::string block =
        "enum " + definition.name + " " + std::string(type_name(definition.underlying)) + "\n";
    for (const EnumValue& value : definition.values) {
      block += "  value " + value.name + " = " + std::to_string(value.value) + "\n";
    }
    blocks.push_back(std::move(block));
  }
  std::ranges::sort(blocks);
  for (const std::string& block : blocks) text += block;
  return text;
}

Fingerprint fingerprint(const Schema& schema, const Service& service) {
  Hash128 hash;
  for (const char c : canonical(schema, service)) hash.add(static_cast<unsigned char>(c));
  Fingerprint result;
  for (std::size_t i = 0; i < 8; ++i) {
    result.bytes[i] = static_cast<std::uint8_t>(hash.high >> (56 - 8 * i));
    result.bytes[8 + i] = static_cast<std::uint8_t>(hash.low >> (56 - 8 * i));
  }
  return result;
}

}  // namespace leat::schema
