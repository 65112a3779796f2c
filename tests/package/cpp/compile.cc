// Compiles the schema that is named on the command line; prints "ok", or what is wrong with it.
#include <cstdio>

#include <leat/schema/compile.h>

int main(int argc, char** argv) {
  const auto schema = leat::schema::compile(argc > 1 ? argv[1] : "");
  std::printf("%s\n", schema ? "ok" : schema.error().to_string().c_str());
}
