#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rules about the source text that no compiler checks.

rules.py RULE ROOT [ARGUMENT...]   prints each breach as path:line: text; fails if there is one

async_shape   async_begin comes first in every async function, async_end last, no await in finally
includes      who may include what (docs/design.md, layout)
headers       every header compiles alone, the public ones as C++17 too
licence       every file has its SPDX line, and no path of somebody's machine
names         file names and public macros
symbols       ROOT LIB CORE: the archives export sos_ names only; the core needs four mem* at most
report        never fails: long functions and files
"""
import glob
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

FOLDERS = ["include", "src", "ports", "demos", "bench", "tests", "fuzz", "cmake", "tools"]
WRONG_ON_PURPOSE = ("tests/trap/", "tests/compile_fail/", "tests/lint/samples/")
LAYERS = {  # what a folder of src/ may include from the others
    "core": {"core"},
    "diagnostics": {"core", "diagnostics"},
    "config": {"core", "config"},
    "proto": {"proto"},
    "net": {"core", "net"},
    "client": {"core", "net", "proto", "client"},
    "service": {"core", "config", "net", "proto", "client", "service"},
}
VOCABULARY = {"error", "time"}  # public headers that belong to no folder: anybody may include them
FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h", "stdatomic.h", "limits.h"}
ISO_C = FREESTANDING | {
    "assert.h", "complex.h", "ctype.h", "errno.h", "fenv.h", "float.h", "inttypes.h", "iso646.h",
    "locale.h", "math.h", "setjmp.h", "signal.h", "stdalign.h", "stdarg.h", "stdio.h", "stdlib.h",
    "stdnoreturn.h", "string.h", "tgmath.h", "threads.h", "time.h", "uchar.h", "wchar.h", "wctype.h"}
LIBRARIES = {"config": {"jansson.h"}, "client": {"jansson.h", "zlib.h"}}


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def walk(root, extensions, folders=FOLDERS):
    """Paths relative to root, sorted; extensions is a tuple of endings."""
    for folder in folders:
        for path in sorted(glob.glob(f"{root}/{folder}/**/*", recursive=True)):
            name = os.path.relpath(path, root)
            if os.path.isfile(path) and name.endswith(extensions):
                yield name


def code_of(text):
    """The text with comments and strings blanked out, line by line the same."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def function_end(code, start):
    """The offset of the brace that closes the one at start."""
    depth = 0
    for offset in range(start, len(code)):
        depth += {"{": 1, "}": -1}.get(code[offset], 0)
        if depth == 0:
            return offset
    return len(code)


# --- async_shape ---

def async_shape(root):
    for name in walk(root, (".c", ".h")):
        if name.startswith(WRONG_ON_PURPOSE):
            continue
        text = read(f"{root}/{name}")
        code = code_of(text)
        for match in re.finditer(r"\basync_fn\s*\(\s*(\w+)\s*\)\s*\{", code):
            body = code[match.end():function_end(code, match.end() - 1)]
            yield from shape_of(name, line_of(text, match.start()), match[1], body)


def shape_of(name, line, function, body):
    if not re.match(r"\s*async_begin\s*\(", body):
        yield f"{name}:{line}: {function}: async_begin is not the first statement"
    if not re.search(r"\basync_end\s*;\s*$", body):
        yield f"{name}:{line}: {function}: async_end is not the last statement"
    finally_part = re.split(r"\basync_finally\b", body, maxsplit=1)[1:]
    if finally_part and re.search(r"\b(try_)?await\s*\(", finally_part[0]):
        yield f"{name}:{line}: {function}: await in the async_finally part"


# --- includes ---

def layer_of_public(root, header):
    """The layer of include/smallos/HEADER: the folder of src/ or ports/ that implements it."""
    stem = os.path.splitext(header)[0]
    if stem == "smallos":
        return "everything"
    if stem in VOCABULARY:
        return "vocabulary"
    parts = stem.split("/")
    if len(parts) > 1 and parts[0] in LAYERS:
        return parts[0]
    if os.path.isdir(f"{root}/ports/{parts[0]}"):
        return "ports"
    for layer in LAYERS:
        if layer not in ("core", "diagnostics") and os.path.exists(f"{root}/src/{layer}/{stem}.c"):
            return layer
    return "core"


def target_layer(root, name, header):
    """Which layer an #include of our own leads to; None if it is not one of ours."""
    if header.startswith("smallos/"):
        return layer_of_public(root, header[len("smallos/"):])
    beside = os.path.normpath(os.path.join(os.path.dirname(name), header))
    for path in (beside, f"src/{header}", f"include/smallos/{header}"):
        if os.path.exists(f"{root}/{path}"):
            if path.startswith("include/smallos/"):
                return layer_of_public(root, path[len("include/smallos/"):])
            return path.split("/")[1] if path.startswith("src/") else path.split("/")[0]
    return None


def may_include(root, name, header):
    top, part = name.split("/")[:2]
    ours = target_layer(root, name, header)
    if top == "include":
        return header in FREESTANDING or header.startswith("smallos/") or ours is not None
    if ours is not None:
        return ours == "vocabulary" or ours in LAYERS.get(part, set())
    if part in ("core", "diagnostics"):
        return header in FREESTANDING
    return header in ISO_C or header in LIBRARIES.get(part, set())


def includes(root):
    for name in walk(root, (".c", ".h"), ["include", "src"]):
        for number, line in enumerate(read(f"{root}/{name}").splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
            if match and not may_include(root, name, match[1]):
                yield f"{name}:{number}: must not include {match[1]}"


# --- headers ---

HEADER_COMPILERS = [
    (["gcc", "-std=c11", "-xc"], "C11, gcc"),
    (["clang", "-std=c11", "-xc"], "C11, clang"),
    (["g++", "-std=c++17", "-xc++"], "C++17, g++"),
    (["clang++", "-std=c++17", "-xc++"], "C++17, clang++"),
]


def compile_alone(root, name, compiler, what):
    command = [*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror",
               "-D_GNU_SOURCE", f"-I{root}/include", f"-I{root}/src", "-c", "-o", os.devnull, "-"]
    done = subprocess.run(command, input=f'#include "{os.path.abspath(root)}/{name}"\n',
                          capture_output=True, text=True)
    return f"{name}:1: does not compile alone as {what}\n{done.stderr}" if done.returncode else None


def headers(root):
    public = list(walk(root, (".h",), ["include"]))
    private = [name for name in walk(root, (".h",), ["src", "ports/unix", "ports/sim", "ports/openssl"])]
    jobs = [(name, *each) for name in public for each in HEADER_COMPILERS]
    jobs += [(name, *each) for name in private for each in HEADER_COMPILERS[:2]]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from filter(None, pool.map(lambda job: compile_alone(root, *job), jobs))


# --- licence ---

SPDX_FILES = (".c", ".h", ".cpp", ".hpp", ".py", ".sh", ".cmake", ".in", ".S", ".s", ".ld", ".query",
              "CMakeLists.txt", "Makefile")


def licence(root):
    top = [name for name in ("CMakeLists.txt", "Makefile", ".ci/run", ".clang-format", ".gitignore")
           if os.path.exists(f"{root}/{name}")]
    for name in top + list(walk(root, SPDX_FILES)):
        text = read(f"{root}/{name}")
        if "SPDX-License-Identifier: MIT" not in "".join(text.splitlines(True)[:3]):
            yield f"{name}:1: no SPDX line"
        for match in re.finditer(r"(?<![\w.)}-])/(?:home|root|Users)/\w", text):
            yield f"{name}:{line_of(text, match.start())}: a path of somebody's machine"


# --- names ---

def names(root):
    for name in walk(root, ("",)):
        for part in name.split("/"):
            if re.fullmatch(r"(utils?|common|misc|helpers?)", part.split(".")[0]):
                yield f"{name}:1: a name that says nothing: {part}"
    for name in walk(root, (".h",), ["include"]):
        allowed = r"(SOS|sos|SMALLOS)_\w+"
        if os.path.basename(name) == "async.h":
            allowed += r"|await|try_await|async_\w+"
        text = read(f"{root}/{name}")
        for match in re.finditer(r"^\s*#\s*define\s+(\w+)", text, re.M):
            if not re.fullmatch(allowed, match[1]):
                yield f"{name}:{line_of(text, match.start(1))}: public macro {match[1]} has no prefix"


# --- symbols ---

CORE_MAY_NEED = {"memcpy", "memset", "memmove", "memcmp"}


def symbols_of(archive, *flags):
    done = subprocess.run(["nm", "-P", *flags, archive], capture_output=True, text=True, check=True)
    return {line.split()[0] for line in done.stdout.splitlines() if len(line.split()) > 1}


def symbols(root, library, core):
    defined = symbols_of(library, "-g", "--defined-only")
    for symbol in sorted(defined):
        if not symbol.startswith("sos_"):
            yield f"{os.path.relpath(library, root)}: exports {symbol}; static, or sos_"
    needed = symbols_of(core, "-u") - symbols_of(core, "-g", "--defined-only")
    for symbol in sorted(needed - CORE_MAY_NEED):
        if not symbol.startswith(("__", "_GLOBAL_")):
            yield f"{os.path.relpath(core, root)}: needs {symbol}, which a bare chip has not"


# --- report ---

def report(root):
    for name in walk(root, (".c", ".h", ".cpp")):
        text = read(f"{root}/{name}")
        lines = text.splitlines()
        if len(lines) > 800:
            print(f"{name}: {len(lines)} lines")
        start = None
        for number, line in enumerate(lines, 1):
            if line == "{":
                start = number
            elif line.startswith("}") and start:
                if number - start - 1 > 60:
                    print(f"{name}:{start - 1}: {number - start - 1} lines: {lines[start - 2]}")
                start = None
    return []


RULES = [async_shape, includes, headers, licence, names, symbols, report]


def main(rule, root, *arguments):
    found = list({each.__name__: each for each in RULES}[rule](root, *arguments))
    print("\n".join([*found, f"{rule}: {len(found)} findings"]))
    return 1 if found else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
