#include "transport/inproc/inproc.h"

#include "transport/link/conformance/conformance.h"

namespace leat::transport::conformance {
namespace {

INSTANTIATE_TEST_SUITE_P(Inproc, LinkConformance,
                         testing::Values(Subject{.scheme = "inproc",
                                                 .make = make_inproc_transport,
                                                 .free_address = [] { return unique_name("camera"); },
                                                 .unreadable = {""}}));

}  // namespace
}  // namespace leat::transport::conformance
