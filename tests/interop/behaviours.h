// The cases of gRPC's interoperability tests, and the service that they call. behaviours.py is the same in
// Python.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <leat/peer.h>
#include <leat/service.h>

namespace behaviours {

/// The service, and what it counts.
struct Serving {
  std::shared_ptr<leat::Service> service;
  /// Handlers that run.
  std::uint64_t (*running)();
};
Serving make_service();

/// Runs a case by its name in grpc's list; what was wrong, or empty.
std::string run_case(const leat::Peer& peer, std::string_view name);

}  // namespace behaviours
