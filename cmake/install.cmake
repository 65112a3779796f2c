# What `cmake --install --component cpp` puts where, so that find_package(leat) gives leat::leat, the program leatc and
# the function leat_generate. The Python package is a component of its own (python).
include(CMakePackageConfigHelpers)
set(LEAT_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/leat)

# leat::leat is all that a program needs: peers and servers, and what generated code stands on.
add_library(leat_leat INTERFACE)
add_library(leat::leat ALIAS leat_leat)
set_target_properties(leat_leat PROPERTIES EXPORT_NAME leat)
target_link_libraries(leat_leat INTERFACE leat_transport_endpoint leat_schema_dynamic)

# leat::testing is for programs' tests: <leat/testing.h>.
add_library(leat_testing INTERFACE)
add_library(leat::testing ALIAS leat_testing)
set_target_properties(leat_testing PROPERTIES EXPORT_NAME testing)
target_link_libraries(leat_testing INTERFACE leat_transport_testing leat_leat)

# Each folder's archive is installed. leat::schema_compiler is for programs that compile schemas as they run.
get_property(targets GLOBAL PROPERTY LEAT_FOLDER_TARGETS)
if(TARGET leatc)
  list(APPEND targets leatc)
endif()
install(TARGETS ${targets} leat_leat leat_testing EXPORT leatTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT cpp
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT cpp)
install(EXPORT leatTargets NAMESPACE leat:: DESTINATION ${LEAT_PACKAGE_DIR} COMPONENT cpp)

foreach(root core/include schema/include transport/endpoint/include transport/testing/include)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${root}/leat DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT cpp
    FILES_MATCHING PATTERN "*.h")
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/schema/leat DESTINATION ${CMAKE_INSTALL_DATADIR}/leat/schema COMPONENT cpp
  FILES_MATCHING PATTERN "*.fbs")

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/leatConfig.cmake.in ${CMAKE_BINARY_DIR}/leatConfig.cmake
  INSTALL_DESTINATION ${LEAT_PACKAGE_DIR} PATH_VARS CMAKE_INSTALL_DATADIR)
# Before 1.0 a minor version may change the API.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/leatConfigVersion.cmake COMPATIBILITY SameMinorVersion)
set(files ${CMAKE_BINARY_DIR}/leatConfig.cmake ${CMAKE_BINARY_DIR}/leatConfigVersion.cmake)
if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/leat_generate.cmake)
  list(APPEND files ${CMAKE_CURRENT_LIST_DIR}/leat_generate.cmake)
endif()
install(FILES ${files} DESTINATION ${LEAT_PACKAGE_DIR} COMPONENT cpp)
