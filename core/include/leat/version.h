// The version of the runtime that a program is compiled against, for generated code to check.
#pragma once

#define LEAT_VERSION_MAJOR 0
#define LEAT_VERSION_MINOR 1
#define LEAT_VERSION_PATCH 0
/// One number that grows with the version: 100 for 0.1.0, 10203 for 1.2.3.
#define LEAT_VERSION (LEAT_VERSION_MAJOR * 10000 + LEAT_VERSION_MINOR * 100 + LEAT_VERSION_PATCH)
#define LEAT_VERSION_STRING "0.1.0"
