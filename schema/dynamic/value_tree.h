// A value without a schema as a tree in memory: for tests, vectors and C++ programs that call Python objects.
// Bindings read and write their own objects instead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <leat/bytes.h>
#include <leat/message.h>
#include <leat/status.h>
#include <leat/tensor.h>

namespace leat::values {

class Value;
using List = std::vector<Value>;
struct Tuple {
  std::vector<Value> items;
};
/// In the order written; keys may be of any kind. If a key comes twice, it stays twice.
using Map = std::vector<std::pair<Value, Value>>;
/// A number of a given width.
struct Scalar {
  DType dtype = DType::kFloat64;
  Buffer element;
};

class Value {
 public:
  /// std::uint64_t holds only what std::int64_t can't.
  using Data = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Buffer,
                            List, Tuple, Map, Tensor, Scalar>;
  Value() = default;
  template <class T>
    requires std::constructible_from<Data, T> && (!std::same_as<std::remove_cvref_t<T>, Value>)
  // NOLINTNEXTLINE(google-explicit-constructor): a value is what it holds
  Value(T&& data) : data_(std::forward<T>(data)) {}

  [[nodiscard]] const Data& data() const noexcept { return data_; }
  template <class T>
  [[nodiscard]] const T* get_if() const noexcept {
    return std::get_if<T>(&data_);
  }

 private:
  Data data_;
};

/// Equal in kind and content; floats by their bits, so that NaN equals itself.
[[nodiscard]] bool same(const Value& a, const Value& b);

/// kInvalidArgument for more than kMaxDepth levels.
[[nodiscard]] Result<Payload> encode_tree(const Value& value);
/// Arrays and attached bytes share the payload's buffers.
[[nodiscard]] Result<Value> decode_tree(const Payload& payload);

}  // namespace leat::values
