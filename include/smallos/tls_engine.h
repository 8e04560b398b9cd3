/* SPDX-License-Identifier: MIT */
/*
 * The porting contract for TLS: a library that turns bytes into other bytes. It has no socket and
 * never waits; the stream around it (src/net/tls.c) moves what it wants moved. `tls` of struct
 * sos_kernel points to it. Kernels for an operating system have that of OpenSSL 3.
 *
 * Every callback is called on the runtime's thread.
 */
#ifndef SMALLOS_TLS_ENGINE_H
#define SMALLOS_TLS_ENGINE_H

#include "smallos/tls.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How an engine gets at the encrypted bytes: what its library calls from within. */
struct sos_tls_transport {
    void *context;

    /* 1 to `size` bytes; 0: the other end has closed; SOS_EAGAIN: none now, or enough for one call of
     * the engine; an error. */
    int (*receive)(void *context, void *bytes, size_t size);

    /* Takes all of them (`size`), or none: SOS_ENOMEM: offer them again later; an error. They are on
     * their way when the callback of the engine has returned. */
    int (*send)(void *context, const void *bytes, size_t size);
};

/* One connection to be. Nothing but `session` and the transport's context lives on. */
struct sos_tls_start {
    enum sos_tls_side side;
    const char *server_name;         /* client: to ask for and to check; NULL: neither */
    struct sos_tls_session *session; /* client: to resume from and to write to; may be NULL */
    struct sos_tls_transport transport;
};

struct sos_tls_engine {
    /* The kernel ends, and no context is left: gives back what `tls_shared` points to. */
    void (*kernel_end)(struct sos_kernel *kernel);

    /*
     * Certificates, keys, versions and protocols of any number of connections, from the options
     * below `context`. 0; SOS_ETLS, SOS_ENOENT, SOS_EACCES, SOS_EINVAL with the
     * reason in `why`; SOS_ENOMEM.
     */
    int (*context_open)(struct sos_kernel *kernel, const struct sos_tls_options *options,
                        enum sos_tls_side side, void **context, char *why, size_t why_size);
    void (*context_close)(void *context);

    /* A connection; nothing is sent yet. 0; SOS_ENOMEM; SOS_EINVAL: the name is none. The time for
     * checking certificates is the kernel's wall_clock. */
    int (*open)(void *context, const struct sos_tls_start *start, void **connection);

    /* Sends nothing. */
    void (*close)(void *connection);

    /*
     * Goes on shaking hands. 0: done; SOS_EAGAIN: when the transport can go on; SOS_ETLS: with a
     * text; an error of the transport.
     */
    int (*handshake)(void *connection);

    /*
     * After the handshake. Reads 1 to `size` bytes; SOS_EEOF: the other end said that it has ended;
     * SOS_ETLS: also when it ended without saying so; else as handshake. SOS_EAGAIN only when it has
     * asked the transport in vain.
     */
    int (*read)(void *connection, void *bytes, size_t size);

    /* Takes 1 to `size` bytes, which may be elsewhere the next time; else as handshake. */
    int (*write)(void *connection, const void *bytes, size_t size);

    /* Tells the other end that no more will come; what it still sends can be read. 0 or an error. */
    int (*close_notify)(void *connection);

    /* After the handshake; zeroed before. */
    void (*describe)(const void *connection, struct sos_tls_info *info);

    /* Why it failed: which certificate, which alert; NULL: there is nothing to say. */
    const char *(*error_text)(const void *connection);
};

/* OpenSSL 3 (ports/openssl); of the kernel it uses nothing but its wall_clock. */
extern const struct sos_tls_engine sos_openssl;

#ifdef __cplusplus
}
#endif
#endif
