#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each rule of rules.py finds what it is there for, and leaves good code alone."""
import os
import subprocess
import tempfile
import unittest

import rules

LICENCE = "/* SPDX-License-Identifier: MIT */\n"


class Rules(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = self.folder.name

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def found(self, rule, *arguments):
        return list(rule(self.root, *arguments))

    def test_async_shape(self):
        body = "async_fn(f)\n{\n%s    async_begin(f);\n%s    async_finally;\n%s    async_end;\n}\n"
        self.write("src/core/a.c", body % ("    /* why */\n", "    await(g(task));\n", "    h();\n"))
        self.assertEqual(self.found(rules.async_shape), [])
        self.write("src/core/a.c", body % ("    int x = 1;\n", "", ""))
        self.assertIn("first statement", self.found(rules.async_shape)[0])
        self.write("src/core/a.c", body % ("", "", "    if (x) {\n        await(g(task));\n    }\n"))
        self.assertIn("async_finally", self.found(rules.async_shape)[0])
        self.write("src/core/a.c", "static async_fn(f)\n{\n    async_begin(f);\n}\n")
        self.assertIn("async_end", self.found(rules.async_shape)[0])

    def test_includes(self):
        self.write("include/smallos/task.h", "#include <stdint.h>\n")
        self.write("include/smallos/http.h", "#include <smallos/task.h>\n")
        self.write("src/client/http.c", "#include <smallos/http.h>\n#include \"proto/http.h\"\n")
        self.write("src/proto/http.h", "#include <string.h>\n#include <smallos/error.h>\n")
        self.write("src/core/timer.h", "")
        self.write("src/core/timer.c", '#include "timer.h"\n#include <smallos/task.h>\n')
        self.write("src/config/load.c", "#include <jansson.h>\n#include <stdio.h>\n")
        self.assertEqual(self.found(rules.includes), [])

    def test_includes_wrong_way(self):
        self.write("include/smallos/http.h", "")
        self.write("include/smallos/unix.h", "")
        self.write("ports/unix/unix.c", "#include <unistd.h>\n")
        self.write("src/client/http.c", "")
        self.write("src/core/timer.h", "")
        for name, header in [("core", "<smallos/http.h>"), ("core", "<string.h>"),
                             ("core", "<smallos/unix.h>"), ("core", "<smallos/smallos.h>"),
                             ("net", "<unistd.h>"), ("net", "<smallos/http.h>"),
                             ("proto", '"core/timer.h"'), ("proto", '"../core/timer.h"'),
                             ("net", "<jansson.h>"), ("client", "<sys/socket.h>")]:
            path = self.write(f"src/{name}/x.c", f"#include {header}\n")
            self.assertEqual(len(self.found(rules.includes)), 1, f"{name} {header}")
            os.remove(path)
        self.write("include/smallos/task.h", "#include <poll.h>\n")
        self.assertEqual(len(self.found(rules.includes)), 1)

    def test_headers(self):
        self.write("include/smallos/good.h", "#include <stddef.h>\nsize_t sos_count(void);\n")
        self.assertEqual(self.found(rules.headers), [])
        self.write("include/smallos/bad.h", "size_t sos_count(void);\n")
        self.assertEqual(len(self.found(rules.headers)), 4)
        self.write("include/smallos/bad.h", "int sos_class(int class);\n")
        self.assertEqual(len(self.found(rules.headers)), 2)

    def test_licence(self):
        self.write("src/core/a.c", LICENCE)
        self.write("tools/a.sh", "#!/bin/sh\n# SPDX-License-Identifier: MIT\n")
        self.assertEqual(self.found(rules.licence), [])
        self.write("src/core/a.c", LICENCE + "/* see /" + "home/me/notes */\n")
        self.write("tools/a.sh", "#!/bin/sh\n")
        self.assertEqual(len(self.found(rules.licence)), 2)

    def test_names(self):
        self.write("include/smallos/async.h", "#define await(op) 0\n#define async_end 0\n")
        self.write("include/smallos/time.h", "#define SOS_MS(n) (n)\n")
        self.assertEqual(self.found(rules.names), [])
        self.write("include/smallos/time.h", "#define now 0\n")
        self.write("src/core/utils.c", "")
        self.write("src/common/list.c", "")
        self.assertEqual(len(self.found(rules.names)), 3)

    def test_symbols(self):
        def archive(text):
            source = self.write("o/x.c", text)
            subprocess.run(["gcc", "-c", "-ffreestanding", "-o", f"{self.root}/x.o", source], check=True)
            path = f"{self.root}/libx.a"
            subprocess.run(["ar", "rcs", path, f"{self.root}/x.o"], check=True)
            return path
        good = archive("void *memcpy(void *, const void *, unsigned long);\n"
                       "void sos_a(void *a, void *b, unsigned long n) { memcpy(a, b, n); }\n")
        self.assertEqual(self.found(rules.symbols, good, good), [])
        bad = archive("int puts(const char *);\nint count;\nvoid sos_a(void) { puts(\"\"); }\n")
        self.assertEqual(len(self.found(rules.symbols, bad, bad)), 2)


if __name__ == "__main__":
    unittest.main()
