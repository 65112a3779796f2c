#include "core/call/method_table.h"

#include <algorithm>

namespace leat::call {
namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string hint(std::string_view name, std::string_view known) {
  const std::string near = nearest_name(name, known);
  return near.empty() ? std::string() : "; did you mean '" + near + "'?";
}

}  // namespace

std::string nearest_name(std::string_view name, std::string_view known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  while (!known.empty()) {
    const std::size_t comma = known.find(", ");
    const std::string_view candidate = known.substr(0, comma);
    known = comma == std::string_view::npos ? std::string_view() : known.substr(comma + 2);
    // A name that long was not mistyped; and the distance costs the product of the lengths.
    if (candidate.size() > 128 || name.size() > 128) continue;
    const std::size_t d = distance(name, candidate);
    if (d < best_distance) {
      best_distance = d;
      best = candidate;
    }
  }
  return best;
}

Status MethodTable::add(std::shared_ptr<Service> service) {
  std::string name(service->service_info().name);
  if (name.empty() || name.size() > wire::kMaxNameBytes) {
    return {Code::kInvalidArgument,
            "a service's name must have 1 to " + std::to_string(wire::kMaxNameBytes) + " bytes"};
  }
  if (!services_.emplace(name, std::move(service)).second) {
    return {Code::kAlreadyExists, "a service named '" + name + "' is already offered"};
  }
  return {};
}

Result<Target> MethodTable::find(std::string_view service, std::string_view method) const {
  const auto at = services_.find(service);
  if (at == services_.end()) {
    std::string names;
    for (const auto& [name, offered] : services_) names += (names.empty() ? "" : ", ") + name;
    // The code is gRPC's; where an object was meant, its own language says what was not found.
    Status status(Code::kUnimplemented,
                  "nothing is offered here as '" + std::string(service) + "'" + hint(service, names) +
                      (names.empty() ? "; nothing is offered at all" : "; offered: " + names));
    return failure(std::move(status.with_remote_traceback("LookupError", "")));
  }
  if (const auto index = at->second->find_method(method)) return Target{at->second, *index};
  const std::string names = at->second->known_methods();
  return failure(Code::kUnimplemented, "'" + std::string(service) + "' has no method '" +
                                           std::string(method) + "'" + hint(method, names) +
                                           (names.empty() ? "" : "; it has: " + names));
}

std::vector<wire::Announcement> MethodTable::announcements() const {
  std::vector<wire::Announcement> list;
  for (const auto& [name, service] : services_) list.push_back({name, service->service_info().fingerprint});
  return list;
}

}  // namespace leat::call
