#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""documented.py FOLDER PAGE...: writes every complete C program of the pages (a ```c block that
defines main) to FOLDER, prints the paths, and leaves files that did not change untouched."""
import os
import re
import sys


def programs(page):
    with open(page, encoding="utf-8") as file:
        text = file.read()
    for block in re.finditer(r"^```c\n(.*?)^```$", text, re.M | re.S):
        if re.search(r"^int main\(", block[1], re.M):
            line = text.count("\n", 0, block.start(1)) + 1
            yield f'#line {line} "{os.path.abspath(page)}"\n{block[1]}'


folder, pages = sys.argv[1], sys.argv[2:]
os.makedirs(folder, exist_ok=True)
written = set()
for page in pages:
    stem = os.path.splitext(os.path.basename(page))[0].lower()
    for number, text in enumerate(programs(page), 1):
        path = os.path.join(folder, f"{stem}_{number}.c")
        written.add(path)
        old = open(path, encoding="utf-8").read() if os.path.exists(path) else None
        if old != text:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
for name in os.listdir(folder):
    path = os.path.join(folder, name)
    if path not in written:
        os.remove(path)
print("\n".join(sorted(written)))
