# SPDX-License-Identifier: MIT
# smallos_core   the freestanding core alone
# smallos        core, configuration, protocols, network, and the unix and sim ports, in one archive
#
# Each part is an object library of its own, so that it is compiled once and with its own rules.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(CARES REQUIRED IMPORTED_TARGET libcares)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl>=3.0)

# One of the two memory pools, as src/core/internal.h has it.
if(CMAKE_SIZEOF_VOID_P EQUAL 8 AND NOT SOS_MEMORY_DIRECT)
    set(SOS_OTHER_POOL pool_list.c)
else()
    set(SOS_OTHER_POOL pool.c)
endif()

set(SOS_DEFINITIONS)
foreach(mode SOS_HARD SOS_MEMORY_DIRECT)
    if(${mode})
        list(APPEND SOS_DEFINITIONS ${mode})
    endif()
endforeach()

# sos_part(name pattern...): an object library from the files that match.
function(sos_part name)
    sos_sources(files ${ARGN})
    list(FILTER files EXCLUDE REGEX /src/core/${SOS_OTHER_POOL}$)
    add_library(${name} OBJECT ${files})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
    target_compile_definitions(${name} PRIVATE ${SOS_DEFINITIONS})
    sos_library_warnings(${name})
endfunction()

sos_part(smallos_part_core src/core/*.c src/diagnostics/*.c)
# Two pointers stored side by side would go through a vector register, which takes longer than the
# two stores, and reading one back early waits for both.
target_compile_options(smallos_part_core PRIVATE -ffreestanding -fno-tree-slp-vectorize)
if(SOS_ONE_FILE)
    # Compiled as one file the core inlines across its own files and has no internal names.
    set_target_properties(smallos_part_core PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
    target_compile_definitions(smallos_part_core PRIVATE SOS_ONE_FILE)
endif()

sos_part(smallos_part_hosted src/config/*.c src/proto/*.c src/net/*.c src/client/*.c src/service/*.c)
target_link_libraries(smallos_part_hosted PRIVATE PkgConfig::JANSSON PkgConfig::ZLIB)

# Beside what is common to all Unix systems, the unix kernel has files for one of them.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(SOS_UNIX_SYSTEM linux)
else()
    set(SOS_UNIX_SYSTEM posix)
endif()
sos_part(smallos_part_ports ports/unix/unix*.c ports/unix/${SOS_UNIX_SYSTEM}*.c ports/sim/*.c
         ports/openssl/*.c)
set_target_properties(smallos_part_ports PROPERTIES C_EXTENSIONS ON)
target_link_libraries(smallos_part_ports PRIVATE Threads::Threads PkgConfig::CARES PkgConfig::OPENSSL)

# The template port is compiled to prove that it compiles; nothing links it.
sos_part(smallos_port_template ports/template/*.c)
target_compile_options(smallos_port_template PRIVATE -ffreestanding)

add_library(smallos_core STATIC $<TARGET_OBJECTS:smallos_part_core>)
add_library(smallos STATIC $<TARGET_OBJECTS:smallos_part_core> $<TARGET_OBJECTS:smallos_part_hosted>
                           $<TARGET_OBJECTS:smallos_part_ports>)
target_link_libraries(smallos PUBLIC Threads::Threads PRIVATE PkgConfig::JANSSON PkgConfig::CARES
                      PkgConfig::OPENSSL PkgConfig::ZLIB)
set_target_properties(smallos_core PROPERTIES EXPORT_NAME core LINKER_LANGUAGE C)
set_target_properties(smallos PROPERTIES LINKER_LANGUAGE C)
foreach(library smallos_core smallos)
    target_include_directories(${library} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_compile_definitions(${library} INTERFACE ${SOS_DEFINITIONS})
    target_compile_features(${library} INTERFACE c_std_11)
endforeach()
add_library(smallos::core ALIAS smallos_core)
add_library(smallos::smallos ALIAS smallos)

# sos_program(name source...): an executable of the project on top of the library.
function(sos_program name)
    add_executable(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE smallos)
    set_target_properties(${name} PROPERTIES C_EXTENSIONS ON)
    sos_warnings(${name})
endfunction()
