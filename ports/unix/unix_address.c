/* SPDX-License-Identifier: MIT */
/* Addresses as the system has them. */
#define _GNU_SOURCE
#include "unix_internal.h"

#include <string.h>

socklen_t sos_unix_to_name_(const struct sos_address *address, union unix_name *name)
{
    memset(name, 0, sizeof *name);
    switch ((enum sos_family)address->family) {
    case SOS_FAMILY_IPV4:
        name->ipv4.sin_family = AF_INET;
        name->ipv4.sin_port = htons(address->port);
        memcpy(&name->ipv4.sin_addr, address->ip, 4);
        return sizeof name->ipv4;
    case SOS_FAMILY_IPV6:
        name->ipv6.sin6_family = AF_INET6;
        name->ipv6.sin6_port = htons(address->port);
        name->ipv6.sin6_scope_id = address->scope;
        memcpy(&name->ipv6.sin6_addr, address->ip, 16);
        return sizeof name->ipv6;
    case SOS_FAMILY_LOCAL:
        name->local.sun_family = AF_UNIX;
        memcpy(name->local.sun_path, address->path, sizeof name->local.sun_path - 1);
        return sizeof name->local;
    case SOS_FAMILY_NONE:
        break;
    }
    return 0;
}

void sos_unix_from_name_(const union unix_name *name, struct sos_address *address)
{
    memset(address, 0, sizeof *address);
    switch (name->any.sa_family) {
    case AF_INET:
        address->family = SOS_FAMILY_IPV4;
        address->port = ntohs(name->ipv4.sin_port);
        memcpy(address->ip, &name->ipv4.sin_addr, 4);
        break;
    case AF_INET6:
        address->family = SOS_FAMILY_IPV6;
        address->port = ntohs(name->ipv6.sin6_port);
        address->scope = name->ipv6.sin6_scope_id;
        memcpy(address->ip, &name->ipv6.sin6_addr, 16);
        break;
    case AF_UNIX:
        address->family = SOS_FAMILY_LOCAL;
        memcpy(address->path, name->local.sun_path, SOS_LOCAL_PATH_MAX);
        break;
    default:
        break;
    }
}
