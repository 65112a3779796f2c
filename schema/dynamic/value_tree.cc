#include "schema/dynamic/value_tree.h"

#include <algorithm>
#include <bit>
#include <type_traits>

#include "schema/dynamic/value_format.h"
#include "schema/dynamic/value_reader.h"
#include "schema/dynamic/value_writer.h"

namespace leat::values {
namespace {

class TreeEncoder {
 public:
  Status write(const Value& value, std::size_t depth) {
    return std::visit([&](const auto& data) { return write_data(data, depth); }, value.data());
  }
  Payload finish() && { return std::move(out_).finish(); }

 private:
  template <class T>
  Status write_data(const T& data, std::size_t depth) {
    if constexpr (std::is_same_v<T, std::monostate>) out_.nil();
    if constexpr (std::is_same_v<T, bool>) out_.boolean(data);
    if constexpr (std::is_same_v<T, std::int64_t>) out_.integer(data);
    if constexpr (std::is_same_v<T, std::uint64_t>) out_.unsigned_integer(data);
    if constexpr (std::is_same_v<T, double>) out_.number(data);
    if constexpr (std::is_same_v<T, Scalar>) out_.scalar(data.dtype, data.element);
    if constexpr (std::is_same_v<T, std::string>) return out_.text(data);
    if constexpr (std::is_same_v<T, Buffer>)
      return data.size() > kInlineBytes ? out_.attached_bytes(data) : out_.bytes(data);
    if constexpr (std::is_same_v<T, List>) return write_items(data, out_.begin_list(data.size()), depth);
    if constexpr (std::is_same_v<T, Tuple>)
      return write_items(data.items, out_.begin_tuple(data.items.size()), depth);
    if constexpr (std::is_same_v<T, Map>) return write_map(data, depth);
    if constexpr (std::is_same_v<T, Tensor>)
      return data.data().size() > kInlineArrayBytes
                 ? out_.array(data.dtype(), data.order(), data.shape(), data.data())
                 : out_.inline_array(data.dtype(), data.order(), data.shape(), data.data());
    return {};
  }
  Status write_items(const std::vector<Value>& items, Status begun, std::size_t depth) {
    if (depth == kMaxDepth) return {Code::kInvalidArgument, "more than 512 levels of nesting"};
    for (auto item = items.begin(); begun.ok() && item != items.end(); ++item)
      begun = write(*item, depth + 1);
    return begun;
  }
  Status write_map(const Map& map, std::size_t depth) {
    if (depth == kMaxDepth) return {Code::kInvalidArgument, "more than 512 levels of nesting"};
    Status status = out_.begin_map(map.size());
    for (auto entry = map.begin(); status.ok() && entry != map.end(); ++entry) {
      status = write(entry->first, depth + 1);
      if (status.ok()) status = write(entry->second, depth + 1);
    }
    return status;
  }

  ValueWriter out_;
};

/// Builds bottom up: a stack of containers that are being filled.
class TreeSink {
 public:
  explicit TreeSink(const Payload& payload) : payload_(payload) {}
  Value take() { return std::move(root_); }
  Status error() { return std::move(error_); }

  bool nil() { return put(Value()); }
  bool boolean(bool value) { return put(value); }
  bool integer(std::int64_t value) { return put(value); }
  bool unsigned_integer(std::uint64_t value) { return put(value); }
  bool number(double value) { return put(value); }
  bool text(std::string_view value) { return put(std::string(value)); }
  bool bytes(Bytes value) { return put(Buffer::copy(value)); }
  bool attached_bytes(const Buffer& value) { return put(value); }
  bool scalar(DType dtype, Bytes element) { return put(Scalar{dtype, Buffer::copy(element)}); }
  bool array(const ArrayView& view) {
    Buffer data = view.attachment != 0 ? payload_.attachments[view.attachment - 1] : Buffer::copy(view.data);
    Result<Tensor> tensor =
        Tensor::make(view.dtype, {view.shape.begin(), view.shape.end()}, std::move(data), view.order);
    if (!tensor) {
      error_ = tensor.error();
      return false;
    }
    return put(std::move(*tensor));
  }
  bool begin_list(std::uint32_t count) { return open(Kind::kList, count); }
  bool begin_tuple(std::uint32_t count) { return open(Kind::kTuple, count); }
  bool begin_map(std::uint32_t count) { return open(Kind::kMap, std::size_t{2} * count); }
  bool end() {
    Open closed = std::move(stack_.back());
    stack_.pop_back();
    if (closed.kind == Kind::kList) return put(std::move(closed.items));
    if (closed.kind == Kind::kTuple) return put(Tuple{std::move(closed.items)});
    Map map;
    map.reserve(closed.items.size() / 2);
    for (std::size_t i = 0; i + 1 < closed.items.size(); i += 2)
      map.emplace_back(std::move(closed.items[i]), std::move(closed.items[i + 1]));
    return put(std::move(map));
  }

 private:
  enum class Kind : std::uint8_t { kList, kTuple, kMap };
  struct Open {
    Kind kind = Kind::kList;
    std::vector<Value> items;
  };
  bool open(Kind kind, std::size_t count) {
    stack_.push_back({kind, {}});
    // A node takes more than the byte that it was announced with: the first few are reserved, the rest must
    // come.
    stack_.back().items.reserve(std::min<std::size_t>(count, 64));
    return true;
  }
  bool put(Value value) {
    if (stack_.empty())
      root_ = std::move(value);
    else
      stack_.back().items.push_back(std::move(value));
    return true;
  }

  const Payload& payload_;
  std::vector<Open> stack_;
  Value root_;
  Status error_;
};

bool same_items(const std::vector<Value>& a, const std::vector<Value>& b) {
  return std::ranges::equal(a, b, [](const Value& x, const Value& y) { return same(x, y); });
}

struct Same {
  bool operator()(double a, double b) const {
    return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
  }
  bool operator()(const Buffer& a, const Buffer& b) const { return a.text() == b.text(); }
  bool operator()(const List& a, const List& b) const { return same_items(a, b); }
  bool operator()(const Tuple& a, const Tuple& b) const { return same_items(a.items, b.items); }
  bool operator()(const Map& a, const Map& b) const {
    return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
      return same(x.first, y.first) && same(x.second, y.second);
    });
  }
  bool operator()(const Tensor& a, const Tensor& b) const {
    return a.dtype() == b.dtype() && a.order() == b.order() && std::ranges::equal(a.shape(), b.shape()) &&
           a.data().text() == b.data().text();
  }
  bool operator()(const Scalar& a, const Scalar& b) const {
    return a.dtype == b.dtype && a.element.text() == b.element.text();
  }
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    if constexpr (std::is_same_v<A, B>)
      return a == b;  // the plain ones
    else
      return false;
  }
};

}  // namespace

bool same(const Value& a, const Value& b) { return std::visit(Same{}, a.data(), b.data()); }

Result<Payload> encode_tree(const Value& value) {
  TreeEncoder encoder;
  if (Status status = encoder.write(value, 0); !status.ok()) return failure(std::move(status));
  return std::move(encoder).finish();
}

Result<Value> decode_tree(const Payload& payload) {
  TreeSink sink(payload);
  if (Status status = read_value(payload, sink); !status.ok()) return failure(std::move(status));
  return sink.take();
}

}  // namespace leat::values
