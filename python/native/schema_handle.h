// A schema as Python holds it, and the classes that its tables and enums are in Python.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <leat/message.h>
#include <leat/schema/descriptor.h>
#include <leat/status.h>

#include "array.h"
#include "python.h"

namespace leat::python {

/// A table's class, and where its instances keep the fields: __slots__ in the order of the fields that are in
/// use.
struct TableClass {
  py::object type;
  std::vector<Py_ssize_t> offsets;  ///< by field id; 0 for a deprecated one

  [[nodiscard]] PyObject*& slot(PyObject* object, std::uint16_t field) const {
    return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offsets[field]);
  }
};

struct EnumClass {
  py::object type;
  py::object members;  ///< number to member
};

/// Classes are asked for by name when they are first needed. The GIL is held in all of it.
class SchemaHandle {
 public:
  /// `find_class` takes a full name and gives the class or None.
  SchemaHandle(std::shared_ptr<const schema::Schema> schema, py::object find_class);

  [[nodiscard]] const schema::Schema& schema() const noexcept { return *schema_; }
  [[nodiscard]] const TableClass& class_of(const schema::Table& table);
  [[nodiscard]] const EnumClass& class_of(const schema::Enum& names);

  /// The object, an instance of the table's class (None: all defaults), as a message. A Python error naming
  /// the field's path if it can't be.
  [[nodiscard]] Payload encode(const schema::Table& table, PyObject* object, Sharing sharing, bool exclusive);
  /// An instance of the table's class.
  [[nodiscard]] Result<py::object> decode(const schema::Table& table, const Payload& payload);

 private:
  [[nodiscard]] py::object find(const std::string& name) const;

  std::shared_ptr<const schema::Schema> schema_;
  py::object find_class_;
  std::vector<TableClass> tables_;
  std::vector<EnumClass> enums_;
};

[[nodiscard]] DType dtype_of(schema::BaseType type);

}  // namespace leat::python
