// What memory allows: an array copied into warm memory. There is no other process.
#include <unistd.h>

#include "round.h"

int main(int argc, char** argv) {
  const bench::Options options = bench::parse(argc, argv, "memcpy", "memory");
  if (options.server) {
    bench::announce(options.address);
    return pause();
  }
  std::vector<std::byte> from(options.size);
  std::vector<std::byte> to(options.size);
  return bench::measure(
      options,
      [&](std::uint64_t number) {
        bench::stamp(from, number);
        std::memcpy(to.data(), from.data(), from.size());
        return bench::stamped(to, number);
      },
      options.size);
}
