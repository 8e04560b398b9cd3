#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sizes: the structs of the public headers and of the core, here and on a Cortex-M3, and the flash
the core takes there (-Os), per file and function.

size.py           prints the tables
size.py --json    prints the totals as one JSON object
"""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INCLUDES = [f"-I{ROOT}/include", f"-I{ROOT}/src"]
M3 = ["arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb"]
FLASH = [*M3, "-std=c11", "-Os", "-ffreestanding", "-ffunction-sections", "-fdata-sections", *INCLUDES]


def run(command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def struct_types(header):
    """The complete struct types that a header defines."""
    with open(header, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    tagged = re.findall(r"^(?:typedef\s+)?struct\s+(sos\w*)\s*\{", text, re.M)
    return [f"struct {name}" for name in tagged]


def struct_sizes(compiler, nm, header, types, folder):
    """{type: size}, read from the sizes of arrays in an object file: nothing has to run."""
    lines = [f'#include "{header}"\n']
    for index, name in enumerate(types):
        lines.append(f"const char size_{index}[sizeof({name})] = {{ 0 }};\n")
    run([*compiler, "-std=gnu11", "-w", *INCLUDES, "-xc", "-c", "-o", f"{folder}/s.o", "-"],
        input="".join(lines))
    sizes = {}
    for line in run([nm, "-P", f"{folder}/s.o"]).splitlines():
        match = re.match(r"size_(\d+) \w \w+ (\w+)", line)
        if match:
            sizes[types[int(match[1])]] = int(match[2], 16)
    return sizes


def print_structs(folder):
    print(f"{'struct':40} {'64 bit':>8} {'Cortex-M3':>10}")
    for header in sorted(glob.glob(f"{ROOT}/include/smallos/**/*.h", recursive=True) +
                         glob.glob(f"{ROOT}/src/core/*.h")):
        types = struct_types(header)
        if not types:
            continue
        host = struct_sizes(["gcc"], "nm", header, types, folder)
        chip = struct_sizes(M3, "arm-none-eabi-nm", header, types, folder)
        print(os.path.relpath(header, ROOT))
        for name in types:
            print(f"  {name:38} {host.get(name, 0):8} {chip.get(name, 0):10}")


def flash(folder):
    """{file: {section: bytes}} of what the core puts into flash."""
    table = defaultdict(dict)
    for source in sorted(set(glob.glob(f"{ROOT}/src/core/*.c")) - {f"{ROOT}/src/core/pool.c"}):
        run([*FLASH, "-c", source, "-o", f"{folder}/c.o"])
        for line in run(["arm-none-eabi-size", "-A", f"{folder}/c.o"]).splitlines():
            match = re.match(r"\.(text|rodata|data)(\S*)\s+(\d+)", line)
            if match and int(match[3]) > 0:
                name = (match[2].lstrip(".") or "(rest)") + ("" if match[1] == "text" else f" ({match[1]})")
                table[os.path.basename(source)][name] = int(match[3])
    return table


def main():
    with tempfile.TemporaryDirectory() as folder:
        table = flash(folder)
        total = sum(sum(functions.values()) for functions in table.values())
        if "--json" in sys.argv:
            print(json.dumps({"core_flash_cortex_m3": total,
                              "files": {name: sum(each.values()) for name, each in table.items()}}))
            return
        print_structs(folder)
        print("\nflash of src/core on a Cortex-M3, -Os, bytes")
        for name, functions in table.items():
            print(f"{sum(functions.values()):6}  {name}")
            for function, size in sorted(functions.items(), key=lambda each: -each[1]):
                print(f"{'':8}{size:6}  {function}")
        print(f"{total:6}  total")


try:
    main()
except subprocess.CalledProcessError as failed:
    sys.exit(f"{' '.join(failed.cmd)}\n{failed.stderr}")
