// msgpack-c, included one way everywhere: headers only, without Boost.
#pragma once

#define MSGPACK_NO_BOOST  // NOLINT(readability-identifier-naming): msgpack-c's own switch
#include <msgpack.hpp>
