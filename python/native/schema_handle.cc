#include "schema_handle.h"

#include <utility>

namespace leat::python {
namespace {

Py_ssize_t slot_offset(const py::object& type, const py::handle& name) {
  PyObject* member = _PyType_Lookup(reinterpret_cast<PyTypeObject*>(type.ptr()), name.ptr());
  if (member == nullptr || Py_TYPE(member) != &PyMemberDescr_Type)
    throw py::type_error(py::repr(type).cast<std::string>() + " has no slot " +
                         py::repr(name).cast<std::string>());
  return reinterpret_cast<PyMemberDescrObject*>(member)->d_member->offset;
}

}  // namespace

SchemaHandle::SchemaHandle(std::shared_ptr<const schema::Schema> schema, py::object find_class)
    : schema_(std::move(schema)),
      find_class_(std::move(find_class)),
      tables_(schema_->tables.size()),
      enums_(schema_->enums.size()) {}

py::object SchemaHandle::find(const std::string& name) const {
  py::object found = find_class_(name);
  if (found.is_none())
    throw py::type_error("no class is registered for " + name + "; generate the code anew with leatc");
  return found;
}

const TableClass& SchemaHandle::class_of(const schema::Table& table) {
  TableClass& known = tables_[static_cast<std::size_t>(&table - schema_->tables.data())];
  if (known.type) return known;
  TableClass found{find(table.name), {}};
  const py::tuple slots(found.type.attr("__slots__"));
  std::size_t next = 0;
  for (const schema::Field& field : table.fields) {
    if (field.deprecated) {
      found.offsets.push_back(0);
      continue;
    }
    if (next == slots.size()) break;
    found.offsets.push_back(slot_offset(found.type, slots[next++]));
  }
  if (found.offsets.size() != table.fields.size() || next != slots.size())
    throw py::type_error("the class of " + table.name +
                         " has other fields than its schema; generate it anew with leatc");
  known = std::move(found);
  return known;
}

const EnumClass& SchemaHandle::class_of(const schema::Enum& names) {
  EnumClass& known = enums_[static_cast<std::size_t>(&names - schema_->enums.data())];
  if (!known.type) {
    py::object type = find(names.name);
    known.members = type.attr("_value2member_map_");
    known.type = std::move(type);
  }
  return known;
}

DType dtype_of(schema::BaseType type) {
  using schema::BaseType;
  switch (type) {
    case BaseType::kBool: return DType::kBool;
    case BaseType::kInt8: return DType::kInt8;
    case BaseType::kInt16: return DType::kInt16;
    case BaseType::kInt32: return DType::kInt32;
    case BaseType::kInt64: return DType::kInt64;
    case BaseType::kUInt16: return DType::kUInt16;
    case BaseType::kUInt32: return DType::kUInt32;
    case BaseType::kUInt64: return DType::kUInt64;
    case BaseType::kFloat32: return DType::kFloat32;
    case BaseType::kFloat64: return DType::kFloat64;
    default: return DType::kUInt8;
  }
}

}  // namespace leat::python
