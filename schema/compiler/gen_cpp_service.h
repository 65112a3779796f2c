// C++: the client and the base class of one service.
#pragma once

#include <string>

#include <leat/schema/descriptor.h>

#include "schema/compiler/cpp_types.h"
#include "schema/compiler/emitter.h"

namespace leat::schema {

/// What the handshake and calls say of the service: constants in the namespace `generated`.
void emit_cpp_service_info(const Schema& schema, const Service& service, const std::string& generated,
                           Emitter& out, const CppTypes& types);
/// The client class and the service base, inside the service's own namespace.
void emit_cpp_service(const Schema& schema, const Service& service, const std::string& generated,
                      Emitter& out, const CppTypes& types);

}  // namespace leat::schema
