/* SPDX-License-Identifier: MIT */

/* The C++20 peer: coroutines on a plain first-in-first-out loop, with nothing that
 * such a loop does not need: no priorities, no names, no kill, and no clock unless a
 * task sleeps.
 *
 *   switch N         one yield and switch between N tasks
 *   spawn            spawn, run, end and join of an empty task, default allocator
 *   spawn-freelist   the same with frames from a free list
 *   memory           a parked coroutine with a 16-byte state
 *   memory-asleep    a task with that state, a name and a parent, asleep in the heap
 *   sleepers         1,000,000 tasks asleep for 0..1000 ms, CPU time, binary heap
 *   sleepers-tuned   the same to the millisecond, with frames from a free list
 *   sleepers-wheel   as sleepers with a timing wheel of milliseconds
 */
#include <algorithm>
#include <coroutine>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <queue>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

namespace
{

using Handle = std::coroutine_handle<>;

constexpr int64_t NS_PER_MS = 1'000'000;

int64_t now_ns()
{
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * int64_t{ 1'000'000'000 } + t.tv_nsec;
}

double cpu_seconds()
{
    rusage r;
    getrusage(RUSAGE_SELF, &r);
    return double(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           double(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

int64_t resident_bytes()
{
    long total = 0, resident = 0;
    FILE *f = std::fopen("/proc/self/statm", "r");
    if (!f || std::fscanf(f, "%ld %ld", &total, &resident) != 2)
        std::abort();
    std::fclose(f);
    return int64_t{ resident } * sysconf(_SC_PAGESIZE);
}

struct Random {
    uint64_t state = 0x9E3779B97F4A7C15;

    uint64_t next()
    {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
    }
    int64_t sleep_us()
    {
        return int64_t(next() % 1'000'001);
    }
};

/* The ready queue. A task stands in it at most once, so room is made when a task is
 * spawned and a yield needs no check. */
class Ring
{
  public:
    bool empty() const
    {
        return head == tail;
    }
    void push(Handle h)
    {
        slots[tail++ & mask] = h;
    }
    Handle pop()
    {
        return slots[head++ & mask];
    }

    void reserve(size_t tasks)
    {
        if (tasks <= mask)
            return;
        size_t size = (mask + 1) * 2;
        while (size <= tasks)
            size *= 2;
        auto bigger = std::make_unique<Handle[]>(size);
        size_t count = tail - head;
        for (size_t i = 0; i < count; i++)
            bigger[i] = slots[(head + i) & mask];
        slots = std::move(bigger);
        mask = size - 1;
        head = 0;
        tail = count;
    }

  private:
    size_t mask = 63, head = 0, tail = 0;
    std::unique_ptr<Handle[]> slots = std::make_unique<Handle[]>(64);
};

Ring ready;
size_t live;

void run_ready()
{
    while (!ready.empty())
        ready.pop().resume();
}

/* Frames of one coroutine function have one size, so one list serves them all. */
struct FreeList {
    struct Block {
        Block *next;
    };
    static inline Block *free_blocks;
    static inline size_t block_size;

    static void *operator new(size_t size)
    {
        if (free_blocks) [[likely]]
            return std::exchange(free_blocks, free_blocks->next);
        if (block_size != 0 && block_size != size)
            std::abort();
        block_size = size;
        return ::operator new(size);
    }
    static void operator delete(void *p)
    {
        free_blocks = new (p) Block{ free_blocks };
    }
};

struct Malloc {
};

/* A task nobody joins: its frame goes when it ends. */
template <class Allocator = Malloc> struct Detached {
    struct promise_type : Allocator {
        promise_type()
        {
            ready.reserve(++live);
        }
        ~promise_type()
        {
            live--;
        }
        Detached get_return_object()
        {
            return {};
        }
        struct Enqueue : std::suspend_always {
            void await_suspend(Handle h) noexcept
            {
                ready.push(h);
            }
        };
        Enqueue initial_suspend() noexcept
        {
            return {};
        }
        std::suspend_never final_suspend() noexcept
        {
            return {};
        }
        void return_void()
        {
        }
        void unhandled_exception()
        {
            std::terminate();
        }
    };
};

/* The next task is entered straight from the one that yields: there is always one,
 * if only the same again. The jump is a tail call from -O2 on; without optimisation
 * the stack grows with every yield. */
struct Yield : std::suspend_always {
    Handle await_suspend(Handle h) noexcept
    {
        ready.push(h);
        return ready.pop();
    }
};

/* ---- switch ---- */

Detached<> yielder(int64_t times, int64_t &steps)
{
    for (; times > 0; times--) {
        co_await Yield{};
        steps++;
    }
}

double switch_ns(int64_t tasks, int64_t yields)
{
    int64_t steps = 0;
    for (int64_t i = 0; i < tasks; i++)
        yielder(yields / tasks, steps);
    int64_t start = now_ns();
    run_ready();
    return double(now_ns() - start) / double(steps);
}

void bench_switch(int64_t tasks)
{
    switch_ns(tasks, 2'000'000);
    std::printf("switch-%lld %.3f ns\n", (long long)tasks, switch_ns(tasks, 40'000'000));
}

/* ---- spawn and join ---- */

template <class Allocator> class Task
{
  public:
    struct promise_type;
    using Self = std::coroutine_handle<promise_type>;

    struct promise_type : Allocator {
        Handle waiter = std::noop_coroutine();
        int result = 0;

        Task get_return_object()
        {
            return Task{ Self::from_promise(*this) };
        }
        std::suspend_always initial_suspend() noexcept
        {
            return {};
        }
        struct WakeWaiter : std::suspend_always {
            Handle await_suspend(Self h) noexcept
            {
                return h.promise().waiter;
            }
        };
        WakeWaiter final_suspend() noexcept
        {
            return {};
        }
        void return_value(int value)
        {
            result = value;
        }
        void unhandled_exception()
        {
            std::terminate();
        }
    };

    explicit Task(Self h) : self(h)
    {
        ready.reserve(++live);
        ready.push(h);
    }
    Task(Task &&other) : self(std::exchange(other.self, nullptr))
    {
    }
    ~Task()
    {
        if (self) {
            live--;
            self.destroy();
        }
    }

    bool await_ready() const noexcept
    {
        return self.done();
    }
    void await_suspend(Handle parent) noexcept
    {
        self.promise().waiter = parent;
    }
    int await_resume() const noexcept
    {
        return self.promise().result;
    }

  private:
    Self self;
};

template <class Allocator> Task<Allocator> empty_task()
{
    co_return 1;
}

template <class Allocator> Detached<> parent(int64_t children, int64_t &joined)
{
    for (int64_t i = 0; i < children; i++)
        joined += co_await empty_task<Allocator>();
}

template <class Allocator> double spawn_ns(int64_t children)
{
    int64_t joined = 0;
    parent<Allocator>(children, joined);
    int64_t start = now_ns();
    run_ready();
    return double(now_ns() - start) / double(joined);
}

template <class Allocator> void bench_spawn(const char *name)
{
    spawn_ns<Allocator>(200'000);
    std::printf("%s %.3f ns\n", name, spawn_ns<Allocator>(8'000'000));
}

/* ---- timers ---- */

void wait_until(int64_t when)
{
    timespec t{ when / 1'000'000'000, when % 1'000'000'000 };
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);
}

struct Timer {
    int64_t when;
    Handle task;
    bool operator<(const Timer &other) const
    {
        return when > other.when;
    }
};

/* A timer queue with add(), empty(), next() and expire(), as something to await. */
template <class Queue> struct Sleep : std::suspend_always {
    Queue &queue;
    int64_t us;

    Sleep(Queue &q, int64_t u) : queue(q), us(u)
    {
    }
    void await_suspend(Handle h)
    {
        queue.add({ now_ns() + us * 1000, h });
    }
};

class TimerHeap
{
  public:
    void add(Timer t)
    {
        timers.push(t);
    }
    bool empty() const
    {
        return timers.empty();
    }
    int64_t next() const
    {
        return timers.top().when;
    }

    void expire(int64_t now)
    {
        while (!timers.empty() && timers.top().when <= now) {
            ready.push(timers.top().task);
            timers.pop();
        }
    }

  private:
    std::priority_queue<Timer> timers;
};

/* The same to the millisecond, as a loop around epoll_wait() has it: fewer wake-ups,
 * and time to fetch a frame from memory before it runs. */
class CoarseTimerHeap
{
  public:
    void add(Timer t)
    {
        t.when = (t.when + NS_PER_MS - 1) / NS_PER_MS;
        timers.push(t);
    }
    bool empty() const
    {
        return timers.empty();
    }
    int64_t next() const
    {
        return timers.top().when * NS_PER_MS;
    }

    void expire(int64_t now)
    {
        while (!timers.empty() && timers.top().when * NS_PER_MS <= now) {
            Handle task = timers.top().task;
            __builtin_prefetch(task.address());
            ready.push(task);
            timers.pop();
        }
    }

  private:
    std::priority_queue<Timer> timers;
};

/* Two levels of 1024 slots: a millisecond a slot, then a turn of the first level a
 * slot. What lies more than 17 minutes ahead waits in the last far slot and is
 * sorted in again from there. */
class TimerWheel
{
  public:
    void add(Timer t)
    {
        t.when = (t.when + NS_PER_MS - 1) / NS_PER_MS;
        count++;
        insert(t);
    }
    bool empty() const
    {
        return count == 0;
    }

    /* The first tick with work: an occupied slot, or the turn that brings the next
     * far slot down. */
    int64_t next() const
    {
        int64_t turn = (tick / SLOTS + 1) * SLOTS;
        for (int64_t at = tick; at < turn; at = (at / 64 + 1) * 64) {
            uint64_t word = occupied[at % SLOTS / 64] >> (at % 64);
            if (word)
                return (at + __builtin_ctzll(word)) * NS_PER_MS;
        }
        return turn * NS_PER_MS;
    }

    void expire(int64_t now)
    {
        for (; tick * NS_PER_MS <= now; tick++) {
            int64_t slot = tick % SLOTS;
            if (slot == 0)
                cascade();
            if (near[slot].empty())
                continue;
            for (const Timer &t : near[slot]) {
                __builtin_prefetch(t.task.address());
                ready.push(t.task);
            }
            count -= near[slot].size();
            near[slot].clear();
            occupied[slot / 64] &= ~(uint64_t{ 1 } << (slot % 64));
        }
    }

  private:
    static constexpr int64_t SLOTS = 1024;

    std::vector<Timer> near[SLOTS], far[SLOTS];
    uint64_t occupied[SLOTS / 64] = {};
    size_t count = 0;
    int64_t tick = now_ns() / NS_PER_MS; /* every tick before this one is done */

    void insert(Timer t)
    {
        int64_t when = std::max(t.when, tick);
        if (when - tick < SLOTS) {
            near[when % SLOTS].push_back(t);
            occupied[when % SLOTS / 64] |= uint64_t{ 1 } << (when % 64);
        } else {
            far[std::min(when / SLOTS, tick / SLOTS + SLOTS - 1) % SLOTS].push_back(t);
        }
    }

    void cascade()
    {
        for (Timer t : std::exchange(far[tick / SLOTS % SLOTS], {}))
            insert(t);
    }
};

template <class Queue> void run(Queue &timers)
{
    for (;;) {
        run_ready();
        if (timers.empty())
            return;
        int64_t next = timers.next();
        if (next > now_ns())
            wait_until(next);
        timers.expire(now_ns());
    }
}

/* ---- sleepers ---- */

template <class Queue, class Allocator>
Detached<Allocator> sleeper(Queue &timers, int64_t us, int64_t &done)
{
    co_await Sleep(timers, us);
    done++;
}

template <class Queue, class Allocator = Malloc> void bench_sleepers(const char *name)
{
    constexpr int64_t TASKS = 1'000'000;
    double start = cpu_seconds();
    auto timers = std::make_unique<Queue>();
    Random random;
    int64_t done = 0;
    for (int64_t i = 0; i < TASKS; i++)
        sleeper<Queue, Allocator>(*timers, random.sleep_us(), done);
    run(*timers);
    if (done != TASKS)
        std::abort();
    std::printf("%s %.4f s\n", name, cpu_seconds() - start);
}

/* ---- memory ---- */

constexpr int64_t PARKED = 1'000'000;

struct State {
    uint64_t words[2];
};

/* A coroutine parked in a list through its promise: the least that can be resumed. */
struct Parked {
    struct promise_type {
        promise_type *next = nullptr;

        Parked get_return_object()
        {
            return {};
        }
        std::suspend_never initial_suspend() noexcept
        {
            return {};
        }
        std::suspend_never final_suspend() noexcept
        {
            return {};
        }
        void return_void()
        {
        }
        void unhandled_exception()
        {
            std::terminate();
        }
    };
    using Self = std::coroutine_handle<promise_type>;
    static inline promise_type *first;

    struct Park : std::suspend_always {
        void await_suspend(Self h)
        {
            h.promise().next = std::exchange(first, &h.promise());
        }
    };
};

uint64_t memory_sum;

Parked parked_task(State state)
{
    co_await Parked::Park{};
    memory_sum += state.words[0] + state.words[1];
}

struct Family {
    int64_t children;
};

Detached<> asleep_task(TimerHeap &timers, const char *name, Family *parent, State state)
{
    co_await Sleep(timers, 1000);
    memory_sum += state.words[0] + state.words[1] + uint64_t(*name);
    parent->children--;
}

void print_memory(const char *name, int64_t bytes)
{
    std::printf("%s %.1f bytes\n", name, double(bytes) / double(PARKED));
}

void bench_memory()
{
    int64_t before = resident_bytes();
    for (int64_t i = 0; i < PARKED; i++)
        parked_task({ { uint64_t(i), 1 } });
    print_memory("memory", resident_bytes() - before);
    while (Parked::first)
        Parked::Self::from_promise(*std::exchange(Parked::first, Parked::first->next)).resume();
    if (memory_sum != PARKED * (PARKED - 1) / 2 + PARKED)
        std::abort();
}

void bench_memory_asleep()
{
    TimerHeap timers;
    Family family{ PARKED };
    int64_t before = resident_bytes();
    for (int64_t i = 0; i < PARKED; i++) {
        asleep_task(timers, "sleeper", &family, { { uint64_t(i), 1 } });
        run_ready();
    }
    print_memory("memory-asleep", resident_bytes() - before);
    run(timers);
    if (family.children != 0)
        std::abort();
}

} // namespace

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (!std::strcmp(what, "switch") && argc == 3 && std::atol(argv[2]) > 0)
        bench_switch(std::atol(argv[2]));
    else if (!std::strcmp(what, "spawn"))
        bench_spawn<Malloc>("spawn");
    else if (!std::strcmp(what, "spawn-freelist"))
        bench_spawn<FreeList>("spawn-freelist");
    else if (!std::strcmp(what, "memory"))
        bench_memory();
    else if (!std::strcmp(what, "memory-asleep"))
        bench_memory_asleep();
    else if (!std::strcmp(what, "sleepers"))
        bench_sleepers<TimerHeap>("sleepers");
    else if (!std::strcmp(what, "sleepers-tuned"))
        bench_sleepers<CoarseTimerHeap, FreeList>("sleepers-tuned");
    else if (!std::strcmp(what, "sleepers-wheel"))
        bench_sleepers<TimerWheel>("sleepers-wheel");
    else {
        std::fprintf(stderr, "usage: peer_cxx20 switch N | spawn | spawn-freelist | memory | "
                             "memory-asleep | sleepers | sleepers-tuned | sleepers-wheel\n");
        return 2;
    }
    return 0;
}
