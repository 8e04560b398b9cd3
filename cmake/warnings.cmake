# SPDX-License-Identifier: MIT
# The warnings every C file of the project is compiled with. They are part of how the traps of
# stackless C are caught (docs/async.md), so tests/compile_fail uses the same list.

set(SOS_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wvla -Wundef
    -Wimplicit-fallthrough)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    list(APPEND SOS_WARNINGS -Wjump-misses-init)
else()
    list(APPEND SOS_WARNINGS -Wsometimes-uninitialized -Wconditional-uninitialized -Wuninitialized)
endif()
if(SOS_WERROR)
    list(APPEND SOS_WARNINGS -Werror)
endif()

function(sos_warnings target)
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:C>:${SOS_WARNINGS}>")
endfunction()

# Every function of the library is static or declared in a header.
function(sos_library_warnings target)
    sos_warnings(${target})
    target_compile_options(${target} PRIVATE -Wmissing-prototypes)
endfunction()
