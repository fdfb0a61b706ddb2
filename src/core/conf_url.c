/* SPDX-License-Identifier: ISC */
/* conf_url.c - the proxy's URL (RFC 3986 section 3, RFC 6874) */
#include "conf.h"

#include <errno.h>
#include <string.h>

#include "text.h"

enum { DEFAULT_PORT = 1080, LITERAL_SIZE = 64 };

static int hex_value(char c)
{
    c = text_lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode len bytes into out, CONF_CREDENTIAL_SIZE bytes.  Returns NULL or the fault; too_long is that of the field. */
static const char *decode(const char *text, size_t len, char *out, const char *too_long)
{
    size_t i, used = 0;
    int high, low;
    char c;

    for (i = 0; i < len; i++) {
        c = text[i];
        if (c == '%') {
            high = len - i > 2 ? hex_value(text[i + 1]) : -1;
            low = len - i > 2 ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return "bad percent-encoding";
            if (high == 0 && low == 0)
                return "encoded NUL byte";
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (used == CONF_CREDENTIAL_SIZE - 1)
            return too_long;
        out[used++] = c;
    }
    out[used] = '\0';
    return NULL;
}

static const char *read_credentials(const char *text, size_t len, char *user, char *password)
{
    const char *colon = memchr(text, ':', len), *fault;
    size_t user_len = colon ? (size_t)(colon - text) : len;

    fault = decode(text, user_len, user, "user is longer than 255 bytes");
    if (fault || !colon)
        return fault;
    fault = decode(colon + 1, len - user_len - 1, password, "password is longer than 255 bytes");
    if (!fault && user[0] == '\0' && password[0] != '\0')
        return "empty user with a password";
    return fault;
}

/* Read what stands between the brackets. */
static const char *read_literal(const char *text, size_t len, struct addr *a)
{
    char buf[LITERAL_SIZE];
    const char *percent;
    size_t keep;

    if (len == 0)
        return "empty host";
    if (len > sizeof buf || !memchr(text, ':', len))
        return "bad IPv6 address";
    percent = memchr(text, '%', len);
    keep = percent ? (size_t)(percent - text) + 1 : len;
    memcpy(buf, text, keep);
    /* RFC 6874 writes the scope as %25 and the id; a plain % is what people type. */
    if (len - keep > 2 && text[keep] == '2' && text[keep + 1] == '5') {
        text += 2;
        len -= 2;
    }
    memcpy(buf + keep, text + keep, len - keep);
    return addr_from_text(buf, len, a) < 0 ? "bad IPv6 address" : NULL;
}

static const char *read_host(const char *text, size_t len, struct addr *a)
{
    if (len == 0)
        return "empty host";
    if (memchr(text, ']', len))
        return "bracket that was not opened";
    if (addr_from_text(text, len, a) == 0 || text_name(text, len, a) == 0)
        return NULL;
    return "bad host name or address";
}

/* tail: what follows the host: nothing, or a colon and the port. */
static const char *read_port(const char *tail, size_t len, uint16_t *port)
{
    uint32_t value = DEFAULT_PORT;

    if (len > 0 && tail[0] != ':')
        return "unexpected text after the host";
    if (len > 0 && (text_decimal(tail + 1, len - 1, 65535, &value) < 0 || value == 0))
        return "port is not 1 to 65535";
    *port = (uint16_t)value;
    return NULL;
}

static const char *read_server(const char *text, size_t len, struct addr *a)
{
    const char *end = text + len, *tail, *fault;

    if (len > 0 && text[0] == '[') {
        tail = memchr(text, ']', len);
        if (!tail)
            return "unclosed bracket";
        fault = read_literal(text + 1, (size_t)(tail - text) - 1, a);
        tail++;
    } else {
        tail = memchr(text, ':', len);
        if (!tail)
            tail = end;
        if (tail != end && memchr(tail + 1, ':', (size_t)(end - tail) - 1))
            return "IPv6 address without brackets";
        fault = read_host(text, (size_t)(tail - text), a);
    }
    return fault ? fault : read_port(tail, (size_t)(end - tail), &a->port);
}

/* The length of `scheme://` if it is one of ours, else 0. */
static size_t scheme_length(const char *url)
{
    static const char *const schemes[] = { "socks5://", "socks5h://" };
    size_t i, n;

    for (i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        for (n = 0; schemes[i][n] && text_lower(url[n]) == schemes[i][n]; n++)
            ;
        if (!schemes[i][n])
            return n;
    }
    return 0;
}

/* The last `@` of a text, since people forget to encode the one within a password. */
static const char *last_at(const char *text, size_t len)
{
    while (len > 0)
        if (text[--len] == '@')
            return text + len;
    return NULL;
}

/* user and password are empty strings before. */
static const char *read_url(const char *url, struct addr *a, char *user, char *password)
{
    size_t len, skip = scheme_length(url);
    const char *at, *fault;

    if (!skip)
        return strstr(url, "://") ? "neither socks5:// nor socks5h://, and no other proxy can be used"
                                  : "no scheme: socks5:// comes first";
    url += skip;
    len = strcspn(url, "/?#");
    if (url[len] && strcmp(url + len, "/") != 0)
        return strchr(url + len, '@') ? "user or password needs percent-encoding" : "a path is not allowed";
    at = last_at(url, len);
    if (at) {
        fault = read_credentials(url, (size_t)(at - url), user, password);
        if (fault)
            return fault;
        len -= (size_t)(at - url) + 1;
        url = at + 1;
    }
    return read_server(url, len, a);
}

int conf_parse_url(const char *url, struct addr *proxy, char *user, char *password, const char **fault)
{
    struct addr a;
    char u[CONF_CREDENTIAL_SIZE] = "", p[CONF_CREDENTIAL_SIZE] = "";
    const char *found = read_url(url, &a, u, p);

    if (found) {
        *fault = found;
        return -EINVAL;
    }
    *proxy = a;
    memcpy(user, u, sizeof u);
    memcpy(password, p, sizeof p);
    return 0;
}

bool conf_has_scheme(const char *url)
{
    return scheme_length(url) > 0;
}

int conf_parse_server(const char *text, size_t len, struct addr *proxy, const char **fault)
{
    struct addr a;
    const char *found = read_server(text, len, &a);

    if (found) {
        *fault = found;
        return -EINVAL;
    }
    *proxy = a;
    return 0;
}
