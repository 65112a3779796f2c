#include "schema/compiler/front_end.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include <flatbuffers/idl.h>

namespace leat::schema {
namespace {

namespace fb = flatbuffers;

// Attributes of FlatBuffers' own that change what messages look like, and are not built yet. The rest of its
// own (cpp_type and the like) speak to other generators.
constexpr std::array<std::string_view, 7> kUnsupported = {
    "hash", "key", "shared", "force_align", "private", "flexbuffer", "nested_flatbuffer"};
// Built into the parser, and kept in descriptors all the same.
constexpr std::array<std::string_view, 3> kKept = {"streaming", "idempotent", "bit_flags"};
constexpr std::array<std::string_view, 7> kMethodAttributes = {
    "streaming", "idempotent", "channel", "deadline_ms", "compress", "max_inflight", "inline"};

/// "path:line: column: error: message, originally at: path:line" as the parser gives it, without the column.
/// The place it originally came from is the better one.
Diagnostic from_parser(const std::string& error, const std::string& path, const SourceFiles& files) {
  Diagnostic result{.file = path, .line = 0, .message = error};
  const auto take_place = [&](std::string_view place) {
    const std::size_t colon = place.rfind(':');
    if (colon == std::string_view::npos) return;
    int line = 0;
    const auto [end, status] = std::from_chars(place.data() + colon + 1, place.data() + place.size(), line);
    if (status != std::errc() || end != place.data() + place.size()) return;
    result.file = files.spelled(std::string(place.substr(0, colon)));
    result.line = line;
  };
  constexpr std::string_view kMark = ": error: ";
  if (const std::size_t at = result.message.find(kMark); at != std::string::npos) {
    const std::string head = result.message.substr(0, at);
    result.message.erase(0, at + kMark.size());
    take_place(std::string_view(head).substr(0, head.rfind(':')));
  }
  constexpr std::string_view kOrigin = ", originally at: ";
  if (const std::size_t at = result.message.find(kOrigin); at != std::string::npos) {
    take_place(std::string_view(result.message).substr(at + kOrigin.size()));
    result.message.erase(at);
  }
  return result;
}

std::string doc_of(const std::vector<std::string>& lines) {
  std::string doc;
  for (std::string_view line : lines) {
    if (line.starts_with(' ')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
    if (!doc.empty()) doc += '\n';
    doc += line;
  }
  return doc;
}

std::string full_name(const fb::Definition& definition) {
  return definition.defined_namespace == nullptr
             ? definition.name
             : definition.defined_namespace->GetFullyQualifiedName(definition.name);
}

class Converter {
 public:
  Converter(const fb::Parser& parser, Parsed& out) : parser_(parser), out_(out) {}

  void run(const std::string& path) {
    Schema& schema = out_.schema;
    schema.file = file_name(path);
    for (const fb::IncludedFile& include : parser_.GetIncludedFiles()) {
      schema.includes.push_back(file_name(include.filename));
    }
    std::ranges::sort(schema.includes);
    for (const fb::EnumDef* definition : parser_.enums_.vec) {
      enum_places_[definition] = static_cast<std::int32_t>(enum_places_.size());
    }
    for (const fb::StructDef* definition : parser_.structs_.vec) {
      table_places_[definition] = static_cast<std::int32_t>(table_places_.size());
    }
    for (const fb::EnumDef* definition : parser_.enums_.vec) schema.enums.push_back(convert(*definition));
    for (const fb::StructDef* definition : parser_.structs_.vec)
      schema.tables.push_back(convert(*definition));
    for (const fb::ServiceDef* definition : parser_.services_.vec)
      schema.services.push_back(convert(*definition));
    if (parser_.root_struct_def_ != nullptr) schema.root = table_places_[parser_.root_struct_def_];
    schema.file_identifier = parser_.file_identifier_;
  }

 private:
  /// How descriptors call a file: by its name alone, but the built-in one as it is included.
  static std::string file_name(const std::string& path) {
    if (path == std::string(SourceFiles::kBuiltinDirectory) + "/leat/leat.fbs") return "leat/leat.fbs";
    const std::filesystem::path file(path);
    return file.filename() == "leat.fbs" && file.parent_path().filename() == "leat"
               ? "leat/leat.fbs"
               : file.filename().string();
  }

  Attributes attributes(const std::string& owner, const fb::Definition& definition, bool is_method) {
    Attributes result;
    for (const auto& [name, value] : definition.attributes.dict) {
      if (std::ranges::find(kUnsupported, name) != kUnsupported.end()) {
        out_.complain(owner, "attribute '" + name + "' is not supported yet");
      }
      if (!is_method && std::ranges::find(kMethodAttributes, name) != kMethodAttributes.end()) {
        out_.complain(owner, "attribute '" + name + "' belongs to a method of an rpc_service");
      }
      const auto known = parser_.known_attributes_.find(name);
      const bool users = known == parser_.known_attributes_.end() || !known->second;
      if (users || std::ranges::find(kKept, name) != kKept.end()) result.emplace_back(name, value->constant);
    }
    return result;  // a map's order, which is alphabetical
  }

  Type convert(const fb::Type& from) {
    Type type;
    type.base = static_cast<BaseType>(from.base_type);  // the numbers are FlatBuffers' own
    type.element = static_cast<BaseType>(from.element);
    if (from.struct_def != nullptr) type.index = table_places_[from.struct_def];
    if (from.enum_def != nullptr && is_scalar(type.innermost())) type.index = enum_places_[from.enum_def];
    return type;
  }

  Table convert(const fb::StructDef& from) {
    Table table;
    table.name = full_name(from);
    table.doc = doc_of(from.doc_comment);
    table.file = file_name(from.file);
    table.attributes = attributes(table.name, from, false);
    if (from.fixed) {
      out_.complain(table.name, "struct " + table.name + ": structs are not supported yet, use a table");
      return table;
    }
    for (const fb::FieldDef* field : from.fields.vec) table.fields.push_back(convert(table.name, *field));
    std::ranges::sort(table.fields, {}, &Field::id);
    return table;
  }

  Field convert(const std::string& table, const fb::FieldDef& from) {
    const std::string name = table + "." + from.name;
    Field field;
    field.name = from.name;
    field.type = convert(from.value.type);
    field.id = static_cast<std::uint16_t>((from.value.offset - 4) / 2);
    field.required = from.IsRequired();
    field.deprecated = from.deprecated;
    field.doc = doc_of(from.doc_comment);
    field.attributes = attributes(name, from, false);
    const BaseType inner = field.type.innermost();
    if (inner == BaseType::kUnion || inner == BaseType::kUnionType) {
      if (inner == BaseType::kUnion)
        out_.complain(name, "field " + from.name + ": unions are not supported yet");
    } else if (inner == BaseType::kArray) {
      out_.complain(name, "field " + from.name + ": fixed arrays are not supported yet");
    } else if (from.IsScalarOptional()) {
      out_.complain(name, "field " + from.name + ": optional scalars (= null) are not supported yet");
    } else if (is_scalar(field.type.base)) {
      set_default(field, from.value.constant);
    } else if (from.IsDefault()) {
      out_.complain(name,
                    "field " + from.name + ": default values of strings and vectors are not supported yet");
    }
    return field;
  }

  static void set_default(Field& field, const std::string& text) {
    if (is_float(field.type.base)) {
      field.default_real = std::strtod(text.c_str(), nullptr);
    } else if (field.type.base == BaseType::kUInt64) {
      field.default_integer = static_cast<std::int64_t>(std::strtoull(text.c_str(), nullptr, 10));
    } else {
      field.default_integer = std::strtoll(text.c_str(), nullptr, 10);
    }
  }

  Enum convert(const fb::EnumDef& from) {
    Enum result;
    result.name = full_name(from);
    result.underlying = static_cast<BaseType>(from.underlying_type.base_type);
    result.doc = doc_of(from.doc_comment);
    result.file = file_name(from.file);
    result.attributes = attributes(result.name, from, false);
    result.bit_flags = from.attributes.Lookup("bit_flags") != nullptr;
    if (from.is_union) out_.complain(result.name, "union " + result.name + ": unions are not supported yet");
    for (const fb::EnumVal* value : from.Vals()) {
      result.values.push_back(
          {.name = value->name, .value = value->GetAsInt64(), .doc = doc_of(value->doc_comment)});
    }
    const bool is_signed = !is_unsigned(result.underlying);
    std::ranges::sort(result.values, [&](const EnumValue& a, const EnumValue& b) {
      return is_signed ? a.value < b.value
                       : static_cast<std::uint64_t>(a.value) < static_cast<std::uint64_t>(b.value);
    });
    return result;
  }

  Service convert(const fb::ServiceDef& from) {
    Service service;
    service.name = full_name(from);
    service.doc = doc_of(from.doc_comment);
    service.file = file_name(from.file);
    service.attributes = attributes(service.name, from, false);
    for (const fb::RPCCall* call : from.calls.vec) {
      Method method;
      method.name = call->name;
      method.request = table_places_[call->request];
      method.response = table_places_[call->response];
      method.doc = doc_of(call->doc_comment);
      method.attributes = attributes(service.name + "." + call->name, *call, true);
      service.methods.push_back(std::move(method));
    }
    return service;
  }

  const fb::Parser& parser_;
  Parsed& out_;
  std::map<const fb::StructDef*, std::int32_t> table_places_;
  std::map<const fb::EnumDef*, std::int32_t> enum_places_;
};

}  // namespace

void Parsed::complain(std::string_view name, std::string message) {
  const Position* position = positions.find(name);
  diagnostics.push_back({.file = position != nullptr ? position->file : schema.file,
                         .line = position != nullptr ? position->line : 0,
                         .message = std::move(message)});
}

Parsed parse(SourceFiles& files, const std::string& path, const std::string& text,
             const std::vector<std::string>& include_directories) {
  Parsed result;
  std::vector<const char*> directories = {SourceFiles::kBuiltinDirectory};
  for (const std::string& directory : include_directories) directories.push_back(directory.c_str());
  directories.push_back(nullptr);
  fb::IDLOptions options;
  options.no_warnings = true;  // they would stand in the text of the error
  fb::Parser parser(options);
  if (text.find('\0') != std::string::npos) {
    result.diagnostics.push_back(
        {.file = path, .line = 1, .message = "the file holds a zero byte; is it a schema?"});
    return result;
  }
  if (!parser.Parse(text.c_str(), directories.data(), path.c_str())) {
    result.diagnostics.push_back(from_parser(parser.error_, path, files));
    return result;
  }
  for (const auto& [file, content] : files.texts()) result.positions.scan(file, content);
  Converter(parser, result).run(path);
  result.understood = true;
  return result;
}

}  // namespace leat::schema
