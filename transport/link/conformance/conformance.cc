#include "transport/link/conformance/conformance.h"
