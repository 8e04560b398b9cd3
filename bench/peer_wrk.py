#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""peer_wrk.py URL CONNECTIONS: runs wrk on one thread for two seconds; requests a second."""
import re
import subprocess
import sys

url, connections = sys.argv[1:]
done = subprocess.run(["wrk", "-t1", f"-c{connections}", "-d2s", url], capture_output=True,
                      text=True, check=True)
print("http", re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)[1], "/s")
