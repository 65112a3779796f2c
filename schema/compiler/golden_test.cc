// What leatc writes and says is under version control: a change shows up as a difference, here and in review.
// LEAT_UPDATE_GOLDENS=1 writes the files anew instead of comparing.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <leat/schema/compile.h>

#include "schema/compiler/generate.h"

namespace leat::schema {
namespace {

const std::filesystem::path& testdata() {
  static const std::filesystem::path kPath = std::filesystem::path(LEAT_SOURCE_DIR) / "schema/testdata";
  return kPath;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void expect_golden(const std::filesystem::path& path, const std::string& text) {
  if (std::getenv("LEAT_UPDATE_GOLDENS") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  ASSERT_TRUE(std::filesystem::exists(path)) << path << " is missing: run with LEAT_UPDATE_GOLDENS=1";
  const std::string golden = read(path);
  if (golden == text) return;
  // The whole files would drown the difference.
  std::size_t line = 1;
  std::size_t i = 0;
  for (; i < std::min(golden.size(), text.size()) && golden[i] == text[i]; ++i)
    line += golden[i] == '\n' ? 1U : 0U;
  const std::size_t start =
      text.rfind('\n', i) == std::string::npos || i == 0 ? 0 : text.rfind('\n', i - 1) + 1;
  ADD_FAILURE() << path.filename() << ":" << line
                << " differs; run with LEAT_UPDATE_GOLDENS=1 if that is meant.\n"
                << "golden: " << golden.substr(start, golden.find('\n', start) - start) << "\n"
                << "now:    " << text.substr(start, text.find('\n', start) - start);
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, GeneratedCodeIsAsCommitted) {
  const auto schema =
      compile(testdata() / "schemas" / (GetParam() + ".fbs"),
              {.include_directories = {}, .check_cpp_names = true, .check_python_names = true});
  ASSERT_TRUE(schema) << schema.error().message();
  expect_golden(testdata() / "goldens/cpp" / (GetParam() + ".leat.h"), generate_cpp(**schema));
  expect_golden(testdata() / "goldens/python" / (GetParam() + ".py"), generate_python(**schema));
  expect_golden(testdata() / "goldens/python" / (GetParam() + ".pyi"), generate_python_stub(**schema));
}

INSTANTIATE_TEST_SUITE_P(Schemas, Golden, testing::Values("imaging", "common", "tree"),
                         [](const auto& test) { return test.param; });

class Diagnostics : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(Diagnostics, AreAsCommitted) {
  std::vector<Diagnostic> diagnostics;
  const auto schema =
      compile(GetParam(), {.include_directories = {}, .check_cpp_names = true, .check_python_names = true},
              &diagnostics);
  ASSERT_FALSE(schema) << "a broken schema was taken";
  EXPECT_EQ(schema.error().code(), Code::kInvalidArgument);
  std::string text;
  for (Diagnostic& diagnostic : diagnostics) {
    EXPECT_GT(diagnostic.line, 0) << diagnostic.message;
    diagnostic.file = std::filesystem::path(diagnostic.file).filename();
    text += diagnostic.to_string() + "\n";
  }
  expect_golden(std::filesystem::path(GetParam()).replace_extension(".txt"), text);
}

std::vector<std::filesystem::path> broken_schemas() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(testdata() / "broken")) {
    if (entry.path().extension() == ".fbs") paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  return paths;
}

INSTANTIATE_TEST_SUITE_P(Broken, Diagnostics, testing::ValuesIn(broken_schemas()),
                         [](const auto& test) { return test.param.stem().string(); });

TEST(Compile, MissingFileIsNotFound) {
  const auto schema = compile("nowhere/imaging.fbs");
  ASSERT_FALSE(schema);
  EXPECT_EQ(schema.error().to_string(), "not_found: nowhere/imaging.fbs: no such file, or it can't be read");
}

TEST(Compile, SchemaHasWhatTheFileSays) {
  const auto compiled = compile(testdata() / "schemas/imaging.fbs");
  ASSERT_TRUE(compiled) << compiled.error().message();
  const Schema& schema = **compiled;
  EXPECT_EQ(schema.file, "imaging.fbs");
  EXPECT_EQ(schema.includes, std::vector<std::string>{"leat/leat.fbs"});
  const Table* request = schema.find_table("imaging.SnapRequest");
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(request->doc, "What the camera should do for one picture.");
  EXPECT_EQ(request->find("exposure")->default_real, 0.05);
  EXPECT_EQ(schema.enum_of(request->find("mode")->type).name, "imaging.Mode");
  EXPECT_TRUE(schema.find_table("leat.Tensor")->is_tensor);
  const Service* service = schema.find_service("imaging.Microscope");
  ASSERT_NE(service, nullptr);
  EXPECT_TRUE(service->find("Snap")->idempotent);
  EXPECT_EQ(service->find("Frames")->kind, CallKind::kServerStream);
  EXPECT_EQ(service->find("Frames")->channel, Channel::kStream);
  EXPECT_EQ(service->find("Track")->deadline_ms, 500U);
}

}  // namespace
}  // namespace leat::schema
