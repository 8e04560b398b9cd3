#!/usr/bin/env python3
# SPDX-License-Identifier: MIT

"""The asyncio peer (Python's own loop, standard library only).

  switch N      one yield and switch between N tasks
  spawn         create, run, end and await of an empty task
  memory        a task with a 16-byte state asleep: 100,000 of them, bytes each
  sleepers      100,000 tasks asleep for 0..1000 ms: CPU time, times ten, to stand
                beside figures for 1,000,000
  pairs P       bounces a second of one byte over P socket pairs, through add_reader
"""

import asyncio
import gc
import os
import resource
import socket
import sys
import time
import types

TASKS = 100_000


@types.coroutine
def yield_now():
    """What asyncio.sleep(0) does, without the coroutine around it."""
    yield


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident_bytes():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def random_numbers(state=0x9E3779B97F4A7C15):
    """xorshift64, as in the other peers."""
    mask = (1 << 64) - 1
    while True:
        state ^= (state << 13) & mask
        state ^= state >> 7
        state ^= (state << 17) & mask
        yield state


async def yielder(times):
    for _ in range(times):
        await yield_now()


async def bench_switch(count):
    async def measure(yields):
        tasks = [asyncio.create_task(yielder(yields // count)) for _ in range(count)]
        start = time.perf_counter_ns()
        await asyncio.wait(tasks)
        return (time.perf_counter_ns() - start) / (yields // count * count)

    await measure(50_000)
    print(f"switch-{count} {await measure(500_000):.1f} ns")


async def empty_task():
    return 1


async def bench_spawn():
    async def measure(children):
        joined = 0
        start = time.perf_counter_ns()
        for _ in range(children):
            joined += await asyncio.create_task(empty_task())
        return (time.perf_counter_ns() - start) / joined

    await measure(10_000)
    print(f"spawn {await measure(100_000):.1f} ns")


async def asleep_task(state):
    await asyncio.sleep(1)
    return len(state)


async def bench_memory():
    gc.collect()
    before = resident_bytes()
    tasks = [asyncio.create_task(asleep_task(b"%016d" % i)) for i in range(TASKS)]
    await asyncio.sleep(0)
    print(f"memory {(resident_bytes() - before) / TASKS:.1f} bytes")
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def bench_sleepers():
    start = cpu_seconds()
    numbers = random_numbers()
    tasks = [asyncio.create_task(asyncio.sleep(next(numbers) % 1_000_001 / 1e6))
             for _ in range(TASKS)]
    await asyncio.wait(tasks)
    print(f"sleepers {(cpu_seconds() - start) * (1_000_000 / TASKS):.3f} s")


class Bouncer:
    """Callbacks on the loop's readiness: faster than its streams and protocols."""

    def __init__(self, pairs):
        self.loop = asyncio.get_running_loop()
        self.left = 0
        self.done = None
        self.ends = []
        for _ in range(pairs):
            pair = socket.socketpair()
            for end in pair:
                end.setblocking(False)
                self.loop.add_reader(end.fileno(), self.bounce, end.recv, end.send)
            pair[0].send(b"x")
            self.ends += pair

    def bounce(self, recv, send):
        send(recv(64))
        self.left -= 1
        if self.left == 0:
            self.done.set_result(None)

    async def run(self, bounces):
        self.left = bounces
        self.done = self.loop.create_future()
        await self.done

    def close(self):
        for end in self.ends:
            self.loop.remove_reader(end.fileno())
            end.close()


async def bench_pairs(pairs):
    bouncer = Bouncer(pairs)
    await bouncer.run(10_000)
    bounces = 50_000
    start = time.perf_counter()
    await bouncer.run(bounces)
    print(f"pairs-{pairs} {bounces / (time.perf_counter() - start):.0f} /s")
    bouncer.close()


def main():
    benches = {"spawn": bench_spawn, "memory": bench_memory, "sleepers": bench_sleepers}
    counted = {"switch": bench_switch, "pairs": bench_pairs}
    match sys.argv[1:]:
        case [name] if name in benches:
            asyncio.run(benches[name]())
        case [name, count] if name in counted and count.isdecimal() and int(count) > 0:
            asyncio.run(counted[name](int(count)))
        case _:
            sys.exit("usage: peer_asyncio.py switch N | spawn | memory | sleepers | pairs P")


main()
