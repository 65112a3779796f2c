// Descriptors that go out and come back, and those that should not come in.
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/schema/load.h>
#include <leat/schema/registry.h>

namespace leat::schema {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A little of everything, with tables and methods not in alphabetical order.
Schema sample() {
  Schema schema;
  schema.file = "sample.fbs";
  schema.includes = {"other.fbs"};
  schema.file_identifier = "SMPL";
  schema.enums = {
      {.name = "lab.Mode",
       .underlying = BaseType::kUInt8,
       .bit_flags = false,
       .values = {{.name = "Auto", .value = 0, .doc = "Doc."}, {.name = "Manual", .value = 1, .doc = {}}},
       .doc = "A mode.\nOn two lines.",
       .attributes = {},
       .file = "sample.fbs"}};
  Table request{
      .name = "lab.Request", .fields = {}, .doc = "A request.", .attributes = {}, .file = "sample.fbs"};
  request.fields = {
      {.name = "mode", .type = {.base = BaseType::kUInt8, .index = 0}, .id = 0, .default_integer = 1},
      {.name = "gain", .type = {.base = BaseType::kFloat64}, .id = 1, .default_real = 0.1},
      {.name = "names",
       .type = {.base = BaseType::kVector, .element = BaseType::kString},
       .id = 2,
       .required = true},
      {.name = "more", .type = {.base = BaseType::kTable, .index = 1}, .id = 3}};
  Table reply{.name = "lab.Answer", .fields = {}, .doc = {}, .attributes = {}, .file = "sample.fbs"};
  reply.fields = {
      {.name = "old", .type = {.base = BaseType::kInt32}, .id = 0, .deprecated = true},
      {.name = "values", .type = {.base = BaseType::kVector, .element = BaseType::kFloat32}, .id = 1}};
  schema.tables = {request, reply};
  Service service{
      .name = "lab.Bench", .methods = {}, .doc = "A bench.", .attributes = {}, .file = "sample.fbs"};
  service.methods = {
      {.name = "Zero", .request = 0, .response = 1, .doc = "Doc.", .attributes = {{"idempotent", "0"}}},
      {.name = "Ask",
       .request = 1,
       .response = 1,
       .doc = {},
       .attributes = {{"channel", "bulk"}, {"deadline_ms", "250"}, {"streaming", "server"}}}};
  schema.services = {service};
  schema.root = 0;
  EXPECT_TRUE(complete(schema).ok());
  return schema;
}

TEST(Schema, ComesBackFromItsBinaryForm) {
  const Schema schema = sample();
  const auto loaded = load(save(schema));
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  const Schema& back = **loaded;
  EXPECT_EQ(back.file, "sample.fbs");
  EXPECT_THAT(back.includes, ElementsAre("other.fbs"));
  EXPECT_EQ(back.file_identifier, "SMPL");
  EXPECT_EQ(back.tables[static_cast<std::size_t>(back.root)].name, "lab.Request");
  const Table& request = *back.find_table("lab.Request");
  ASSERT_EQ(request.fields.size(), 4U);
  EXPECT_EQ(request.doc, "A request.");
  EXPECT_EQ(request.fields[0].name, "mode");
  EXPECT_EQ(back.enum_of(request.fields[0].type).name, "lab.Mode");
  EXPECT_EQ(request.fields[0].default_integer, 1);
  EXPECT_EQ(request.fields[1].default_real, 0.1);
  EXPECT_TRUE(request.fields[2].required);
  EXPECT_EQ(back.table_of(request.fields[3].type).name, "lab.Answer");
  EXPECT_TRUE(back.find_table("lab.Answer")->fields[0].deprecated);
  EXPECT_EQ(back.enums[0].doc, "A mode.\nOn two lines.");
  EXPECT_EQ(back.enums[0].find("Manual")->value, 1);
  const Service& service = *back.find_service("lab.Bench");
  EXPECT_TRUE(service.find("Zero")->idempotent);
  EXPECT_EQ(service.find("Ask")->kind, CallKind::kServerStream);
  EXPECT_EQ(service.find("Ask")->channel, Channel::kBulk);
  EXPECT_EQ(service.find("Ask")->deadline_ms, 250U);
}

TEST(Schema, SameSchemaGivesSameBytesInAnyOrder) {
  Schema schema = sample();
  const Buffer bytes = save(schema);
  EXPECT_EQ(bytes.text(), save(schema).text());
  const auto loaded = load(bytes);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(bytes.text(), save(**loaded).text()) << "alphabetical order changes nothing";
}

TEST(Schema, FingerprintIsStable) {
  const Schema schema = sample();
  const Service& service = schema.services[0];
  EXPECT_EQ(canonical(schema, service),
            "service lab.Bench\n"
            "  method Ask server lab.Answer lab.Answer\n"
            "  method Zero unary lab.Request lab.Answer idempotent\n"
            "enum lab.Mode uint8\n"
            "  value Auto = 0\n"
            "  value Manual = 1\n"
            "table lab.Answer\n"
            "  field 0 old int32 = 0 deprecated\n"
            "  field 1 values [float32]\n"
            "table lab.Request\n"
            "  field 0 mode enum lab.Mode = 1\n"
            "  field 1 gain float64 = bits 4591870180066957722\n"
            "  field 2 names [string] required\n"
            "  field 3 more table lab.Answer\n");
  std::string hex;
  for (const std::uint8_t byte : fingerprint(schema, service).bytes) {
    hex += "0123456789abcdef"[byte >> 4U];
    hex += "0123456789abcdef"[byte & 15U];
  }
  EXPECT_EQ(hex, "6dcce37bdd2ff7677f076b04a2a98ba0") << "a change here breaks peers of other versions";
}

TEST(Schema, FingerprintIsOfWhatTravelsAlone) {
  const Schema schema = sample();
  const Fingerprint before = fingerprint(schema, schema.services[0]);
  Schema same = schema;
  std::swap(same.services[0].methods[0], same.services[0].methods[1]);
  same.tables[0].doc = "Other words.";
  same.file = "renamed.fbs";
  EXPECT_EQ(fingerprint(same, same.services[0]), before);
  for (const int change : {0, 1, 2, 3, 4}) {
    Schema other = schema;
    if (change == 0) other.tables[0].fields[1].default_real = 0.2;
    if (change == 1) other.tables[1].fields[1].name = "numbers";
    if (change == 2) other.enums[0].values[1].value = 2;
    if (change == 3) other.services[0].methods[1].kind = CallKind::kUnary;
    if (change == 4) other.tables[1].fields[1].type.element = BaseType::kFloat64;
    EXPECT_NE(fingerprint(other, other.services[0]), before) << change;
  }
}

TEST(Schema, HostileDescriptorsAreRefused) {
  EXPECT_THAT(load(Bytes()).error().message(), HasSubstr("not a FlatBuffers binary schema"));
  EXPECT_FALSE(load(as_bytes("namespace imaging; table Frame { }")));
  const Buffer good = save(sample());
  for (std::size_t size = 0; size < good.size(); ++size) (void)load(good.bytes().first(size));
  std::mt19937 random(1);  // NOLINT(bugprone-random-generator-seed): the same bytes every time
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> bad(good.bytes().begin(), good.bytes().end());
    for (int i = 0; i < 3; ++i) bad[random() % bad.size()] = static_cast<std::byte>(random() & 0xffU);
    const auto loaded = load(bad);
    if (loaded) (void)fingerprint(**loaded, (*loaded)->services.empty() ? Service() : (*loaded)->services[0]);
  }
}

TEST(Schema, ContradictionsAreRefusedByName) {
  const auto message = [](const auto& change) {
    Schema schema = sample();
    change(schema);
    return complete(schema).message();
  };
  EXPECT_THAT(message([](Schema& s) { s.tables[0].fields[3].type.index = 9; }),
              HasSubstr("a table that is not there"));
  EXPECT_THAT(message([](Schema& s) { s.tables[0].fields[0].type.index = 9; }),
              HasSubstr("an enum that is not there"));
  EXPECT_THAT(message([](Schema& s) { s.tables[0].fields[2].id = 7; }), HasSubstr("gap at 2"));
  EXPECT_THAT(message([](Schema& s) { s.tables[0].fields[2].name = "gain"; }), HasSubstr("gain twice"));
  EXPECT_THAT(message([](Schema& s) { s.tables[0].fields[2].name = "__import__('os')"; }),
              HasSubstr("identifier"));
  EXPECT_THAT(message([](Schema& s) { s.tables[0].fields[0].required = true; }),
              HasSubstr("can't be required"));
  EXPECT_THAT(message([](Schema& s) { s.tables[0].fields[3].type.base = BaseType::kUnion; }),
              HasSubstr("union"));
  EXPECT_THAT(message([](Schema& s) { s.tables[1].name = "leat.Tensor"; }),
              HasSubstr("leat.Tensor is built in"));
  EXPECT_THAT(message([](Schema& s) { s.services[0].methods[0].response = -1; }), HasSubstr("not there"));
  EXPECT_THAT(message([](Schema& s) { s.services[0].methods[1].attributes[2].second = "sideways"; }),
              HasSubstr("lab.Bench.Ask: attribute 'streaming'"));
  EXPECT_THAT(message([](Schema& s) { s.root = 5; }), HasSubstr("root"));
}

TEST(Registry, KnowsServicesByFingerprintAndByName) {
  Registry registry;
  const auto first = std::make_shared<const Schema>(sample());
  Schema changed = sample();
  changed.tables[0].fields[1].default_real = 0.2;
  const auto second = std::make_shared<const Schema>(std::move(changed));
  registry.add(first);
  registry.add(second);
  registry.add(first);
  EXPECT_THAT(registry.names(), ElementsAre("lab.Bench"));
  EXPECT_EQ(registry.find("lab.Bench").schema, second);
  EXPECT_EQ(registry.find(fingerprint(*first, first->services[0])).schema, first);
  EXPECT_EQ(registry.find("lab.Other").service, nullptr);
  EXPECT_EQ(registry.find(Fingerprint()).service, nullptr);
}

}  // namespace
}  // namespace leat::schema
