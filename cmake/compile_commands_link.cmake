# SPDX-License-Identifier: MIT
# build/compile_commands.json points at the debug build's, or at that of whatever was built first.
set(link_ ${PROJECT_SOURCE_DIR}/build/compile_commands.json)
cmake_path(IS_PREFIX PROJECT_SOURCE_DIR ${PROJECT_BINARY_DIR} inside_)
if(inside_ AND EXISTS ${PROJECT_SOURCE_DIR}/build)
    cmake_path(GET PROJECT_BINARY_DIR FILENAME name_)
    if(name_ STREQUAL "debug" OR NOT EXISTS ${link_})
        cmake_path(RELATIVE_PATH PROJECT_BINARY_DIR BASE_DIRECTORY ${PROJECT_SOURCE_DIR}/build
                   OUTPUT_VARIABLE tree_)
        file(REMOVE ${link_})
        file(CREATE_LINK ${tree_}/compile_commands.json ${link_} SYMBOLIC)
    endif()
endif()
