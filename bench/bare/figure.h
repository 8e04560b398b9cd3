/* SPDX-License-Identifier: MIT */

/* Prints `name value unit`, the value given in hundredths. There is no libc here. */
#ifndef FIGURE_H
#define FIGURE_H

#include "machine.h"

static inline void print_text(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0')
        length++;
    machine_write(text, length);
}

static inline void print_figure(const char *name, uint64_t hundredths, const char *unit)
{
    char digits[24];
    char *at = &digits[23];
    *at = '\0';
    for (int place = 0; place < 3 || hundredths != 0; place++, hundredths /= 10) {
        if (place == 2)
            *--at = '.';
        *--at = (char)('0' + (int)(hundredths % 10));
    }
    print_text(name);
    print_text(" ");
    print_text(at);
    print_text(" ");
    print_text(unit);
    print_text("\n");
}

#endif
