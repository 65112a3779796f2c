// What the hooks of Python interceptors are given: the call, and a message on its way.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <leat/interceptor.h>

#include "method.h"
#include "python.h"

namespace leat::python {

/// Metadata that Python code may change, as a dictionary. The GIL is held.
class MetadataView {
 public:
  explicit MetadataView(Metadata& metadata) : metadata_(&metadata) {}
  [[nodiscard]] const py::dict& dict();
  /// Takes over what was changed in the dictionary; keys that come more than once and were left alone remain
  /// so. TypeError or ValueError for what is no metadata.
  void commit();
  /// The metadata goes; what was seen of it remains.
  void leave() noexcept { metadata_ = nullptr; }

 private:
  Metadata* metadata_;
  std::optional<py::dict> dict_;
};

/// leat.interceptors.CallDetails. The GIL is held.
class CallView {
 public:
  explicit CallView(CallDetails& details);

  [[nodiscard]] const std::string& side() const noexcept { return side_; }
  [[nodiscard]] const std::string& service() const noexcept { return service_; }
  [[nodiscard]] const std::string& method() const noexcept { return method_; }
  [[nodiscard]] const std::string& kind() const noexcept { return kind_; }
  [[nodiscard]] const std::string& peer() const noexcept { return peer_; }
  [[nodiscard]] py::dict metadata() { return metadata_.dict(); }
  [[nodiscard]] py::object timeout() const;
  void set_timeout(const py::object& seconds);

  /// on_start() has returned: what it changed takes effect.
  void started();
  /// The call is over.
  void ended() noexcept;

 private:
  CallDetails* details_;
  bool starting_ = true;
  const std::string side_, service_, method_, kind_, peer_;
  std::optional<Duration> timeout_;
  MetadataView metadata_;
};

/// leat.interceptors.Message: alive while its hook runs. The GIL is held.
class MessageView {
 public:
  MessageView(Payload& payload, std::shared_ptr<const Method> method, bool request, bool first)
      : payload_(&payload), method_(std::move(method)), request_(request), first_(first) {}

  [[nodiscard]] py::object value();
  void set_value(py::object value);
  [[nodiscard]] std::uint64_t size() const { return payload().byte_size(); }
  /// The hook has returned.
  void leave() noexcept { payload_ = nullptr; }

 private:
  [[nodiscard]] Payload& payload() const;
  void check_schema() const;

  Payload* payload_;
  std::shared_ptr<const Method> method_;
  bool request_;
  bool first_;
  std::optional<py::object> value_;
};

}  // namespace leat::python
