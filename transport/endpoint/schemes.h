// The transports there are, by scheme. This and its .cc are the only place that knows them all.
#pragma once

#include <string>
#include <string_view>

#include "transport/link/link.h"

namespace leat::transport {

/// A URL's transport and the address to give it. kInvalidArgument naming the schemes there are.
struct Endpoint {
  Transport* transport = nullptr;  ///< lives as long as the process
  std::string address;
};
Result<Endpoint> find_endpoint(std::string_view url);

}  // namespace leat::transport
