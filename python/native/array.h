// numpy arrays on their way out and in. numpy is loaded when the first array passes, not before.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <leat/bytes.h>
#include <leat/status.h>
#include <leat/tensor.h>

#include "python.h"

namespace leat::python {

/// Whether the memory of what is sent may be used as it is.
enum class Sharing : std::uint8_t {
  kAlways,       ///< the caller waits until it has left
  kIfUnchanged,  ///< only if nobody else can write to it: it is read-only, or nobody else has it
  kResult,       ///< from 1 MiB on as returning a reference would, below as kIfUnchanged
};

/// True for numpy.ndarray and numpy.memmap, not for other subclasses, which mean more than their numbers.
[[nodiscard]] bool is_array(PyObject* object);
/// True for numpy's scalars (numpy.float32(1)).
[[nodiscard]] bool is_numpy_scalar(PyObject* object);

/// The array's elements, little-endian and contiguous in either order, shared where `sharing` and the layout
/// permit it. `exclusive`: nobody but the caller's caller holds this object. kInvalidArgument naming a dtype
/// that can't be sent.
[[nodiscard]] Result<Tensor> to_tensor(PyObject* object, Sharing sharing, bool exclusive);
/// The same for anything that numpy takes for an array: lists, buffers.
[[nodiscard]] Result<Tensor> to_tensor_from_any(PyObject* object, std::optional<DType> dtype);
/// A numpy scalar's type and its element.
[[nodiscard]] Result<DType> to_element(PyObject* scalar, std::span<std::byte, 16> element);

/// A read-only array that looks at the buffer and keeps it alive; null with the Python error set if memory is
/// short.
[[nodiscard]] py::object from_buffer(DType dtype, Order order, std::span<const std::int64_t> shape,
                                     const Buffer& data);
/// A read-only array with a copy of the bytes.
[[nodiscard]] py::object from_bytes(DType dtype, Order order, std::span<const std::int64_t> shape,
                                    Bytes data);
[[nodiscard]] py::object from_element(DType dtype, Bytes element);
/// numpy's dtype object.
[[nodiscard]] py::object numpy_dtype(DType dtype);

}  // namespace leat::python
