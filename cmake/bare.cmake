# SPDX-License-Identifier: MIT
# Firmware: the core and ports/bare, cross-compiled for every machine of the table, linked with
# each tests/bare/NAME.c and booted in QEMU as the test bare/MACHINE/NAME, which must exit with 0
# and, where tests/bare/NAME.expected exists, print exactly that.
#
# sos_machine(name COMPILER c QEMU command... SOURCES of ports/bare... FLAGS ... [LINK_FLAGS ...])

set(bare_dir ${PROJECT_SOURCE_DIR}/ports/bare)
set(bare_cflags -std=c11 -Os -g -ffreestanding -ffunction-sections -fdata-sections
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
    -I${PROJECT_SOURCE_DIR}/include -I${PROJECT_SOURCE_DIR}/src -I${bare_dir})
set(bare_ldflags -nostdlib -nostartfiles -static -Wl,--gc-sections -Wl,--fatal-warnings -L${bare_dir})

# Adds the command that compiles source for the machine; appends the object to the list out.
function(bare_object out source)
    cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE name)
    set(object ${PROJECT_BINARY_DIR}/bare/${machine}/${name}.o)
    cmake_path(GET object PARENT_PATH folder)
    file(MAKE_DIRECTORY ${folder})
    add_custom_command(OUTPUT ${object} DEPENDS ${source} DEPFILE ${object}.d VERBATIM
                       COMMAND ${compiler} ${bare_cflags} ${arg_FLAGS} -MD -MF ${object}.d
                               -c ${source} -o ${object}
                       COMMENT "${machine}: ${name}")
    set(${out} ${${out}} ${object} PARENT_SCOPE)
endfunction()

function(sos_machine machine)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "COMPILER" "QEMU;SOURCES;FLAGS;LINK_FLAGS")
    find_program(SOS_CC_${machine} ${arg_COMPILER} REQUIRED)
    list(POP_FRONT arg_QEMU emulator)
    find_program(SOS_QEMU_${machine} ${emulator} REQUIRED)
    set(compiler ${SOS_CC_${machine}})
    if(NOT arg_LINK_FLAGS)
        set(arg_LINK_FLAGS ${arg_FLAGS})
    endif()

    sos_programs(core src/core/*.c src/diagnostics/*.c)
    list(FILTER core EXCLUDE REGEX /src/core/pool.c$)
    set(objects)
    list(TRANSFORM arg_SOURCES PREPEND ${bare_dir}/)
    foreach(source ${core} ${bare_dir}/machine.c ${bare_dir}/memory.c ${bare_dir}/kernel.c
                   ${arg_SOURCES})
        bare_object(objects ${source})
    endforeach()

    sos_programs(programs tests/bare/*.c)
    foreach(source ${programs})
        cmake_path(GET source STEM program)
        set(own)
        bare_object(own ${source})
        set(image ${PROJECT_BINARY_DIR}/bare/${machine}/${program}.elf)
        add_custom_command(OUTPUT ${image} VERBATIM
                           DEPENDS ${objects} ${own} ${bare_dir}/${machine}.ld ${bare_dir}/sections.ld
                           COMMAND ${compiler} ${arg_LINK_FLAGS} ${bare_ldflags} -T ${bare_dir}/${machine}.ld
                                   ${objects} ${own} -lgcc -o ${image}
                           COMMENT "${machine}: ${program}.elf")
        add_custom_target(bare_${machine}_${program} ALL DEPENDS ${image})
        sos_test(${machine}/${program} PREFIX bare/ LABELS qemu COST 20
                 COMMAND ${SOS_PYTHON} ${PROJECT_SOURCE_DIR}/tests/expected_output.py
                         ${PROJECT_SOURCE_DIR}/tests/bare/${program}.expected
                         ${SOS_QEMU_${machine}} ${arg_QEMU} -display none -monitor none -kernel ${image})
    endforeach()
endfunction()

set(semihosting -semihosting-config enable=on,target=native -serial none)
sos_machine(microbit COMPILER arm-none-eabi-gcc FLAGS -mcpu=cortex-m0 -mthumb
            SOURCES cortex_m.c counter.c microbit.c
            QEMU qemu-system-arm -M microbit ${semihosting})
sos_machine(mps2_an385 COMPILER arm-none-eabi-gcc FLAGS -mcpu=cortex-m3 -mthumb
            SOURCES cortex_m.c counter.c cmsdk.c mps2_an385.c
            QEMU qemu-system-arm -M mps2-an385 ${semihosting})
sos_machine(mps2_an505 COMPILER arm-none-eabi-gcc FLAGS -mcpu=cortex-m33 -mthumb -mfloat-abi=soft
            SOURCES cortex_m.c counter.c cmsdk.c mps2_an505.c
            QEMU qemu-system-arm -M mps2-an505 ${semihosting})
# Debian's compiler has its libgcc under the name without zicsr, which it needs for the CSRs.
sos_machine(riscv_virt COMPILER riscv64-unknown-elf-gcc
            FLAGS -march=rv32imc_zicsr -mabi=ilp32 -mcmodel=medany LINK_FLAGS -march=rv32imc -mabi=ilp32
            SOURCES riscv_virt.c
            QEMU qemu-system-riscv32 -M virt -bios none -serial stdio)
sos_machine(lx106_sim COMPILER xtensa-lx106-elf-gcc
            SOURCES arithmetic.c counter.c lx106_sim.c
            QEMU qemu-system-xtensa -M sim -cpu lx106 -semihosting -serial none)
