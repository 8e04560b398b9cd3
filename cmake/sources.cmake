# SPDX-License-Identifier: MIT
# sos_sources(out pattern...): the files that match now, looked at again by every build. A folder
# that is still empty gives one empty translation unit, so that its target exists.
set(SOS_EMPTY_SOURCE ${PROJECT_BINARY_DIR}/empty.c)
file(CONFIGURE OUTPUT ${SOS_EMPTY_SOURCE} CONTENT "typedef int sos_nothing_here_yet;\n")

function(sos_sources out)
    list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/ OUTPUT_VARIABLE patterns)
    file(GLOB files CONFIGURE_DEPENDS ${patterns})
    if(NOT files)
        set(files ${SOS_EMPTY_SOURCE})
    endif()
    set(${out} ${files} PARENT_SCOPE)
endfunction()

# sos_programs(out pattern...): like sos_sources, but may be empty.
function(sos_programs out)
    list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/ OUTPUT_VARIABLE patterns)
    file(GLOB files CONFIGURE_DEPENDS ${patterns})
    set(${out} ${files} PARENT_SCOPE)
endfunction()
