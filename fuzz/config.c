/* SPDX-License-Identifier: MIT */
/*
 * Any bytes are refused with a message or read; what is read is in range, writes back, and reads
 * the same again.
 */
#include "smallos/config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void must(int condition)
{
    if (!condition)
        abort();
}

static void check_refusal(const struct sos_config_error *error)
{
    must(error->rule[0] != '\0' && error->text[0] != '\0');
    must(strchr(error->text, '\n') == NULL);
    must(strlen(error->path) < sizeof error->path && strlen(error->value) < sizeof error->value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sos_config config, again;
    struct sos_config_error error;
    char text[4096], text_again[4096];
    int status = sos_config_parse(&config, (const char *)data, size, &error);
    if (status != SOS_OK) {
        must(status == SOS_ECONFIG && error.status == status);
        check_refusal(&error);
        return 0;
    }
    must(error.text[0] == '\0' && sos_config_check(&config, NULL) == SOS_OK);
    int length = sos_config_write(&config, text, sizeof text);
    must(length > 0 && (size_t)length < sizeof text);
    must(sos_config_parse(&again, text, (size_t)length, NULL) == SOS_OK);
    must(sos_config_write(&again, text_again, sizeof text_again) == length);
    must(strcmp(text, text_again) == 0);
    return 0;
}
