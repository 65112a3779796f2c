#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <utility>

#include <flatbuffers/reflection_generated.h>

#include <leat/schema/load.h>

namespace leat::schema {
namespace {

// A schema is text that people wrote. These are far above that, and keep a hostile descriptor from growing
// when its parts are copied out (offsets may share what they point to).
constexpr std::size_t kLargestDescriptor = std::size_t{16} << 20U;
constexpr std::size_t kMostTextBytes = std::size_t{64} << 20U;
constexpr flatbuffers::uoffset_t kMostTables = 200'000;

using Texts = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>;
using KeyValues = flatbuffers::Vector<flatbuffers::Offset<reflection::KeyValue>>;

class Loader {
 public:
  Result<std::shared_ptr<const Schema>> run(const reflection::Schema& from) {
    auto schema = std::make_shared<Schema>();
    read_files(from, *schema);
    // Types refer to tables by their place in the descriptor, which is kept.
    for (const reflection::Object* object : *from.objects()) schema->tables.push_back(read_table(*object));
    for (const reflection::Enum* definition : *from.enums()) schema->enums.push_back(read_enum(*definition));
    std::map<std::string_view, std::int32_t> places;
    for (std::size_t i = 0; i < schema->tables.size(); ++i) {
      places.emplace(schema->tables[i].name, static_cast<std::int32_t>(i));
    }
    const auto place = [&](const reflection::Object* object) {
      const auto found = object == nullptr ? places.end() : places.find(object->name()->string_view());
      return found == places.end() ? -1 : found->second;
    };
    if (from.services() != nullptr) {
      for (const reflection::Service* service : *from.services()) {
        schema->services.push_back(read_service(*service, place));
      }
    }
    schema->root = place(from.root_table());
    schema->file_identifier = text(from.file_ident());
    if (status_.ok()) status_ = complete(*schema);
    if (!status_.ok()) return failure(status_);
    return schema;
  }

 private:
  void refuse(const std::string& message) {
    if (status_.ok()) status_ = Status(Code::kInvalidArgument, "schema: " + message);
  }

  std::string text(const flatbuffers::String* from) {
    if (from == nullptr) return {};
    text_bytes_ += from->size();
    if (text_bytes_ > kMostTextBytes) {
      refuse("more than 64 MiB of text");
      return {};
    }
    return from->str();
  }

  std::string doc(const Texts* lines) {
    std::string result;
    if (lines == nullptr) return result;
    for (const flatbuffers::String* line : *lines) {
      if (!result.empty()) result += '\n';
      result += text(line);
    }
    return result;
  }

  std::string file(const flatbuffers::String* from) {
    std::string name = text(from);
    return name.starts_with("//") ? name.substr(2) : name;
  }

  Attributes attributes(const KeyValues* from) {
    Attributes result;
    if (from == nullptr) return result;
    for (const reflection::KeyValue* item : *from)
      result.emplace_back(text(item->key()), text(item->value()));
    std::ranges::sort(result);
    return result;
  }

  void read_files(const reflection::Schema& from, Schema& schema) {
    if (from.fbs_files() == nullptr) return;
    std::set<std::string> included;
    for (const reflection::SchemaFile* item : *from.fbs_files()) {
      if (item->included_filenames() == nullptr) continue;
      for (const flatbuffers::String* name : *item->included_filenames()) included.insert(file(name));
    }
    for (const reflection::SchemaFile* item : *from.fbs_files()) {
      std::string name = file(item->filename());
      if (included.contains(name)) continue;
      schema.file = std::move(name);
      if (item->included_filenames() == nullptr) continue;
      for (const flatbuffers::String* include : *item->included_filenames())
        schema.includes.push_back(file(include));
    }
  }

  /// One of the types in a reflection::Type. The accessors of FlatBuffers give an enum that may not hold the
  /// number that a hostile descriptor brings, so the number is read itself. What is not known becomes kNone,
  /// to be refused.
  static BaseType base_type(const reflection::Type& type, flatbuffers::voffset_t field) {
    const auto number = reinterpret_cast<const flatbuffers::Table&>(type).GetField<std::int8_t>(field, 0);
    return number < 0 || number > static_cast<int>(BaseType::kArray) ? BaseType::kNone
                                                                     : static_cast<BaseType>(number);
  }

  Table read_table(const reflection::Object& from) {
    Table table;
    table.name = text(from.name());
    table.doc = doc(from.documentation());
    table.attributes = attributes(from.attributes());
    table.file = file(from.declaration_file());
    if (from.is_struct()) refuse("struct " + table.name + ": structs are not supported yet");
    for (const reflection::Field* field : *from.fields())
      table.fields.push_back(read_field(table.name, *field));
    std::ranges::sort(table.fields, {}, &Field::id);
    return table;
  }

  Field read_field(const std::string& table, const reflection::Field& from) {
    Field field;
    field.name = text(from.name());
    field.type.base = base_type(*from.type(), reflection::Type::VT_BASE_TYPE);
    field.type.element = base_type(*from.type(), reflection::Type::VT_ELEMENT);
    field.type.index = from.type()->index();
    field.id = from.id();
    field.default_integer = from.default_integer();
    field.default_real = from.default_real();
    field.required = from.required();
    field.deprecated = from.deprecated();
    field.doc = doc(from.documentation());
    field.attributes = attributes(from.attributes());
    if (from.optional() && is_scalar(field.type.base)) {
      refuse("field " + table + "." + field.name + ": optional scalars are not supported yet");
    }
    if (from.offset() != field.vtable_offset())
      refuse("field " + table + "." + field.name + ": id contradicts offset");
    return field;
  }

  Enum read_enum(const reflection::Enum& from) {
    Enum result;
    result.name = text(from.name());
    if (from.is_union()) refuse("union " + result.name + ": unions are not supported yet");
    result.underlying = base_type(*from.underlying_type(), reflection::Type::VT_BASE_TYPE);
    result.doc = doc(from.documentation());
    result.attributes = attributes(from.attributes());
    result.bit_flags = find_attribute(result.attributes, "bit_flags") != nullptr;
    result.file = file(from.declaration_file());
    for (const reflection::EnumVal* value : *from.values()) {
      result.values.push_back(
          {.name = text(value->name()), .value = value->value(), .doc = doc(value->documentation())});
    }
    return result;
  }

  template <class Place>
  Service read_service(const reflection::Service& from, const Place& place) {
    Service service;
    service.name = text(from.name());
    service.doc = doc(from.documentation());
    service.attributes = attributes(from.attributes());
    service.file = file(from.declaration_file());
    if (from.calls() == nullptr) return service;
    for (const reflection::RPCCall* call : *from.calls()) {
      Method method;
      method.name = text(call->name());
      method.request = place(call->request());
      method.response = place(call->response());
      method.doc = doc(call->documentation());
      method.attributes = attributes(call->attributes());
      service.methods.push_back(std::move(method));
    }
    return service;
  }

  Status status_;
  std::size_t text_bytes_ = 0;
};

}  // namespace

Result<std::shared_ptr<const Schema>> load(Bytes bfbs) {
  if (bfbs.size() > kLargestDescriptor) {
    return failure(Code::kInvalidArgument, "schema: a descriptor of more than 16 MiB");
  }
  // The verifier checks alignment by address, and the caller's bytes may lie anywhere.
  const Buffer aligned = Buffer::copy(bfbs);
  const auto* data = reinterpret_cast<const std::uint8_t*>(aligned.data());
  constexpr flatbuffers::uoffset_t kDepth = 64;
  flatbuffers::Verifier verifier(data, aligned.size(), kDepth, kMostTables);
  if (aligned.size() < 8 || !reflection::VerifySchemaBuffer(verifier)) {
    return failure(Code::kInvalidArgument,
                   "schema: not a FlatBuffers binary schema (.bfbs), or a damaged one");
  }
  return Loader().run(*reflection::GetSchema(data));
}

}  // namespace leat::schema
