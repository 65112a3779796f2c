// The schemas that a process knows, by the services they describe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <leat/schema/descriptor.h>

namespace leat::schema {

/// A service within the schema that declares it; keeps the schema alive.
struct KnownService {
  std::shared_ptr<const Schema> schema;
  const Service* service = nullptr;
  Fingerprint fingerprint;
};

/// Schemas by service. Several versions of one service may be known at once, told apart by fingerprint.
/// Thread-safe.
class Registry {
 public:
  /// Makes every service of the schema known. A service that is known by the same fingerprint stays as it
  /// was.
  void add(const std::shared_ptr<const Schema>& schema);
  /// The service with exactly that fingerprint; its `service` is null if there is none.
  [[nodiscard]] KnownService find(const Fingerprint& fingerprint) const;
  /// The version of that service that was added last; its `service` is null if there is none.
  [[nodiscard]] KnownService find(std::string_view service) const;
  /// Names of all services, ascending.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<KnownService>, std::less<>> services_;
};

}  // namespace leat::schema
