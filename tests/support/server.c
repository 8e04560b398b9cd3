/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { ARGUMENTS = 64, ARGUMENT_SIZE = 1024, CONTENT_SIZE = 65536 };

/* ---- Ports */

static int loopback_socket(uint16_t port, struct sockaddr_in *address)
{
    *address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static uint16_t free_port(void)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = loopback_socket(0, &address);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static bool accepts(uint16_t port)
{
    struct sockaddr_in address;
    int fd = loopback_socket(port, &address);
    bool connected = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return connected;
}

/* ---- Texts with places to fill in */

static const char *fill_in(const struct server *server, const char *text, char *to, size_t size)
{
    char port[8];
    size_t used = 0;
    snprintf(port, sizeof port, "%u", server->port);
    while (*text != '\0') {
        const char *value = NULL;
        if (strncmp(text, "{port}", 6) == 0)
            value = port, text += 6;
        else if (strncmp(text, "{folder}", 8) == 0)
            value = server->folder, text += 8;
        size_t length = value != NULL ? strlen(value) : 1;
        CHECK(used + length < size);
        memcpy(to + used, value != NULL ? value : text++, length);
        used += length;
    }
    to[used] = '\0';
    return to;
}

void server_file(const struct server *server, const char *name, const char *content)
{
    static char filled[CONTENT_SIZE];
    char path[128];
    snprintf(path, sizeof path, "%s/%s", server->folder, name);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs(fill_in(server, content, filled, sizeof filled), file) >= 0);
    fclose(file);
}

/* ---- Starting and stopping */

void server_prepare(struct server *server)
{
    *server = (struct server){ .port = free_port() };
    strcpy(server->folder, "/tmp/smallos-server-XXXXXX");
    CHECK(mkdtemp(server->folder) != NULL);
    CHECK(chmod(server->folder, 0755) == 0); /* some drop their rights */
}

static void become(const struct server *server, char *const argv[])
{
    char path[128];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(path, sizeof path, "%s/output", server->folder);
    int output = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644),
        nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, 0);
    dup2(output, 1);
    dup2(output, 2);
    execvp(argv[0], argv);
    _exit(errno == ENOENT ? 127 : 126);
}

static void print_output(const struct server *server)
{
    char path[128], line[512];
    snprintf(path, sizeof path, "%s/output", server->folder);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        fputs(line, stderr);
    if (file != NULL)
        fclose(file);
}

/* True when it accepts; false when it ended with 127: there is no such program. */
static bool comes_up(struct server *server)
{
    const struct timespec moment = { 0, 5000000 };
    int status;
    for (int tries = 0; tries < 4000; tries++) {
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            server->pid = 0;
            if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
                return false;
            print_output(server);
            check_failed(__FILE__, __LINE__, __func__, "the server goes on");
        }
        if (accepts(server->port))
            return true;
        nanosleep(&moment, NULL);
    }
    print_output(server);
    check_failed(__FILE__, __LINE__, __func__, "the server comes up");
    return false;
}

bool server_start(struct server *server, const char *const argv[])
{
    static char filled[ARGUMENTS][ARGUMENT_SIZE];
    char *arguments[ARGUMENTS + 1];
    int count = 0;
    for (; argv[count] != NULL; count++) {
        CHECK(count < ARGUMENTS);
        fill_in(server, argv[count], filled[count], ARGUMENT_SIZE);
        arguments[count] = filled[count];
    }
    arguments[count] = NULL;
    fflush(stdout);
    server->pid = fork();
    CHECK(server->pid >= 0);
    if (server->pid == 0)
        become(server, arguments);
    return comes_up(server);
}

void server_kill(struct server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static bool ended_in_time(struct server *server)
{
    const struct timespec moment = { 0, 5000000 };
    for (int tries = 0; tries < 600; tries++) {
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
            return true;
        nanosleep(&moment, NULL);
    }
    return false;
}

void server_stop(struct server *server)
{
    char command[128];
    if (server->pid > 0) {
        kill(server->pid, SIGTERM);
        if (ended_in_time(server))
            server->pid = 0;
        server_kill(server);
    }
    snprintf(command, sizeof command, "rm -rf %s", server->folder);
    CHECK(system(command) == 0);
}
