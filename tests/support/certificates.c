/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "certificates.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"

static char folder[64];

static void remove_folder(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        fprintf(stderr, "%s stays\n", folder);
}

bool certificates_make(void)
{
    char command[512];
    if (folder[0] != '\0')
        return true;
    if (system("command -v openssl >/dev/null") != 0)
        return false;
    strcpy(folder, "/tmp/smallos-certificates-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    CHECK(chmod(folder, 0755) == 0); /* some servers drop their rights */
    atexit(remove_folder);
    snprintf(command, sizeof command, "sh %s/tests/support/certificates.sh %s || cat %s/*.log >&2",
             SOS_SOURCE_DIR, folder, folder);
    CHECK_INT(system(command), 0);
    return true;
}

const char *certificate(const char *name)
{
    static char paths[64][128];
    static unsigned turn;
    char *path = paths[turn++ % 64];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}
