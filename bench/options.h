// How a contestant's program is called, the same for all: `PROGRAM server` prints its address and answers
// until it is killed; `PROGRAM client ADDRESS` measures one round and prints it as JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace bench {

struct Options {
  bool server = false;
  std::string address;          ///< where to listen, or what to connect to
  std::string work = "unary";   ///< what is measured; README.md has the list
  std::size_t size = 64;        ///< bytes of a request, an item or an array
  std::size_t outstanding = 1;  ///< calls under way at a time, or threads that call
  double warm_up = 0.1;         ///< seconds
  double seconds = 0.5;         ///< of measuring
  std::int64_t calls = 0;       ///< instead of seconds: exactly so many, after no warm-up (for profilers)
  bool down = false;            ///< where bulk is moved: from the server
  std::int64_t wrong = -1;      ///< server: the answer with this number is spoilt, for the test of the check
  std::int64_t slow = 0;  ///< server: microseconds that each answer is held back, for the test of compare
  std::string samples;    ///< file for the calls' times, each a 64-bit count of nanoseconds
};

inline Options parse(int argc, char** argv, const char* what, const std::string& listen) {
  CLI::App app(what);
  Options options;
  options.address = listen;
  app.require_subcommand(1);
  CLI::App* server = app.add_subcommand("server", "answers until it is killed; prints its address");
  server->add_option("--listen", options.address)->capture_default_str();
  server->add_option("--wrong", options.wrong, "spoil the answer with this number");
  server->add_option("--slow", options.slow, "hold each answer back by so many microseconds");
  CLI::App* client = app.add_subcommand("client", "measures one round");
  client->add_option("address", options.address)->required();
  client->add_option("--warm-up", options.warm_up, "seconds")->capture_default_str();
  client->add_option("--seconds", options.seconds)->capture_default_str();
  client->add_flag("--down", options.down, "bulk from the server instead of to it");
  client->add_option("--calls", options.calls, "so many calls and no warm-up");
  client->add_option("--outstanding", options.outstanding, "calls at a time")->capture_default_str();
  client->add_option("--samples", options.samples, "file for the calls' times");
  for (CLI::App* command : {server, client}) {
    command->add_option("--size", options.size)->capture_default_str();
    command->add_option("--work", options.work)->capture_default_str();
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  options.server = server->parsed();
  return options;
}

/// Prints the address that clients connect to; run.py waits for this line.
inline void announce(const std::string& address) {
  fmt::print("{}\n", address);
  std::fflush(stdout);
}

/// For main(): a contestant that does not do what it was asked.
inline int no_such_work(const Options& options) {
  fmt::print(stderr, "there is no work called {} here\n", options.work);
  return 2;
}

}  // namespace bench
