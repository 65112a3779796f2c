// The services that a side offers, by name.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <leat/service.h>

#include "core/wire/handshake.h"

namespace leat::call {

/// What a request is for.
struct Target {
  std::shared_ptr<Service> service;
  std::size_t method = 0;
};

/// Not thread-safe: its owner guards it.
class MethodTable {
 public:
  /// kAlreadyExists if a service of that name is there.
  Status add(std::shared_ptr<Service> service);
  /// kNotFound naming the services there are, or kUnimplemented naming the service's methods; both with the
  /// nearest name when one is near.
  [[nodiscard]] Result<Target> find(std::string_view service, std::string_view method) const;
  [[nodiscard]] bool offers(std::string_view service) const { return services_.contains(service); }
  [[nodiscard]] std::vector<wire::Announcement> announcements() const;

 private:
  std::map<std::string, std::shared_ptr<Service>, std::less<>> services_;
};

/// The name in the comma-separated list that a user most likely meant: at most a third of its letters differ
/// (Levenshtein distance, ignoring case). Empty if none is near.
[[nodiscard]] std::string nearest_name(std::string_view name, std::string_view known);

}  // namespace leat::call
