/* SPDX-License-Identifier: MIT */
/* Application output, kept while the terminal view is shown. */
#include "core/internal.h"

struct message {
    struct message *next;
    size_t size;
    char text[];
};

struct sos_output_ {
    bool visible; /* the terminal view */
    uint32_t kept;
    uint64_t dropped;
    struct message *first, **last;
};

static bool keeps(const sos *os)
{
    return os->kernel->write == NULL || (os->output != NULL && os->output->visible);
}

static void drop_first(sos *os)
{
    struct sos_output_ *output = os->output;
    struct message *message = output->first;
    output->first = message->next;
    if (output->first == NULL)
        output->last = &output->first;
    output->kept--;
    sos_give_(os, message, sizeof *message + message->size);
}

void sos_output_clear(sos *os)
{
    while (os->output != NULL && os->output->first != NULL)
        drop_first(os);
}

static void forget_output(sos *os)
{
    sos_output_clear(os);
    sos_give_(os, os->output, sizeof *os->output);
    os->output = NULL;
}

static struct sos_output_ *state_of(sos *os)
{
    if (os->output != NULL)
        return os->output;
    struct sos_output_ *output = sos_take_(os, sizeof *output);
    if (output == NULL)
        return NULL;
    *output = (struct sos_output_){ .last = &output->first };
    os->output = output;
    os->output_end = forget_output;
    return output;
}

static int keep(sos *os, const char *text, size_t size)
{
    struct sos_output_ *output = state_of(os);
    if (output == NULL)
        return SOS_ENOMEM;
    if (os->config.io_buffer_length == 0) {
        output->dropped++;
        return SOS_OK;
    }
    if (output->kept == os->config.io_buffer_length) {
        drop_first(os);
        output->dropped++;
    }
    struct message *message = sos_take_(os, sizeof *message + size);
    if (message == NULL)
        return SOS_ENOMEM;
    message->next = NULL;
    message->size = size;
    memcpy(message->text, text, size);
    *output->last = message;
    output->last = &message->next;
    output->kept++;
    return SOS_OK;
}

static int put(sos *os, enum sos_channel channel, const char *text, size_t size)
{
    if (os->kernel->write == NULL)
        return SOS_OK;
    int written = os->kernel->write(os->kernel, channel, text, size);
    return written < 0 ? written : SOS_OK;
}

static size_t length(const char *text)
{
    size_t size = 0;
    while (text[size] != '\0')
        size++;
    return size;
}

int sos_print_bytes(sos *os, const char *text, size_t size)
{
    int error = sos_check_thread_(os);
    if (error != 0)
        return error;
    return keeps(os) ? keep(os, text, size) : put(os, SOS_CHANNEL_OUTPUT, text, size);
}

int sos_print(sos *os, const char *text)
{
    return sos_print_bytes(os, text, length(text));
}

int sos_shell_print(sos *os, const char *text, bool forced)
{
    int error = sos_check_thread_(os);
    bool visible = os->output != NULL && os->output->visible;
    if (error != 0 || (!visible && !forced))
        return error;
    return put(os, SOS_CHANNEL_SHELL, text, length(text));
}

void sos_output_flush(sos *os)
{
    if (os->kernel->write == NULL)
        return;
    while (os->output != NULL && os->output->first != NULL) {
        put(os, SOS_CHANNEL_OUTPUT, os->output->first->text, os->output->first->size);
        drop_first(os);
    }
}

int sos_terminal_show(sos *os, bool visible)
{
    struct sos_output_ *output = state_of(os);
    if (output == NULL)
        return SOS_ENOMEM;
    if (output->visible == visible)
        return SOS_OK;
    output->visible = visible;
    int status = put(os, SOS_CHANNEL_SHELL, "****************\n", 17);
    if (!visible)
        sos_output_flush(os);
    return status;
}

struct sos_terminal_state sos_terminal_status(const sos *os)
{
    struct sos_terminal_state state = { .limit = os->config.io_buffer_length };
    if (os->output != NULL) {
        state.visible = os->output->visible;
        state.kept = os->output->kept;
        state.dropped = os->output->dropped;
    }
    return state;
}

const char *sos_kept_output(const sos *os, uint32_t index, size_t *size)
{
    const struct message *message = os->output == NULL ? NULL : os->output->first;
    while (message != NULL && index-- != 0)
        message = message->next;
    if (message == NULL)
        return NULL;
    *size = message->size;
    return message->text;
}
