#include "array.h"

#include <array>
#include <cstring>
#include <utility>

#include <pybind11/numpy.h>

#include "gil.h"

namespace leat::python {
namespace {

using Api = py::detail::npy_api;
constexpr const char* kCapsule = "leat.buffer";

struct Numpy {
  PyTypeObject* memmap = nullptr;
  PyTypeObject* generic = nullptr;
  std::array<PyObject*, kDTypeCount> dtypes{};
};

/// Null until the program has imported numpy: nothing can be an array before.
const Numpy* loaded_numpy(bool load = false) {
  static const Numpy* numpy = nullptr;
  if (numpy != nullptr) return numpy;
  if (!load) {
    PyObject* modules = PyImport_GetModuleDict();
    if (PyDict_GetItemString(modules, "numpy") == nullptr) return nullptr;
  }
  const py::object module = py::module_::import("numpy");
  auto* loading = new Numpy;
  loading->memmap = reinterpret_cast<PyTypeObject*>(py::object(module.attr("memmap")).release().ptr());
  loading->generic = reinterpret_cast<PyTypeObject*>(py::object(module.attr("generic")).release().ptr());
  for (std::size_t i = 0; i < kDTypeCount; ++i)
    loading->dtypes[i] = module.attr("dtype")(std::string(dtype_name(static_cast<DType>(i)))).release().ptr();
  Api::get();
  numpy = loading;
  return numpy;
}

std::optional<DType> dtype_of(const py::dtype& dtype) {
  const auto size = dtype.itemsize();
  const auto pick = [size](DType first, std::initializer_list<py::ssize_t> sizes) -> std::optional<DType> {
    auto number = static_cast<std::uint8_t>(first);
    for (const py::ssize_t each : sizes) {
      if (each == size) return static_cast<DType>(number);
      ++number;
    }
    return std::nullopt;
  };
  switch (dtype.kind()) {
    case 'b': return DType::kBool;
    case 'i': return pick(DType::kInt8, {1, 2, 4, 8});
    case 'u': return pick(DType::kUInt8, {1, 2, 4, 8});
    case 'f': return pick(DType::kFloat16, {2, 4, 8});
    case 'c': return pick(DType::kComplex64, {8, 16});
    default: return std::nullopt;
  }
}

Status refuse_dtype(const py::dtype& dtype) {
  return {Code::kInvalidArgument,
          "an array of dtype " + py::str(dtype).cast<std::string>() +
              " can't be sent; bool, integers, floats up to 64 bits and complex numbers can"};
}

std::vector<std::int64_t> shape_of(const py::array& array) {
  return {array.shape(), array.shape() + array.ndim()};
}

/// The buffer that a received array looks at, if the array is one of ours or a view of one.
const Buffer* received_buffer(PyObject* array) {
  PyObject* base = py::detail::array_proxy(array)->base;
  for (int depth = 0; base != nullptr && depth < 8; ++depth) {
    if (PyCapsule_CheckExact(base) != 0)
      return PyCapsule_IsValid(base, kCapsule) != 0
                 ? static_cast<const Buffer*>(PyCapsule_GetPointer(base, kCapsule))
                 : nullptr;
    if (!Api::get().PyArray_Check_(base)) return nullptr;
    base = py::detail::array_proxy(base)->base;
  }
  return nullptr;
}

bool nobody_else_writes(PyObject* array, bool exclusive) {
  const auto* proxy = py::detail::array_proxy(array);
  if ((proxy->flags & Api::NPY_ARRAY_WRITEABLE_) == 0) return true;
  if (!exclusive) return false;
  for (PyObject* base = proxy->base; base != nullptr; base = py::detail::array_proxy(base)->base) {
    if (Py_REFCNT(base) != 1 || !Api::get().PyArray_Check_(base)) return false;
    if (py::detail::array_proxy(base)->base == nullptr)
      return (py::detail::array_proxy(base)->flags & Api::NPY_ARRAY_OWNDATA_) != 0;
  }
  return (proxy->flags & Api::NPY_ARRAY_OWNDATA_) != 0;
}

Buffer copy_elements(Bytes bytes) {
  if (bytes.size() < (1U << 20U)) return Buffer::copy(bytes);
  const ReleaseGil released;
  return Buffer::copy(bytes);
}

/// A new array in the given layout; `data` null: numpy allocates.
py::object make_array(DType dtype, Order order, std::span<const std::int64_t> shape, const std::byte* data) {
  const Numpy* numpy = loaded_numpy(true);
  const std::size_t rank = shape.size();
  std::array<Py_intptr_t, 64> extents{};
  std::array<Py_intptr_t, 64> strides{};
  auto stride = static_cast<Py_intptr_t>(dtype_size(dtype));
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t axis = order == Order::kRowMajor ? rank - 1 - i : i;
    extents[axis] = static_cast<Py_intptr_t>(shape[axis]);
    strides[axis] = stride;
    if (shape[axis] > 1) stride *= static_cast<Py_intptr_t>(shape[axis]);
  }
  const Api& api = Api::get();
  PyObject* descr = numpy->dtypes[static_cast<std::size_t>(dtype)];
  Py_INCREF(descr);  // taken over
  const int flags = order == Order::kColumnMajor ? Api::NPY_ARRAY_F_CONTIGUOUS_ : 0;
  return steal(api.PyArray_NewFromDescr_(api.PyArray_Type_, descr, static_cast<int>(rank), extents.data(),
                                         data != nullptr ? strides.data() : nullptr,
                                         const_cast<std::byte*>(data), flags, nullptr));
}

}  // namespace

bool is_array(PyObject* object) {
  const Numpy* numpy = loaded_numpy();
  if (numpy == nullptr) return false;
  return Py_TYPE(object) == Api::get().PyArray_Type_ || Py_TYPE(object) == numpy->memmap;
}

bool is_numpy_scalar(PyObject* object) {
  const Numpy* numpy = loaded_numpy();
  return numpy != nullptr && PyObject_TypeCheck(object, numpy->generic) != 0;
}

Result<Tensor> to_tensor(PyObject* object, Sharing sharing, bool exclusive) {
  auto array = py::reinterpret_borrow<py::array>(object);
  const std::optional<DType> dtype = dtype_of(array.dtype());
  if (!dtype) return failure(refuse_dtype(array.dtype()));
  const int contiguous = Api::NPY_ARRAY_C_CONTIGUOUS_ | Api::NPY_ARRAY_F_CONTIGUOUS_;
  if ((array.flags() & contiguous) == 0 || array.dtype().byteorder() == '>') {
    PyObject* descr = loaded_numpy()->dtypes[static_cast<std::size_t>(*dtype)];
    Py_INCREF(descr);  // taken over
    array = py::reinterpret_steal<py::array>(Api::get().PyArray_FromAny_(
        object, descr, 0, 0, Api::NPY_ARRAY_C_CONTIGUOUS_ | Api::NPY_ARRAY_ENSUREARRAY_, nullptr));
    if (!array) throw py::error_already_set();
    sharing = Sharing::kAlways;  // it is ours
  }
  const Order order =
      (array.flags() & Api::NPY_ARRAY_C_CONTIGUOUS_) != 0 ? Order::kRowMajor : Order::kColumnMajor;
  const Bytes bytes(static_cast<const std::byte*>(std::as_const(array).data()),
                    static_cast<std::size_t>(array.nbytes()));
  std::vector<std::int64_t> shape = shape_of(array);
  if (const Buffer* buffer = received_buffer(array.ptr()); buffer != nullptr && !bytes.empty()) {
    const auto offset = static_cast<std::size_t>(bytes.data() - buffer->data());
    if (bytes.data() >= buffer->data() && offset + bytes.size() <= buffer->size())
      return Tensor::make(*dtype, std::move(shape), buffer->slice(offset, bytes.size()), order);
  }
  // A large array that a method returns is sent from where it lies: a copy would cost its size again.
  constexpr std::size_t kShareResultsFrom = 1U << 20U;
  const bool large_result = sharing == Sharing::kResult && bytes.size() >= kShareResultsFrom;
  if (sharing == Sharing::kAlways || large_result || nobody_else_writes(array.ptr(), exclusive))
    return Tensor::make(*dtype, std::move(shape), wrap_object(std::move(array), bytes), order);
  return Tensor::make(*dtype, std::move(shape), copy_elements(bytes), order);
}

Result<Tensor> to_tensor_from_any(PyObject* object, std::optional<DType> dtype) {
  const Numpy* numpy = loaded_numpy(true);
  PyObject* descr = dtype ? numpy->dtypes[static_cast<std::size_t>(*dtype)] : nullptr;
  Py_XINCREF(descr);  // taken over
  const py::object array = steal(Api::get().PyArray_FromAny_(
      object, descr, 0, 0, Api::NPY_ARRAY_C_CONTIGUOUS_ | Api::NPY_ARRAY_ENSUREARRAY_, nullptr));
  if (!array) throw py::error_already_set();
  return to_tensor(array.ptr(), array.ptr() == object ? Sharing::kIfUnchanged : Sharing::kAlways, false);
}

Result<DType> to_element(PyObject* scalar, std::span<std::byte, 16> element) {
  const Api& api = Api::get();
  const auto descr = py::reinterpret_steal<py::dtype>(api.PyArray_DescrFromScalar_(scalar));
  if (!descr) throw py::error_already_set();
  const std::optional<DType> dtype = dtype_of(descr);
  if (!dtype) return failure(refuse_dtype(descr).with_context("a numpy scalar"));
  api.PyArray_ScalarAsCtype_(scalar, element.data());  // native order, which is little-endian
  return *dtype;
}

py::object from_buffer(DType dtype, Order order, std::span<const std::int64_t> shape, const Buffer& data) {
  if (data.empty()) return from_bytes(dtype, order, shape, {});
  py::object array = make_array(dtype, order, shape, data.data());
  if (!array) return array;
  auto* kept = new Buffer(data);
  PyObject* capsule = PyCapsule_New(kept, kCapsule, [](PyObject* dying) {
    delete static_cast<Buffer*>(PyCapsule_GetPointer(dying, kCapsule));
  });
  if (capsule == nullptr) {
    delete kept;
    return {};
  }
  if (Api::get().PyArray_SetBaseObject_(array.ptr(), capsule) < 0) return {};
  return array;
}

py::object from_bytes(DType dtype, Order order, std::span<const std::int64_t> shape, Bytes data) {
  py::object array = make_array(dtype, order, shape, nullptr);
  if (!array) return array;
  auto* proxy = py::detail::array_proxy(array.ptr());
  if (!data.empty()) std::memcpy(proxy->data, data.data(), data.size());
  proxy->flags &= ~Api::NPY_ARRAY_WRITEABLE_;
  return array;
}

py::object from_element(DType dtype, Bytes element) {
  alignas(16) std::array<std::byte, 16> aligned{};
  std::memcpy(aligned.data(), element.data(), element.size());
  PyObject* descr = loaded_numpy(true)->dtypes[static_cast<std::size_t>(dtype)];
  return steal(Api::get().PyArray_Scalar_(aligned.data(), descr, nullptr));
}

py::object numpy_dtype(DType dtype) {
  return borrow(loaded_numpy(true)->dtypes[static_cast<std::size_t>(dtype)]);
}

}  // namespace leat::python
