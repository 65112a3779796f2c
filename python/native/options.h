// What a caller may set for a call, as Python gives it.
#pragma once

#include <optional>

#include <leat/context.h>
#include <leat/metadata.h>

#include "python.h"

namespace leat::python {

/// Seconds as Python gives them; None is no limit. ValueError for what is no length of time.
[[nodiscard]] std::optional<Duration> to_duration(const py::object& seconds, const char* name);
/// Of a call: what is as good as infinite says that there is no limit, whatever the schema or the connection
/// says.
[[nodiscard]] Duration to_timeout(const py::object& seconds);
[[nodiscard]] inline double to_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}
/// ValueError naming the channels for a name that is none.
[[nodiscard]] std::optional<Channel> to_channel(const py::object& name);

/// From a dictionary, or pairs where a key comes more than once; None is none. TypeError and ValueError name
/// what is wrong.
[[nodiscard]] Metadata to_metadata(const py::object& pairs);
/// As a dictionary: text, or bytes for keys that end in "-bin". Values of a key that comes more than once are
/// joined by ", "; of bytes the last remains.
[[nodiscard]] py::dict from_metadata(const Metadata& metadata);

/// `base` with what the keywords timeout, channel, metadata, idempotent and wait_for_ready change; None
/// leaves a thing as it is. `args` is a tuple, `kwargs` a dictionary or null, as tp_call has them.
[[nodiscard]] CallOptions with_options(CallOptions base, PyObject* args, PyObject* kwargs);

}  // namespace leat::python
