/* SPDX-License-Identifier: MIT */
/*
 * The network as a kernel has it: addresses, and sockets with try-operations. Programs use streams
 * (smallos/stream.h) and datagrams (smallos/udp.h), which stand on this.
 */
#ifndef SMALLOS_NETWORK_H
#define SMALLOS_NETWORK_H

#include "smallos/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

enum sos_family {
    SOS_FAMILY_NONE,
    SOS_FAMILY_IPV4,
    SOS_FAMILY_IPV6,
    SOS_FAMILY_LOCAL /* a socket in the file system of this machine */
};

enum { SOS_LOCAL_PATH_MAX = 107, SOS_ADDRESS_TEXT = 128 };

struct sos_address {
    uint8_t family; /* enum sos_family */
    uint16_t port;
    uint32_t scope; /* IPv6: the interface of a link-local address, else 0 */
    union {
        uint8_t ip[16]; /* network order; IPv4: the first four */
        char path[SOS_LOCAL_PATH_MAX + 1];
    };
};

/*
 * Reads "192.0.2.1", "2001:db8::1", "fe80::1%2" or "unix:/path"; a port is not part of it.
 * 0; SOS_EINVAL: it is none of these, a name for example. From anywhere.
 */
int sos_address_parse(struct sos_address *address, const char *text, uint16_t port);

/* Writes "192.0.2.1:80", "[2001:db8::1]:80" or "unix:/path" into at least SOS_ADDRESS_TEXT bytes. */
void sos_address_format(const struct sos_address *address, char *text);

/* A piece of bytes to be written beside others. */
struct sos_slice {
    const void *bytes;
    size_t size;
};

/*
 * The sockets of a kernel: all without waiting; what cannot be done now answers SOS_EAGAIN and is
 * tried again when the descriptor is ready. `kernel->network` may be NULL, and so may any of these:
 * then the operations that need it end in SOS_ENOTSUP. Descriptors are read, written and closed by
 * the kernel's fd_read, fd_write and fd_close. All runtime.
 */
struct sos_network {
    /* Begins to connect: a descriptor that becomes writable when that is over, or an error.
     * SOS_EAGAIN: not even begin, try again in a while. */
    int (*connect)(struct sos_kernel *kernel, const struct sos_address *to);

    /* 0: connected; SOS_EAGAIN: not yet; SOS_ECONNREFUSED, SOS_EUNREACH, SOS_ETIMEDOUT ... */
    int (*connected)(struct sos_kernel *kernel, int fd);

    /* A descriptor that becomes readable when somebody connects. SOS_EADDRINUSE, SOS_EACCES ... */
    int (*listen)(struct sos_kernel *kernel, const struct sos_address *at, int backlog);

    /* The next one who has connected, and from where (may be NULL). SOS_EMFILE ... */
    int (*accept)(struct sos_kernel *kernel, int fd, struct sos_address *from);

    /* Writes several pieces in one call: how many bytes of them, or an error. */
    int (*write_many)(struct sos_kernel *kernel, int fd, const struct sos_slice *slices,
                      size_t count);

    /* Half-close: the other end reads its end of stream. */
    int (*shutdown)(struct sos_kernel *kernel, int fd);

    /* Its own address, or the other end's. */
    int (*name)(struct sos_kernel *kernel, int fd, bool other, struct sos_address *address);

    /* Datagrams: a socket at an address (port 0: any); one datagram each. */
    int (*bind_udp)(struct sos_kernel *kernel, const struct sos_address *at);
    int (*send_to)(struct sos_kernel *kernel, int fd, const struct sos_address *to,
                   const void *bytes, size_t size);
    int (*receive_from)(struct sos_kernel *kernel, int fd, struct sos_address *from, void *bytes,
                        size_t size);

    /*
     * Looks a name up: an operation that ends in the number of addresses written to `list`, in the
     * order in which they are to be tried, or in SOS_ENONAME. Their port is 0. Canceled: the look-up
     * is given up and `list` not written to any more.
     */
    sos_op (*resolve)(sos_task *task, const char *name, struct sos_address *list, size_t room);
};

#ifdef __cplusplus
}
#endif
#endif
