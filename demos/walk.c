/* SPDX-License-Identifier: MIT */
/* test-arguments: .. */
/*
 * A recursive directory walk: an async function that calls itself for each sub-directory. It
 * counts files and bytes while a second task shows that it is alive.
 *
 *     walk [FOLDER [MILLISECONDS]]     gives up after that time, closing every folder it has open
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "smallos/smallos.h"
#include "smallos/unix.h"

struct totals {
    unsigned long folders, files;
    unsigned long long bytes;
    int open, open_most; /* folders that are open now, and at most were */
    int status;          /* in which the walk ended */
};

struct walk {
    sos_frame frame;
    const char *path; /* in the caller's frame, which outlives this one */
    struct totals *totals;
    DIR *folder;
    char inside[1024]; /* path of what is looked at */
};

/* The path of the next sub-directory is in walk->inside, or false: there is none any more. Files
 * on the way are counted. */
static bool next_folder(struct walk *walk)
{
    struct dirent *entry;
    struct stat about;
    while ((entry = readdir(walk->folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int length = snprintf(walk->inside, sizeof walk->inside, "%s/%s", walk->path,
                              entry->d_name);
        if (length >= (int)sizeof walk->inside || lstat(walk->inside, &about) != 0)
            continue;
        if (S_ISDIR(about.st_mode))
            return true;
        walk->totals->files++;
        walk->totals->bytes += (unsigned long long)about.st_size;
    }
    return false;
}

static bool open_folder(struct walk *walk)
{
    struct totals *totals = walk->totals;
    walk->folder = opendir(walk->path);
    if (walk->folder == NULL)
        return false;
    totals->folders++;
    if (++totals->open > totals->open_most)
        totals->open_most = totals->open;
    return true;
}

async_fn(walk)
{
    async_begin(walk);
    if (!open_folder(self))
        async_return(SOS_OK); /* not ours to read */
    while (next_folder(self)) {
        try_await(async_call(walk, .path = self->inside, .totals = self->totals));
        try_await(sos_yield(task));
    }
    async_finally;
    if (self->folder != NULL) {
        closedir(self->folder);
        self->totals->open--;
    }
    async_end;
}

struct limited_walk {
    sos_frame frame;
    const char *path;
    struct totals *totals;
    int64_t us;
};

async_fn(limited_walk)
{
    async_begin(limited_walk);
    await(sos_within(task, self->us, async_call(walk, .path = self->path, .totals = self->totals)));
    self->totals->status = sos_status(task);
    async_end;
}

struct heartbeat {
    sos_frame frame;
    int beats;
};

async_fn(heartbeat)
{
    async_begin(heartbeat);
    for (;; self->beats++)
        await(sos_sleep(task, SOS_MS(10)));
    async_finally;
    printf("the heart beat %d times meanwhile\n", self->beats);
    async_end;
}

static int run(sos *os, const char *path, int64_t us)
{
    struct totals totals = { .folders = 0 };
    sos_fork(os, heartbeat, sos_opt(.priority = 1, .watcher = true));
    sos_fork(os, limited_walk, sos_opt(.priority = 2), .path = path, .totals = &totals, .us = us);
    if (sos_run(os) != SOS_OK)
        return 1;
    printf("%lu folders, %lu files, %llu bytes in %s: %s\n", totals.folders, totals.files,
           totals.bytes, path,
           totals.status == SOS_OK ? "all of it" : sos_error_text(totals.status));
    printf("%d folders open at most, %d left open\n", totals.open_most, totals.open);
    return totals.open == 0 ? 0 : 1;
}

int main(int count, char **words)
{
    const char *path = count > 1 ? words[1] : ".";
    int64_t us = count > 2 ? SOS_MS(atol(words[2])) : SOS_FOREVER;
    struct sos_kernel *kernel;
    sos *os = NULL;
    int status = 1;
    int error = sos_unix_kernel_create(&kernel, NULL);
    if (error == SOS_OK)
        error = sos_create(&os, NULL, kernel);
    if (error == SOS_OK)
        status = run(os, path, us);
    else
        fprintf(stderr, "walk: %s\n", sos_error_text(error));
    sos_destroy(os);
    sos_unix_kernel_destroy(kernel);
    return status;
}
