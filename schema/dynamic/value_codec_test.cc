// Values without a schema against tests/vectors/values.json, whose bytes were written by other code.

#include <fstream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#define BOOST_BIND_GLOBAL_PLACEHOLDERS  // Boost 1.74 otherwise complains about itself
#include <boost/property_tree/json_parser.hpp>
#include <boost/property_tree/ptree.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schema/dynamic/value_format.h"
#include "schema/dynamic/value_reader.h"
#include "schema/dynamic/value_tree.h"
#include "schema/dynamic/value_writer.h"

namespace leat::values {
namespace {

using Json = boost::property_tree::ptree;
using testing::HasSubstr;

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4U];
    hex += kDigits[static_cast<unsigned char>(c) & 15U];
  }
  return hex;
}

DType dtype_of(const std::string& name) {
  for (std::size_t i = 0; i < kDTypeCount; ++i)
    if (dtype_name(static_cast<DType>(i)) == name) return static_cast<DType>(i);
  ADD_FAILURE() << name;
  return DType::kBool;
}

Buffer bytes_of(const Json& hex) { return Buffer::copy(from_hex(hex.data())); }

Value value_of(const Json& tagged);

std::vector<Value> items_of(const Json& list) {
  std::vector<Value> items;
  for (const auto& [key, item] : list) items.push_back(value_of(item));
  return items;
}

Value array_of(const Json& json) {
  std::vector<std::int64_t> shape;
  for (const auto& [key, extent] : json.get_child("shape")) shape.push_back(std::stoll(extent.data()));
  const Order order = json.get<std::string>("order") == "column" ? Order::kColumnMajor : Order::kRowMajor;
  return Tensor::make(dtype_of(json.get<std::string>("dtype")), std::move(shape),
                      bytes_of(json.get_child("data")), order)
      .value();
}

Value integer_of(const std::string& digits) {
  if (digits.starts_with('-') || std::stoull(digits) <= std::numeric_limits<std::int64_t>::max())
    return std::int64_t{std::stoll(digits)};
  return std::uint64_t{std::stoull(digits)};
}

double double_of(const std::string& hex) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(std::stoull(hex, nullptr, 16)));
}

Value value_of(const Json& tagged) {
  const auto& [kind, data] = tagged.front();
  if (kind == "nil") return {};
  if (kind == "bool") return data.data() == "true";
  if (kind == "int") return integer_of(data.data());
  if (kind == "float") return double_of(data.data());
  if (kind == "text") return data.data();
  if (kind == "bytes") return bytes_of(data);
  if (kind == "list") return items_of(data);
  if (kind == "tuple") return Tuple{items_of(data)};
  if (kind == "array") return array_of(data);
  if (kind == "scalar")
    return Scalar{dtype_of(data.get<std::string>("dtype")), bytes_of(data.get_child("data"))};
  EXPECT_EQ(kind, "map");
  Map map;
  for (const auto& [key, pair] : data) {
    std::vector<Value> both = items_of(pair);
    map.emplace_back(std::move(both.at(0)), std::move(both.at(1)));
  }
  return map;
}

Payload payload_of(const Json& vector) {
  Payload payload{Codec::kMessagePack, bytes_of(vector.get_child("head")), {}};
  for (const auto& [key, attachment] : vector.get_child("attachments"))
    payload.attachments.push_back(bytes_of(attachment));
  return payload;
}

Json vectors(const std::string& part) {
  Json all;
  boost::property_tree::read_json(LEAT_SOURCE_DIR "/tests/vectors/values.json", all);
  return all.get_child(part);
}

Payload head(std::string_view hex) { return {Codec::kMessagePack, Buffer::copy(from_hex(hex)), {}}; }

Value nested(std::size_t levels) {
  Value value;
  for (std::size_t i = 0; i < levels; ++i) {
    List list;
    list.push_back(std::move(value));
    value = std::move(list);
  }
  return value;
}

TEST(ValueCodec, WritesTheVectors) {
  const Json all = vectors("values");
  EXPECT_GT(all.size(), 80U);
  for (const auto& [key, vector] : all) {
    SCOPED_TRACE(vector.get<std::string>("name"));
    const Payload expected = payload_of(vector);
    Result<Payload> written = encode_tree(value_of(vector.get_child("value")));
    ASSERT_TRUE(written) << written.error().to_string();
    EXPECT_EQ(to_hex(written->head.text()), to_hex(expected.head.text()));
    ASSERT_EQ(written->attachments.size(), expected.attachments.size());
    for (std::size_t i = 0; i < expected.attachments.size(); ++i)
      EXPECT_EQ(written->attachments[i].text(), expected.attachments[i].text());
  }
}

TEST(ValueCodec, ReadsTheVectors) {
  for (const auto& [key, vector] : vectors("values")) {
    SCOPED_TRACE(vector.get<std::string>("name"));
    const Payload payload = payload_of(vector);
    Result<Value> read = decode_tree(payload);
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_TRUE(same(*read, value_of(vector.get_child("value"))));
  }
}

TEST(ValueCodec, RefusesTheMalformedVectors) {
  for (const auto& [key, vector] : vectors("malformed")) {
    SCOPED_TRACE(vector.get<std::string>("name"));
    Result<Value> read = decode_tree(payload_of(vector));
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(read.error().message(), HasSubstr("malformed value: "));
  }
}

TEST(ValueCodec, RefusesEveryVectorCutShort) {
  for (const auto& [key, vector] : vectors("values")) {
    SCOPED_TRACE(vector.get<std::string>("name"));
    const Payload whole = payload_of(vector);
    for (std::size_t size = 0; size < std::min<std::size_t>(whole.head.size(), 400); ++size) {
      const Payload cut{Codec::kMessagePack, Buffer::copy(whole.head.bytes().first(size)), whole.attachments};
      EXPECT_FALSE(decode_tree(cut)) << size;
    }
  }
}

TEST(ValueCodec, SurvivesEveryByteChanged) {
  for (const auto& [key, vector] : vectors("values")) {
    const Payload whole = payload_of(vector);
    std::string bytes(whole.head.text());
    for (std::size_t i = 0; i < std::min<std::size_t>(bytes.size(), 64); ++i) {
      const char kept = bytes[i];
      for (const int with : {0x00, 0x10, 0x7f, 0x80, 0x91, 0xc1, 0xc7, 0xc9, 0xdb, 0xdd, 0xdf, 0xff}) {
        bytes[i] = static_cast<char>(with);
        const Payload changed{Codec::kMessagePack, Buffer::copy(bytes), whole.attachments};
        Result<Value> read = decode_tree(changed);
        EXPECT_TRUE(!read || encode_tree(*read));  // whatever it is, it is a value
      }
      bytes[i] = kept;
    }
  }
}

TEST(ValueCodec, HoldsTheLimitOfNestingOnBothSides) {
  Result<Payload> deepest = encode_tree(nested(kMaxDepth));
  ASSERT_TRUE(deepest);
  EXPECT_TRUE(decode_tree(*deepest));
  EXPECT_EQ(encode_tree(nested(kMaxDepth + 1)).error().code(), Code::kInvalidArgument);
}

TEST(ValueCodec, ReadsNumbersInAnyWidth) {
  EXPECT_TRUE(same(decode_tree(head("ca3fc00000")).value(), Value(1.5)));
  EXPECT_TRUE(same(decode_tree(head("d30000000000000005")).value(), Value(std::int64_t{5})));
  EXPECT_TRUE(same(decode_tree(head("cf0000000000000005")).value(), Value(std::int64_t{5})));
  EXPECT_TRUE(same(decode_tree(head("dd0000000100")).value(), Value(List{Value(std::int64_t{0})})));
}

TEST(ValueCodec, SharesAttachmentsInsteadOfCopyingThem) {
  Tensor tensor = Tensor::allocate(DType::kFloat64, {100, 100});
  const std::byte* data = tensor.data().data();
  const Payload payload = encode_tree(Value(std::move(tensor))).value();
  EXPECT_EQ(payload.attachments.at(0).data(), data);
  const Value read = decode_tree(payload).value();
  EXPECT_EQ(read.get_if<Tensor>()->data().data(), data);
}

TEST(ValueCodec, RefusesOtherCodecs) {
  const Payload raw{Codec::kRaw, Buffer::copy(from_hex("c0")), {}};
  EXPECT_FALSE(decode_tree(raw));
}

TEST(ValueCodec, TellsAStreamFromAValue) {
  EXPECT_TRUE(says_items_follow(items_follow()));
  EXPECT_FALSE(says_items_follow(head("c0")));
  EXPECT_FALSE(decode_tree(items_follow()));
}

}  // namespace
}  // namespace leat::values
