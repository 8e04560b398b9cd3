/* SPDX-License-Identifier: MIT */
/*
 * Certificates for tests, made by the openssl program in a folder of their own, which is removed when
 * the program ends: tests/support/certificates.sh lists them.
 */
#ifndef TESTS_SUPPORT_CERTIFICATES_H
#define TESTS_SUPPORT_CERTIFICATES_H

#include <stdbool.h>

/* Makes them, the first time. False: there is no openssl program. */
bool certificates_make(void);

/* The path of a file among them: "ca.pem". One of 64 places, used in turn. */
const char *certificate(const char *name);

#endif
