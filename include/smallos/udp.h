/* SPDX-License-Identifier: MIT */
/*
 * Datagrams over UDP. Each is sent and received as a whole, or not at all: the network may lose
 * them, deliver them twice and out of order.
 *
 *     sos_udp_open(os, &(struct sos_udp_options){ .host = "0.0.0.0", .port = 5300 }, &udp);
 *     await(sos_udp_receive(task, udp, &self->from, self->bytes, sizeof self->bytes));
 *
 * Functions that return sos_op are for tasks; the others may be called on the runtime's thread.
 */
#ifndef SMALLOS_UDP_H
#define SMALLOS_UDP_H

#include "smallos/network.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sos_udp sos_udp;

/* Zero means default in every field. */
struct sos_udp_options {
    const char *host;               /* the address to receive at; NULL: all of IPv4 */
    uint16_t port;                  /* 0: any that is free; sos_udp_address tells it */
    const struct sos_address *peer; /* the only one to talk with; NULL: anybody */
};

/* 0; SOS_EADDRINUSE, SOS_EACCES, SOS_EUNREACH: not an address of this machine; SOS_EINVAL, SOS_ENOMEM,
 * SOS_EMFILE, SOS_ENOTSUP. */
int sos_udp_open(sos *os, const struct sos_udp_options *options, sos_udp **udp);

/*
 * Sends one datagram; `to` NULL: to the peer. Waits while the system has no room for it. Ends in
 * `size`; SOS_EINVAL: no receiver, or of another family; SOS_ELIMIT: too large for a datagram;
 * SOS_EUNREACH. `bytes` must stay until then. Canceled: it was not sent.
 */
SOS_MUST_USE sos_op sos_udp_send(sos_task *task, sos_udp *udp, const struct sos_address *to,
                                 const void *bytes, size_t size);

/*
 * Waits for the next datagram: from the peer, if there is one, else from anybody. Ends in its size,
 * which may be 0; of a larger one than `size` the rest is lost. `from` may be NULL. SOS_ECANCELED:
 * closed. Canceled: none was taken.
 */
SOS_MUST_USE sos_op sos_udp_receive(sos_task *task, sos_udp *udp, struct sos_address *from,
                                    void *bytes, size_t size);

/* Where it receives. 0 or SOS_ENOTSUP. */
int sos_udp_address(const sos_udp *udp, struct sos_address *address);

/* Tasks that wait in an operation on it get SOS_ECANCELED. NULL is fine. Also from async_finally. */
void sos_udp_close(sos_udp *udp);

#ifdef __cplusplus
}
#endif
#endif
