#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <flatbuffers/reflection_generated.h>

#include <leat/schema/load.h>

namespace leat::schema {
namespace {

namespace fb = flatbuffers;

/// Stock readers look names up by binary search, so everything is written in alphabetical order and
/// references follow.
class Saver {
 public:
  explicit Saver(const Schema& schema) : schema_(schema) {}

  Buffer run() {
    const std::vector<std::size_t> tables = order(schema_.tables, table_place_);
    const std::vector<std::size_t> enums = order(schema_.enums, enum_place_);
    std::vector<fb::Offset<reflection::Object>> objects;
    for (const std::size_t i : tables) objects.push_back(write(schema_.tables[i]));
    std::vector<fb::Offset<reflection::Enum>> definitions;
    for (const std::size_t i : enums) definitions.push_back(write(schema_.enums[i]));
    const auto object = [&](std::int32_t table) {
      return table < 0 ? fb::Offset<reflection::Object>()
                       : objects[static_cast<std::size_t>(table_place_[static_cast<std::size_t>(table)])];
    };
    std::vector<fb::Offset<reflection::Service>> services;
    std::vector<std::int32_t> places;
    for (const std::size_t i : order(schema_.services, places))
      services.push_back(write(schema_.services[i], object));
    const auto objects_at = out_.CreateVector(objects);
    const auto enums_at = out_.CreateVector(definitions);
    const auto services_at = out_.CreateVector(services);
    const auto identifier = out_.CreateString(schema_.file_identifier);
    const auto files = write_files();
    reflection::SchemaBuilder root(out_);
    root.add_objects(objects_at);
    root.add_enums(enums_at);
    root.add_services(services_at);
    root.add_file_ident(identifier);
    root.add_root_table(object(schema_.root));
    root.add_fbs_files(files);
    reflection::FinishSchemaBuffer(out_, root.Finish());
    return Buffer::copy(std::as_bytes(std::span(out_.GetBufferPointer(), out_.GetSize())));
  }

 private:
  using Texts = fb::Offset<fb::Vector<fb::Offset<fb::String>>>;

  /// Indices into `items` by name; places[i] is where item i ends up.
  template <class Items>
  static std::vector<std::size_t> order(const Items& items, std::vector<std::int32_t>& places) {
    std::vector<std::size_t> indices(items.size());
    std::iota(indices.begin(), indices.end(), std::size_t{0});
    std::ranges::sort(indices, {}, [&](std::size_t i) -> const std::string& { return items[i].name; });
    places.resize(items.size());
    for (std::size_t i = 0; i < indices.size(); ++i) places[indices[i]] = static_cast<std::int32_t>(i);
    return indices;
  }

  Texts write_doc(const std::string& doc) {
    if (doc.empty()) return 0;
    std::vector<fb::Offset<fb::String>> lines;
    std::size_t start = 0;
    while (true) {
      const std::size_t end = doc.find('\n', start);
      lines.push_back(out_.CreateString(doc.substr(start, end == std::string::npos ? end : end - start)));
      if (end == std::string::npos) break;
      start = end + 1;
    }
    return out_.CreateVector(lines);
  }

  fb::Offset<fb::Vector<fb::Offset<reflection::KeyValue>>> write_attributes(const Attributes& attributes) {
    if (attributes.empty()) return 0;
    std::vector<fb::Offset<reflection::KeyValue>> items;
    for (const auto& [name, value] : attributes) {
      const auto key = out_.CreateString(name);
      items.push_back(reflection::CreateKeyValue(out_, key, out_.CreateString(value)));
    }
    return out_.CreateVector(items);
  }

  fb::Offset<fb::String> write_file(const std::string& file) { return out_.CreateSharedString("//" + file); }

  fb::Offset<reflection::Type> write(const Type& type) {
    std::int32_t index = type.index;
    if (type.innermost() == BaseType::kTable) index = table_place_[static_cast<std::size_t>(index)];
    if (type.is_enum()) index = enum_place_[static_cast<std::size_t>(index)];
    reflection::TypeBuilder out(out_);
    out.add_base_type(static_cast<reflection::BaseType>(type.base));
    out.add_element(static_cast<reflection::BaseType>(type.element));
    out.add_index(index);
    out.add_base_size(static_cast<std::uint32_t>(inline_size(type.base)));
    out.add_element_size(static_cast<std::uint32_t>(inline_size(type.element)));
    return out.Finish();
  }

  fb::Offset<reflection::Object> write(const Table& table) {
    std::vector<fb::Offset<reflection::Field>> fields;
    std::vector<const Field*> by_name;
    for (const Field& field : table.fields) by_name.push_back(&field);
    std::ranges::sort(by_name, {}, &Field::name);
    for (const Field* field : by_name) fields.push_back(write(*field));
    const auto name = out_.CreateString(table.name);
    const auto fields_at = out_.CreateVector(fields);
    const auto attributes = write_attributes(table.attributes);
    const auto doc = write_doc(table.doc);
    const auto file = write_file(table.file);
    reflection::ObjectBuilder out(out_);
    out.add_name(name);
    out.add_fields(fields_at);
    out.add_minalign(1);
    out.add_attributes(attributes);
    out.add_documentation(doc);
    out.add_declaration_file(file);
    return out.Finish();
  }

  fb::Offset<reflection::Field> write(const Field& field) {
    const auto name = out_.CreateString(field.name);
    const auto type = write(field.type);
    const auto attributes = write_attributes(field.attributes);
    const auto doc = write_doc(field.doc);
    reflection::FieldBuilder out(out_);
    out.add_name(name);
    out.add_type(type);
    out.add_id(field.id);
    out.add_offset(field.vtable_offset());
    out.add_default_integer(field.default_integer);
    out.add_default_real(field.default_real);
    out.add_deprecated(field.deprecated);
    out.add_required(field.required);
    out.add_attributes(attributes);
    out.add_documentation(doc);
    out.add_optional(!is_scalar(field.type.base) && !field.required);
    return out.Finish();
  }

  fb::Offset<reflection::Enum> write(const Enum& definition) {
    std::vector<fb::Offset<reflection::EnumVal>> values;
    for (const EnumValue& value : definition.values) {
      const auto name = out_.CreateString(value.name);
      const auto doc = write_doc(value.doc);
      reflection::EnumValBuilder out(out_);
      out.add_name(name);
      out.add_value(value.value);
      out.add_documentation(doc);
      values.push_back(out.Finish());
    }
    const auto name = out_.CreateString(definition.name);
    const auto values_at = out_.CreateVector(values);
    const auto type = write(Type{.base = definition.underlying});
    const auto attributes = write_attributes(definition.attributes);
    const auto doc = write_doc(definition.doc);
    const auto file = write_file(definition.file);
    reflection::EnumBuilder out(out_);
    out.add_name(name);
    out.add_values(values_at);
    out.add_underlying_type(type);
    out.add_attributes(attributes);
    out.add_documentation(doc);
    out.add_declaration_file(file);
    return out.Finish();
  }

  template <class Object>
  fb::Offset<reflection::Service> write(const Service& service, const Object& object) {
    std::vector<fb::Offset<reflection::RPCCall>> calls;
    std::vector<std::int32_t> places;
    for (const std::size_t i : order(service.methods, places)) {
      const Method& method = service.methods[i];
      const auto name = out_.CreateString(method.name);
      const auto attributes = write_attributes(method.attributes);
      const auto doc = write_doc(method.doc);
      reflection::RPCCallBuilder out(out_);
      out.add_name(name);
      out.add_request(object(method.request));
      out.add_response(object(method.response));
      out.add_attributes(attributes);
      out.add_documentation(doc);
      calls.push_back(out.Finish());
    }
    const auto name = out_.CreateString(service.name);
    const auto calls_at = out_.CreateVector(calls);
    const auto attributes = write_attributes(service.attributes);
    const auto doc = write_doc(service.doc);
    const auto file = write_file(service.file);
    reflection::ServiceBuilder out(out_);
    out.add_name(name);
    out.add_calls(calls_at);
    out.add_attributes(attributes);
    out.add_documentation(doc);
    out.add_declaration_file(file);
    return out.Finish();
  }

  fb::Offset<fb::Vector<fb::Offset<reflection::SchemaFile>>> write_files() {
    if (schema_.file.empty()) return 0;
    std::vector<fb::Offset<fb::String>> includes;
    for (const std::string& include : schema_.includes) includes.push_back(write_file(include));
    const auto name = write_file(schema_.file);
    const auto included = out_.CreateVector(includes);
    const auto file = reflection::CreateSchemaFile(out_, name, included);
    return out_.CreateVector(&file, 1);
  }

  const Schema& schema_;
  fb::FlatBufferBuilder out_;
  std::vector<std::int32_t> table_place_;
  std::vector<std::int32_t> enum_place_;
};

}  // namespace

Buffer save(const Schema& schema) { return Saver(schema).run(); }

}  // namespace leat::schema
