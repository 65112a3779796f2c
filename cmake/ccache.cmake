# Puts a compiler cache in front of the compiler where there is one. Included by the presets through
# CMAKE_PROJECT_TOP_LEVEL_INCLUDES. The sloppiness is what lets ccache keep objects made with a precompiled header.
find_program(LEAT_CCACHE ccache)
if(LEAT_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=2G ${LEAT_CCACHE})
endif()
