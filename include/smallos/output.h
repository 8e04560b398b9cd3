/* SPDX-License-Identifier: MIT */
/*
 * Application output and the terminal view. While the terminal view is shown, application output
 * is kept, up to io_buffer_length messages, the oldest dropped first; back in the application view
 * it is written, once, in order. A kernel without write() counts as a terminal view that is shown
 * for ever. All on the runtime's thread.
 */
#ifndef SMALLOS_OUTPUT_H
#define SMALLOS_OUTPUT_H

#include "smallos/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Application output: one message, ended by the caller's own line ends. 0, or SOS_ENOMEM when it
 * had to be kept and could not. */
int sos_print(sos *os, const char *text);
int sos_print_bytes(sos *os, const char *text, size_t size);

/* Shell output: written only in the terminal view, or when `forced`; else it is dropped. */
int sos_shell_print(sos *os, const char *text, bool forced);

/* Switches the view, with a line of 16 asterisks; showing what is shown already does nothing.
 * 0 or SOS_ENOMEM. */
int sos_terminal_show(sos *os, bool visible);

struct sos_terminal_state {
    bool visible;
    uint32_t kept, limit;
    uint64_t dropped;
};
struct sos_terminal_state sos_terminal_status(const sos *os);

/* The kept message number `index` (0: the oldest), NULL beyond the last; not NUL-terminated. */
const char *sos_kept_output(const sos *os, uint32_t index, size_t *size);

/* Writes the kept output now, in order, and forgets it; or forgets it. */
void sos_output_flush(sos *os);
void sos_output_clear(sos *os);

#ifdef __cplusplus
}
#endif
#endif
