# leat_generate(TARGET app SCHEMAS imaging.fbs ... [INCLUDES dir ...] [OUTPUT dir] [PYTHON])
#
# Runs leatc on each schema when it has changed, and lets the target include what comes out: `#include "imaging.leat.h"`.
# Schemas that include each other belong in one call. With PYTHON, imaging.py and imaging.pyi are written beside it. The
# files are written to OUTPUT (default: <build folder>/gen/<target>). Link the target with leat::leat yourself.
function(leat_generate)
  cmake_parse_arguments(ARG "PYTHON" "TARGET;OUTPUT" "SCHEMAS;INCLUDES" ${ARGN})
  if(NOT ARG_TARGET OR NOT ARG_SCHEMAS OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "leat_generate(TARGET app SCHEMAS a.fbs ... [INCLUDES dir ...] [OUTPUT dir] [PYTHON])")
  endif()
  if(NOT ARG_OUTPUT)
    set(ARG_OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/gen/${ARG_TARGET})
  endif()
  set(options --cpp)
  if(ARG_PYTHON)
    list(APPEND options --python)
  endif()
  foreach(directory ${ARG_INCLUDES})
    get_filename_component(directory ${directory} ABSOLUTE)
    list(APPEND options -I ${directory})
  endforeach()
  set(inputs)
  foreach(schema ${ARG_SCHEMAS})
    get_filename_component(schema ${schema} ABSOLUTE)
    list(APPEND inputs ${schema})
  endforeach()
  foreach(schema ${inputs})
    get_filename_component(name ${schema} NAME_WLE)
    string(REGEX REPLACE "[^A-Za-z0-9_]" "_" name ${name}) # as leatc does
    set(outputs ${ARG_OUTPUT}/${name}.leat.h)
    if(ARG_PYTHON)
      list(APPEND outputs ${ARG_OUTPUT}/${name}.py ${ARG_OUTPUT}/${name}.pyi)
    endif()
    add_custom_command(OUTPUT ${outputs}
      COMMAND leat::leatc ${schema} ${options} -o ${ARG_OUTPUT}
      DEPENDS ${inputs} leat::leatc
      COMMENT "leatc ${name}.fbs"
      VERBATIM)
    target_sources(${ARG_TARGET} PRIVATE ${outputs})
  endforeach()
  target_include_directories(${ARG_TARGET} PRIVATE ${ARG_OUTPUT})
endfunction()
