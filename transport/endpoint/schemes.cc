#include "transport/endpoint/schemes.h"

#include <memory>
#include <vector>

#include "transport/inproc/inproc.h"
#include "transport/link/address.h"
#include "transport/tcp/tcp.h"
#include "transport/zmq/zmq.h"

namespace leat::transport {
namespace {

using Table = std::vector<std::unique_ptr<Transport>>;

// inproc:// names are the process's, and ZeroMQ wants one context, so there is one table. It is never
// destroyed: connections of other static objects may still need it at exit.
const Table& table() {
  static const Table* const kAll = [] {
    auto* made = new Table;
    made->push_back(make_tcp_transport());
    made->push_back(make_ipc_transport());
    made->push_back(make_inproc_transport());
    made->push_back(make_zmq_tcp_transport());
    made->push_back(make_zmq_ipc_transport());
    return made;
  }();
  return *kAll;
}

}  // namespace

Result<Endpoint> find_endpoint(std::string_view url) {
  const Result<Url> parts = split_url(url);
  if (!parts) return failure(parts.error());
  std::string known;
  for (const std::unique_ptr<Transport>& transport : table()) {
    if (transport->scheme() == parts->scheme) return Endpoint{transport.get(), std::string(parts->address)};
    known += (known.empty() ? "" : ", ") + std::string(transport->scheme()) + "://";
  }
  return failure(Code::kInvalidArgument, "'" + std::string(url) + "': '" + std::string(parts->scheme) +
                                             "' is no scheme of Leat's; there are " + known);
}

}  // namespace leat::transport
