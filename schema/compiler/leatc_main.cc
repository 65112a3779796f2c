// leatc: schema files in, code out. A thin main around the compiler and the generators.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <leat/schema/compile.h>
#include <leat/schema/load.h>

#include "schema/compiler/generate.h"
#include "schema/compiler/namer.h"

namespace leat::schema {
namespace {

struct Arguments {
  std::vector<std::string> files;
  std::vector<std::string> include_directories;
  std::string output = ".";
  bool cpp = false;
  bool python = false;
  bool descriptor = false;
};

bool write(const std::filesystem::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (file) return true;
  fmt::print(stderr, "leatc: can't write {}\n", path.string());
  return false;
}

bool compile_file(const std::string& file, const Arguments& arguments) {
  CompileOptions options{
      .include_directories = {}, .check_cpp_names = arguments.cpp, .check_python_names = arguments.python};
  for (const std::string& directory : arguments.include_directories)
    options.include_directories.emplace_back(directory);
  const auto schema = compile(file, options);
  if (!schema) {
    fmt::print(stderr, "{}\n", schema.error().message());
    return false;
  }
  const std::filesystem::path base = std::filesystem::path(arguments.output) / module_name(file);
  bool written = true;
  if (arguments.cpp) written = write(base.string() + ".leat.h", generate_cpp(**schema)) && written;
  if (arguments.python) {
    written = write(base.string() + ".py", generate_python(**schema)) && written;
    written = write(base.string() + ".pyi", generate_python_stub(**schema)) && written;
  }
  if (arguments.descriptor) written = write(base.string() + ".bfbs", save(**schema).text()) && written;
  return written;
}

int run(int argc, char** argv) {
  CLI::App app(
      "Compiles FlatBuffers schemas with services for Leat.\n\n"
      "  leatc imaging.fbs --cpp --python -o gen/\n\n"
      "writes gen/imaging.leat.h, gen/imaging.py and gen/imaging.pyi. Schemas may include "
      "\"leat/leat.fbs\",\n"
      "which leatc knows, for leat.Tensor and the attributes of methods.",
      "leatc");
  Arguments arguments;
  app.add_option("files", arguments.files, "Schema files (.fbs)")->required()->type_name("FILE");
  app.add_flag("--cpp", arguments.cpp, "Write NAME.leat.h");
  app.add_flag("--python", arguments.python, "Write NAME.py and NAME.pyi");
  app.add_flag("--descriptor", arguments.descriptor, "Write NAME.bfbs, FlatBuffers' binary schema");
  app.add_option("-o,--output", arguments.output, "Folder to write to, made if it is not there")
      ->type_name("DIR");
  app.add_option("-I,--include", arguments.include_directories,
                 "Folder to search includes in; may be repeated")
      ->type_name("DIR")
      ->allow_extra_args(false);
  app.set_version_flag("--version", std::string("leatc ") + kGeneratorVersion);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  std::error_code error;
  std::filesystem::create_directories(arguments.output, error);
  if (error) {
    fmt::print(stderr, "leatc: can't make the folder {}: {}\n", arguments.output, error.message());
    return 1;
  }
  if (!arguments.cpp && !arguments.python && !arguments.descriptor) {
    fmt::print(stderr, "leatc: nothing to write: give --cpp, --python or --descriptor\n");
    return 1;
  }
  bool ok = true;
  for (const std::string& file : arguments.files) ok = compile_file(file, arguments) && ok;
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace leat::schema

int main(int argc, char** argv) {
  try {
    return leat::schema::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "leatc: {}\n", error.what());
    return 1;
  }
}
