#include <algorithm>

#include <leat/schema/registry.h>

namespace leat::schema {

void Registry::add(const std::shared_ptr<const Schema>& schema) {
  for (const Service& service : schema->services) {
    const Fingerprint print = fingerprint(*schema, service);
    const std::scoped_lock lock(mutex_);
    std::vector<KnownService>& versions = services_[service.name];
    if (std::ranges::find(versions, print, &KnownService::fingerprint) == versions.end()) {
      versions.push_back({.schema = schema, .service = &service, .fingerprint = print});
    }
  }
}

KnownService Registry::find(const Fingerprint& fingerprint) const {
  const std::scoped_lock lock(mutex_);
  for (const auto& [name, versions] : services_) {
    const auto found = std::ranges::find(versions, fingerprint, &KnownService::fingerprint);
    if (found != versions.end()) return *found;
  }
  return {};
}

KnownService Registry::find(std::string_view service) const {
  const std::scoped_lock lock(mutex_);
  const auto found = services_.find(service);
  return found == services_.end() ? KnownService() : found->second.back();
}

std::vector<std::string> Registry::names() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, versions] : services_) names.push_back(name);
  return names;
}

}  // namespace leat::schema
