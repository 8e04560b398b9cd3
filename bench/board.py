#!/usr/bin/env python3
# SPDX-License-Identifier: MIT

"""Measures the core on a Cortex-M3 and prints lines `name value unit`; the first is the figure.

board.py flash-full       flash of the core with everything in it, -Os
board.py flash-minimal    flash of what bench/bare/minimal.c needs of the core, -Os
board.py task-ram         RAM of a task, told by bench/bare/task_ram.c in QEMU
board.py yield-O2|yield-Os   instructions of a yield and switch, bench/bare/yield.c in QEMU
board.py table            flash by function, for full and minimal

The core is compiled as one unit, a file that includes all of src/core; --separate compiles
file by file. timer_bins.c is left out: only kernels of big machines name it; and so is pool.c, in
whose place cmake/bare.cmake compiles pool_list.c on such a machine. src/diagnostics is no part of the
core; its figure is what linking all of it adds.
"""
import argparse
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BARE = ROOT / "ports/bare"
MACHINE = ["machine.c", "memory.c", "cortex_m.c", "counter.c", "cmsdk.c", "mps2_an385.c",
           "kernel.c"]
TARGET = ["arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb"]
COMPILE = [*TARGET, "-std=c11", "-ffreestanding", "-ffunction-sections", "-fdata-sections", "-Wall",
           "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror",
           f"-I{ROOT}/include", f"-I{ROOT}/src", f"-I{BARE}"]
LINK = [*TARGET, "-nostdlib", "-nostartfiles", "-static", "-Wl,--gc-sections", f"-L{BARE}",
        "-T", f"{BARE}/mps2_an385.ld"]
QEMU = ["qemu-system-arm", "-M", "mps2-an385", "-semihosting-config", "enable=on,target=native",
        "-serial", "none", "-display", "none", "-monitor", "none", "-icount", "shift=0"]


def run(command, **options):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True,
                          text=True, **options).stdout


class Firmware:
    """Compiles the core, a program and the machine, and links them, in a folder of its own."""

    def __init__(self, folder, level, options, folders=("core",)):
        self.folder = Path(folder)
        self.level = level
        self.flags = [level, *options.flags.split()]
        self.sources = sorted(path for layer in folders
                              for path in (ROOT / "src" / layer).glob("*.c")
                              if path.name not in ("timer_bins.c", "pool.c"))
        self.core = self.compile_separately() if options.separate else [self.compile_unit()]

    def compile(self, source, flags, name=None):
        out = self.folder / ((name or source.stem) + ".o")
        run([*COMPILE, *flags, "-c", source, "-o", out])
        return out

    def compile_separately(self):
        return [self.compile(source, self.flags, f"core_{source.stem}") for source in self.sources]

    def compile_unit(self):
        unit = self.folder / "core.c"
        unit.write_text("".join(f'#include "{source}"\n' for source in self.sources),
                        encoding="utf-8")
        return self.compile(unit, [*self.flags, "-Wno-shadow", "-DSOS_ONE_FILE"])

    def link(self, program, *more):
        image = self.folder / (program.stem + ".elf")
        objects = [self.compile(BARE / name, ["-Os"]) for name in MACHINE]
        objects.append(self.compile(program, [self.level]))
        run([*LINK, *self.flags, f"-Wl,-Map={image.with_suffix('.map')}", *more, *self.core,
             *objects, "-lgcc", "-o", image])
        return image

    def public(self):
        """What the core defines and a public header declares."""
        text = "".join(path.read_text(encoding="utf-8")
                       for path in (ROOT / "include/smallos").glob("*.h"))
        declared = set(re.findall(r"\bsos_\w+", re.sub(r"/\*.*?\*/", "", text, flags=re.S)))
        defined = run(["arm-none-eabi-gcc-nm", "-g", "--defined-only", "-f", "posix", *self.core])
        names = set(re.findall(r"^(\w+) [TDRB]\b", defined, re.M))
        return sorted((names & declared) - {"sos_timer_bins"})

    def everything(self):
        """A program that refers to every public function."""
        return self.link(ROOT / "bench/bare/minimal.c",
                         *(f"-Wl,-u,{name}" for name in self.public()))


def rows(image):
    """(bytes, object) of every input section that the linker put into flash."""
    text = image.with_suffix(".map").read_text(encoding="utf-8").split("memory map", 1)[1]
    found = re.findall(r"^ \.(?:text|rodata|data|vectors)\S*\s+0x[0-9a-f]+\s+0x([0-9a-f]+) "
                       r"(\S+)$", text, re.M)
    return [(int(size, 16), path) for size, path in found]


def flash(image):
    """What the image takes, less what is not from the core. (The map cannot be asked for the core
    itself: strings are merged, and with -flto its objects are not those that were given.)"""
    sizes = run(["arm-none-eabi-size", "-A", image])
    whole = sum(int(size) for size in re.findall(r"^\.(?:text|rodata|data)\s+(\d+)", sizes, re.M))
    return whole - sum(size for size, path in rows(image) if is_foreign(path))


def is_foreign(path):
    name = Path(path).name
    return not name.startswith("core") and ".ltrans" not in name


def libgcc(image):
    return sum(size for size, path in rows(image) if "libgcc.a" in path)


def symbols(image, firmware):
    """{name: bytes} of the core's functions and tables."""
    foreign = set()
    for path in firmware.folder.glob("*.o"):
        if is_foreign(path):
            told = run(["arm-none-eabi-gcc-nm", "--defined-only", path])
            foreign |= set(re.findall(r" \w (\S+)$", told, re.M))
    told = run(["arm-none-eabi-gcc-nm", "-S", image])
    found = re.findall(r"^\w+ (\w+) [tTrRdD] (\S+)$", told, re.M)
    sizes = defaultdict(int)
    for size, name in found:
        if name not in foreign and not name.startswith("__"):
            sizes[name] += int(size, 16)
    return sizes


def print_flash_full(folder, options):
    firmware = Firmware(folder, "-Os", options)
    image = firmware.everything()
    full, arithmetic = flash(image), libgcc(image)
    told = flash(Firmware(folder, "-Os", options, ("core", "diagnostics")).everything())
    print(f"m3-flash-full {full} bytes")
    print(f"m3-flash-diagnostics {told - full} bytes")
    print(f"m3-flash-libgcc {arithmetic} bytes")


def print_flash_minimal(folder, options):
    firmware = Firmware(folder, "-Os", options)
    image = firmware.link(ROOT / "bench/bare/minimal.c")
    print(f"m3-flash-minimal {flash(image)} bytes")
    print(f"m3-flash-libgcc {libgcc(image)} bytes")


def boot(image):
    return run([*QEMU, "-kernel", image], timeout=100)


def print_task_ram(folder, options):
    print(boot(Firmware(folder, "-Os", options).link(ROOT / "bench/bare/task_ram.c")), end="")


def print_yield(level):
    def measure(folder, options):
        said = boot(Firmware(folder, level, options).link(ROOT / "bench/bare/yield.c"))
        worst = max(float(line.split()[1]) for line in said.splitlines())
        print(f"m3-yield{level} {worst} instructions")
        print(said, end="")
    return measure


def print_table(folder, options):
    firmware = Firmware(folder, "-Os", options)
    full = firmware.everything()
    full_sizes, full_flash = symbols(full, firmware), flash(full)
    minimal = firmware.link(ROOT / "bench/bare/minimal.c")
    minimal_sizes, minimal_flash = symbols(minimal, firmware), flash(minimal)
    print(f"{'full':>6} {'minimal':>8}")
    for name, size in sorted(full_sizes.items(), key=lambda row: -row[1]):
        print(f"{size:6} {minimal_sizes.get(name, ''):>8}  {name}")
    print(f"{full_flash - sum(full_sizes.values()):6} "
          f"{minimal_flash - sum(minimal_sizes.values()):8}  strings, padding")
    print(f"{full_flash:6} {minimal_flash:8}  total")


COMMANDS = {"flash-full": print_flash_full, "flash-minimal": print_flash_minimal,
            "task-ram": print_task_ram, "yield-O2": print_yield("-O2"),
            "yield-Os": print_yield("-Os"), "table": print_table}


def main():
    parser = argparse.ArgumentParser(description="Measure the core on a Cortex-M3.")
    parser.add_argument("figure", choices=COMMANDS)
    parser.add_argument("--separate", action="store_true", help="compile the core file by file")
    parser.add_argument("--flags", default="", help="more flags for the core")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        COMMANDS[options.figure](folder, options)


try:
    main()
except subprocess.CalledProcessError as failed:
    sys.exit(f"{' '.join(failed.cmd)}\n{failed.stdout}{failed.stderr}")
