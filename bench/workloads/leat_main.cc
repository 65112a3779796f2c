// Every workload but the one beside bulk (leat_priority.cc), over whatever the URL names.
#include <leat/peer.h>
#include <leat/server.h>

#include "leat_service.h"

namespace {

using bench::Options;

int serve(const Options& options) {
  leat::Server server;
  if (leat::Status added = server.add(bench::make_work(options)); !added.ok())
    return bench::fail(added) ? 0 : 1;
  const leat::Result<std::string> url = server.listen(options.address);
  if (!url) return bench::fail(url.error()) ? 0 : 1;
  bench::announce(*url);
  server.wait();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = bench::parse(argc, argv, "Work over Leat", "tcp://127.0.0.1:0");
  if (options.server) return serve(options);
  const std::string& work = options.work;
  if (work == "unary" || work == "calls" || work == "threads" || work == "connect") {
    return bench::run_calls(options);
  }
  if (work == "put" || work == "echo") return bench::run_arrays(options);
  if (work == "source" || work == "sink" || work == "chat") return bench::run_streams(options);
  return bench::no_such_work(options);
}
