/* SPDX-License-Identifier: ISC */
/* names_diff.c - asks the resolver functions for everything and prints what they say, for a run bare and one under the
 * object to be compared line by line
 *
 * For rows that differ on purpose the bare run prints what is expected of the object, and why.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names_diff.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LABEL_63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"
#define NAME_253 LABEL_63 "." LABEL_63 "." LABEL_63 ".abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrst.test"

/* Of the three families below.  NO_IPV4: glibc gives the address twice where ::1 has the name as well. */
enum { ALL = 7, NO_IPV6 = 3, ONLY_IPV6 = 4, NO_IPV4 = 5 };

static const int family_of[] = { AF_UNSPEC, AF_INET, AF_INET6 };

static const struct {
    const char *node;
    int families;
} nodes[] = {
    { NULL, ALL }, { "", ALL }, { "127.0.0.1", ALL }, { "127.1", ALL }, { "0x7f.1", ALL }, { "0177.0.0.01", ALL },
    { "1", ALL }, { "4294967295", ALL }, { "4294967296", ALL }, { "1.2.3.256", ALL }, { "1.2.3.4.5", ALL },
    { "1.2.3.4.", ALL }, { "08.1", ALL }, { "1.2.65535", ALL }, { "1.2.65536", ALL }, { "::1", ALL },
    { "::ffff:1.2.3.4", ALL }, { "2001:db8::1", ALL }, { "fe80::1%lo", ALL }, { "fe80::1%1", ALL },
    { "fe80::1%nosuch", ALL }, { "::1%1", ALL }, { "::g", ALL }, { "foo:bar", ALL }, { "*", ALL },
    { "a.test", NO_IPV6 }, { "A.Test", NO_IPV6 }, { "a.test.", NO_IPV6 }, { "a.test..", ALL }, { ".a.test", ALL },
    { "a..test", ALL }, { "single", NO_IPV6 }, { "under_score.test", NO_IPV6 }, { "1a.test", NO_IPV6 },
    { "both.test", ONLY_IPV6 }, { "a.nosuch.invalid", ALL }, { "INVALID", ALL }, { "bad name", ALL },
    { "b\xc3\xbc.nosuch", ALL }, { "a!.nosuch", ALL }, { "a/b.nosuch", ALL }, { "localhost", NO_IPV4 },
    { "LocalHost", NO_IPV4 },
    { "hosts4.test", NO_IPV6 }, { "HOSTS4.test", NO_IPV6 }, { "alias4", NO_IPV6 }, { "hosts6.test", ONLY_IPV6 },
    { "hostsboth.test", ALL }, { "loop6.test", NO_IPV6 }, { NAME_253, NO_IPV6 }, { "x" NAME_253, ALL },
    { LABEL_63 ".test", NO_IPV6 }, { LABEL_63 "x.test", ALL },
};

static const char *const services[] = { NULL, "80", "http", "nosuch", "tftp", "domain", "", "0", "65535", "65536", "-1",
                                        "80x", " 80" };

static const int flag_sets[] = {
    0, AI_PASSIVE, AI_CANONNAME, AI_NUMERICHOST, AI_CANONNAME | AI_NUMERICHOST, AI_NUMERICSERV, AI_V4MAPPED,
    AI_V4MAPPED | AI_ALL, AI_ALL, AI_ADDRCONFIG, AI_V4MAPPED | AI_ADDRCONFIG | AI_CANONNAME, 0x10000, AI_IDN,
    AI_IDN | AI_CANONIDN | AI_CANONNAME, AI_CANONIDN,
};

static const int types[] = { 0, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET };
static const int protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };

static void print_text(const char *s)
{
    if (!s) {
        fputs("NULL", stdout);
        return;
    }
    putchar('"');
    for (; *s; s++)
        printf(*s >= ' ' && *s < 0x7f ? "%c" : "\\x%02x", (unsigned char)*s);
    putchar('"');
}

static int is_pool(int family, const unsigned char *p)
{
    if (family == AF_INET)
        return p[0] == 198 && (p[1] & 0xfe) == 18;
    return p[0] == 0xfd;
}

const char *names_address(int family, const void *bytes, char *out)
{
    unsigned char told[16];
    struct in6_addr aligned = IN6ADDR_ANY_INIT;

    memcpy(&aligned, bytes, family == AF_INET ? 4 : 16);
    if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&aligned)) {
        strcpy(out, "::ffff:");
        names_address(AF_INET, aligned.s6_addr + 12, out + 7);
        return out;
    }
    inet_pton(family, family == AF_INET ? NAMES_IPV4 : NAMES_IPV6, told);
    if (is_pool(family, bytes) || memcmp(bytes, told, family == AF_INET ? 4 : 16) == 0)
        return strcpy(out, family == AF_INET ? "<name4>" : "<name6>");
    return inet_ntop(family, &aligned, out, 64);
}

static void print_member(const struct addrinfo *ai)
{
    char text[64];
    const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)ai->ai_addr;
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)ai->ai_addr;

    printf(" {%#x %d %d %d %u ", (unsigned)ai->ai_flags, ai->ai_family, ai->ai_socktype, ai->ai_protocol,
           (unsigned)ai->ai_addrlen);
    if (ai->ai_addr->sa_family == AF_INET)
        printf("%s port %d", names_address(AF_INET, &ipv4->sin_addr, text), ntohs(ipv4->sin_port));
    else
        printf("%s port %d flow %u scope %u", names_address(AF_INET6, &ipv6->sin6_addr, text), ntohs(ipv6->sin6_port),
               (unsigned)ipv6->sin6_flowinfo, (unsigned)ipv6->sin6_scope_id);
    putchar(' ');
    print_text(ai->ai_canonname);
    putchar('}');
}

/* A list may be given back in pieces. */
static void free_in_pieces(struct addrinfo *list)
{
    struct addrinfo *rest = list->ai_next;

    list->ai_next = NULL;
    if (rest)
        freeaddrinfo(rest);
    freeaddrinfo(list);
}

static void row(const char *node, const char *service, const struct addrinfo *hints)
{
    struct addrinfo *list = NULL;
    int error;

    print_text(node);
    putchar(' ');
    print_text(service);
    if (hints)
        printf(" %#x %d %d %d:", (unsigned)hints->ai_flags, hints->ai_family, hints->ai_socktype, hints->ai_protocol);
    else
        fputs(" no hints:", stdout);
    errno = 4711;
    error = getaddrinfo(node, service, hints, &list);
    printf(" %d", error);
    if (error == EAI_SYSTEM)
        printf(" errno %d", errno);
    if (error == 0) {
        for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
            print_member(ai);
        free_in_pieces(list);
    }
    putchar('\n');
}

/* Rows with socket type stream and service 80; the reason stands beside each. */
static const struct {
    const char *node;
    int family, flags;
    const char *expected;
} on_purpose[] = {
    /* one family for AF_UNSPEC, since the proxy chooses the real one */
    { "both.test", AF_UNSPEC, 0, "0 {0 2 1 6 16 <name4> port 80 NULL}" },
    /* every name has an IPv6 address for those who ask for it */
    { "a.test", AF_INET6, 0, "0 {0 10 1 6 28 <name6> port 80 flow 0 scope 0 NULL}" },
    { "a.test", AF_INET6, AI_V4MAPPED | AI_CANONNAME,
      "0 {0xa 10 1 6 28 <name6> port 80 flow 0 scope 0 \"a.test\"}" },
    { "a.test", AF_INET6, AI_V4MAPPED | AI_ALL, "0 {0x18 10 1 6 28 <name6> port 80 flow 0 scope 0 NULL}"
      " {0x18 10 1 6 28 ::ffff:<name4> port 80 flow 0 scope 0 NULL}" },
    /* what is not ASCII is no name, and is not converted; glibc may, by a library and the locale (else -105) */
    { "b\xc3\xbc.nosuch", AF_UNSPEC, AI_IDN, "-2" },
    { "b\xc3\xbc.nosuch", AF_INET, AI_IDN | AI_CANONIDN | AI_CANONNAME, "-2" },
    /* names shorter and longer than the text of the address that they are written over */
    { "x.test", AF_INET6, AI_CANONNAME, "0 {0x2 10 1 6 28 <name6> port 80 flow 0 scope 0 \"x.test\"}" },
    { NAME_253, AF_INET6, AI_CANONNAME, "0 {0x2 10 1 6 28 <name6> port 80 flow 0 scope 0 \"" NAME_253 "\"}" },
    /* glibc gives the address twice where ::1 has the name as well */
    { "localhost", AF_INET, 0, "0 {0 2 1 6 16 127.0.0.1 port 80 NULL}" },
    { "localhost", AF_INET6, AI_V4MAPPED | AI_ALL, "0 {0x18 10 1 6 28 ::1 port 80 flow 0 scope 0 NULL}"
      " {0x18 10 1 6 28 ::ffff:127.0.0.1 port 80 flow 0 scope 0 NULL}" },
    /* never asked of DNS (RFC 6761 section 6.3) */
    { "sub.localhost", AF_UNSPEC, AI_CANONNAME, "0 {0x2 10 1 6 28 ::1 port 80 flow 0 scope 0 \"sub.localhost\"}"
      " {0x2 2 1 6 16 127.0.0.1 port 80 NULL}" },
    { "sub.localhost.", AF_INET, 0, "0 {0 2 1 6 16 127.0.0.1 port 80 NULL}" },
};

static void rows_on_purpose(bool bare)
{
    for (size_t i = 0; i < COUNT(on_purpose); i++) {
        struct addrinfo hints = { .ai_family = on_purpose[i].family, .ai_flags = on_purpose[i].flags,
                                  .ai_socktype = SOCK_STREAM };

        if (bare) {
            print_text(on_purpose[i].node);
            printf(" \"80\" %#x %d 1 0: %s\n", (unsigned)hints.ai_flags, hints.ai_family, on_purpose[i].expected);
        } else {
            row(on_purpose[i].node, "80", &hints);
        }
    }
}

/* twice: see NO_IPV4.  Names that are not ASCII differ with AI_IDN: see on_purpose. */
static void rows_of_node(const char *node, int family, bool twice)
{
    struct addrinfo hints = { .ai_family = family };

    hints.ai_socktype = SOCK_STREAM;
    for (size_t f = 0; f < COUNT(flag_sets); f++) {
        hints.ai_flags = flag_sets[f];
        if (twice && (hints.ai_flags & AI_ALL) && (hints.ai_flags & AI_V4MAPPED))
            continue;
        if (node && node[0] && hints.ai_flags & AI_IDN && (unsigned char)node[1] > 0x7f)
            continue;
        for (size_t s = 0; s < 4; s++)
            row(node, services[s], &hints);
    }
    hints.ai_flags = 0;
    for (size_t t = 0; t < COUNT(types); t++) {
        for (size_t p = 0; p < COUNT(protocols); p++) {
            hints.ai_socktype = types[t];
            hints.ai_protocol = protocols[p];
            for (size_t s = 0; s < COUNT(services); s++)
                row(node, services[s], &hints);
        }
    }
}

void names_addrinfo(bool bare)
{
    struct addrinfo odd = { .ai_family = AF_UNIX };

    rows_on_purpose(bare);
    for (size_t n = 0; n < COUNT(nodes); n++) {
        for (int f = 0; f < 3; f++) {
            if (nodes[n].families >> f & 1)
                rows_of_node(nodes[n].node, family_of[f], nodes[n].families == NO_IPV4);
        }
        row(nodes[n].node, "80", &odd);
        if (nodes[n].families & 1)
            row(nodes[n].node, "80", NULL);
    }
}

int main(int argc, char **argv)
{
    bool bare = argc == 3 && strcmp(argv[2], "bare") == 0;

    if (argc == 3 && strcmp(argv[1], "addrinfo") == 0)
        names_addrinfo(bare);
    else if (argc == 3 && strcmp(argv[1], "calls") == 0)
        names_calls(bare);
    else if (argc == 3 && strcmp(argv[1], "questions") == 0)
        names_questions(bare);
    else if (argc == 3 && strcmp(argv[1], "resolver") == 0)
        return names_resolver(argv[2]);
    else
        return 2;
    return fflush(stdout) == 0 ? 0 : 1;
}
