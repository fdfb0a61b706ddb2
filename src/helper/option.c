/* SPDX-License-Identifier: ISC */
/* option.c - what the user of the launcher has given, where a variable stands for it */
#include "option.h"

#include <string.h>

/* By the letters that the launcher has for them. */
static const struct {
    char letter;
    const char *name, *variable;
} options[] = {
    { 'x', "-x", "SOCKSIFY_PROXY" },
    { 'u', "-u", "SOCKSIFY_USER" },
    { 'd', "-d", "SOCKSIFY_DIRECT" },
    { 'b', "-b", "SOCKSIFY_BLOCK" },
    { 't', "-t", "SOCKSIFY_TIMEOUT" },
    { 'D', "--dns", "SOCKSIFY_DNS" },
    { 'B', "--bind", "SOCKSIFY_BIND" },
    { 'P', "--password-file", "SOCKSIFY_PASSWORD_FILE" },
    { 'L', "--pipeline", "SOCKSIFY_PIPELINE" },
    { 'S', "--stats", "SOCKSIFY_STATS" },
    { 'V', "-v, -q or -l", "SOCKSIFY_LOG" },
    { 'A', "ALL_PROXY", "SOCKS5_SERVER" },
    { 'a', "all_proxy", "SOCKS5_SERVER" },
    { 'q', "a password to be asked for", "SOCKSIFY_PASSWORD" },
};

const char *option_of(const char *variable, size_t len, const char *given)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (strchr(given, options[i].letter) && strlen(options[i].variable) == len &&
            memcmp(options[i].variable, variable, len) == 0)
            return options[i].name;
    return NULL;
}
