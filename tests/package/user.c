/* SPDX-License-Identifier: MIT */
#include <smallos/smallos.h>

int main(void)
{
    return 0;
}
