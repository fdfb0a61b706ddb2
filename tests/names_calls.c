/* SPDX-License-Identifier: ISC */
/* names_calls.c - all resolver calls but getaddrinfo(), printed for names_diff */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names_diff.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { ROOM = 4096, TYPE_A = 1, TYPE_PTR = 12, TYPE_TXT = 16, TYPE_AAAA = 28, TYPE_HTTPS = 65 };

static void print_host(const struct hostent *h)
{
    char text[64];

    if (!h) {
        printf(" none h_errno %d\n", h_errno);
        return;
    }
    printf(" \"%s\" %d %d", h->h_name, h->h_addrtype, h->h_length);
    for (char **a = h->h_aliases; *a; a++)
        printf(" alias \"%s\"", *a);
    for (char **a = h->h_addr_list; *a; a++)
        printf(" %s", names_address(h->h_addrtype, *a, text));
    putchar('\n');
}

/* The size at which the call succeeds, from none on; everything it returns must lie in the buffer and be aligned. */
static void reentrant(const char *name, int family, bool bare)
{
    static char room[ROOM] __attribute__((aligned(16)));
    struct hostent host, *result = NULL;
    int error = ERANGE, code = 0;

    for (size_t size = 0; size + 1 < ROOM && error == ERANGE; size++) {
        char *buf = room + 1;

        memset(room, '#', ROOM);
        error = family ? gethostbyname2_r(name, family, &host, buf, size, &result, &code)
                       : gethostbyname_r(name, &host, buf, size, &result, &code);
        if (room[0] != '#' || buf[size] != '#' || (error == ERANGE && (result || code != NETDB_INTERNAL)))
            printf("broken at size %zu:", size);
        /* glibc itself does not align the lists of a numeric name. */
        if (!bare && error == 0 && result && ((uintptr_t)host.h_addr_list | (uintptr_t)host.h_aliases) % sizeof(char *))
            printf("not aligned:");
    }
    printf("gethostbyname%s_r %s %d: %d", family ? "2" : "", name, family, error);
    if (!result)
        printf(" code %d\n", code);
    else
        print_host(result);
}

static void by_name(const char *name, bool bare)
{
    h_errno = 77;
    printf("gethostbyname %s:", name);
    print_host(gethostbyname(name));
    reentrant(name, 0, bare);
    reentrant(name, AF_INET, bare);
    printf("gethostbyname2 %s:", name);
    print_host(gethostbyname2(name, AF_INET));
    printf("gethostbyname2 ipv6 %s:", name);
    print_host(gethostbyname2(name, AF_INET6));
    reentrant(name, AF_INET6, bare);
}

static const int flag_sets[] = { 0, NI_NAMEREQD, NI_NUMERICHOST, NI_NUMERICSERV, NI_NOFQDN, NI_DGRAM,
                                 NI_NUMERICHOST | NI_NAMEREQD, 0x8000 };

static void print_back(const struct sockaddr *sa, socklen_t len, int family, const void *bytes)
{
    char host[NI_MAXHOST], service[NI_MAXSERV], text[64];

    for (size_t f = 0; f < COUNT(flag_sets); f++) {
        for (socklen_t size = 0; size <= 10; size++) {
            int error;

            memset(host, 0, sizeof host);
            memset(service, 0, sizeof service);
            error = getnameinfo(sa, len, host, size == 10 ? sizeof host : size, service, sizeof service, flag_sets[f]);
            printf("getnameinfo %s %#x room %u: %d", names_address(family, bytes, text), (unsigned)flag_sets[f],
                   (unsigned)size, error);
            /* Numbers of the pool are not those of the resolver. */
            if (error == 0 && (flag_sets[f] & NI_NUMERICHOST) && text[0] == '<')
                printf(" a number");
            else if (error == 0)
                printf(" \"%s\"", host);
            printf(" \"%s\"\n", error == 0 ? service : "");
        }
        printf("no host: %d", getnameinfo(sa, len, NULL, 0, service, sizeof service, flag_sets[f]));
        printf(" no service: %d", getnameinfo(sa, len, host, sizeof host, NULL, 0, flag_sets[f]));
        printf(" neither: %d short: %d\n", getnameinfo(sa, len, NULL, 0, NULL, 0, flag_sets[f]),
               getnameinfo(sa, len - 6, host, sizeof host, NULL, 0, flag_sets[f]));
    }
}

static void by_bytes(int family, const void *bytes)
{
    static char room[ROOM];
    struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_port = htons(80) };
    struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_port = htons(53) };
    struct hostent host, *result = NULL;
    socklen_t len = family == AF_INET ? 4 : 16;
    int code = 0, error;

    printf("gethostbyaddr:");
    print_host(gethostbyaddr(bytes, len, family));
    error = gethostbyaddr_r(bytes, len, family, &host, room, sizeof room, &result, &code);
    printf("gethostbyaddr_r: %d code %d", error, result ? 0 : code);
    print_host(result);
    memcpy(family == AF_INET ? (void *)&ipv4.sin_addr : (void *)&ipv6.sin6_addr, bytes, len);
    if (family == AF_INET)
        print_back((struct sockaddr *)&ipv4, sizeof ipv4, family, bytes);
    else
        print_back((struct sockaddr *)&ipv6, sizeof ipv6, family, bytes);
}

/* There and back. */
static void by_address(const char *name, int family)
{
    struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM }, *list;
    int error = getaddrinfo(name, NULL, &hints, &list);

    printf("back from %s: %d\n", name, error);
    if (error != 0)
        return;
    if (family == AF_INET)
        by_bytes(family, &((struct sockaddr_in *)list->ai_addr)->sin_addr);
    else
        by_bytes(family, &((struct sockaddr_in6 *)list->ai_addr)->sin6_addr);
    freeaddrinfo(list);
}

static void print_answer(int n, const unsigned char *answer, int type)
{
    char text[64];

    printf(" %d h_errno %d", n < 0 ? n : 0, n < 0 ? h_errno : 0);
    if (n < 0) {
        putchar('\n');
        return;
    }
    printf(" length %d rcode %d answers %d", n, answer[3] & 15, answer[6] << 8 | answer[7]);
    if (type == TYPE_A)
        printf(" %s", names_address(AF_INET, answer + n - 4, text));
    else if (type == TYPE_AAAA)
        printf(" %s", names_address(AF_INET6, answer + n - 16, text));
    putchar('\n');
}

static void questions(const char *name, int type)
{
    struct __res_state state;
    unsigned char answer[1024], query[512];
    int n;

    memset(&state, 0, sizeof state);
    res_ninit(&state);
    printf("res_query %s %d:", name, type);
    n = res_query(name, 1, type, answer, sizeof answer);
    print_answer(n, answer, type);
    printf("res_search %s %d:", name, type);
    n = res_search(name, 1, type, answer, sizeof answer);
    print_answer(n, answer, type);
    printf("res_nquery %s %d:", name, type);
    n = res_nquery(&state, name, 1, type, answer, sizeof answer);
    print_answer(n, answer, type);
    printf("state %d res_nsearch %s %d:", n < 0 ? state.res_h_errno : 0, name, type);
    n = res_nsearch(&state, name, 1, type, answer, sizeof answer);
    print_answer(n, answer, type);
    n = res_mkquery(QUERY, name, 1, type, NULL, 0, NULL, query, sizeof query);
    printf("res_send %s %d:", name, type);
    n = res_send(query, n, answer, sizeof answer);
    print_answer(n, answer, 0);
    printf("same id %d", memcmp(query, answer, 2) == 0);
    n = res_mkquery(QUERY, name, 1, type, NULL, 0, NULL, query, sizeof query);
    n = res_nsend(&state, query, n, answer, sizeof answer);
    printf(" res_nsend:");
    print_answer(n, answer, 0);
    res_nclose(&state);
}

/* The name of the address that a question gave, by another question. */
static void back_by_question(void)
{
    unsigned char answer[1024];
    char reverse[64];
    const unsigned char *ip;
    int n = res_query("a.test", 1, TYPE_A, answer, sizeof answer);

    if (n < 4) {
        puts("no answer to go back from");
        return;
    }
    ip = answer + n - 4;
    snprintf(reverse, sizeof reverse, "%d.%d.%d.%d.in-addr.arpa", ip[3], ip[2], ip[1], ip[0]);
    n = res_query(reverse, 1, TYPE_PTR, answer, sizeof answer);
    printf("back: answers %d", n < 0 ? h_errno : answer[7]);
    if (n > 0 && dn_expand(answer, answer + n, answer + n - 8, reverse, sizeof reverse) == 8)
        printf(" %s", reverse);
    putchar('\n');
}

static void domains(void)
{
    struct __res_state state;
    unsigned char answer[1024];
    char longest[1200];

    memset(&state, 0, sizeof state);
    res_ninit(&state);
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    printf("res_querydomain:");
    print_answer(res_querydomain("a", "test", 1, TYPE_A, answer, sizeof answer), answer, TYPE_A);
    print_answer(res_querydomain("a.test.", NULL, 1, TYPE_A, answer, sizeof answer), answer, TYPE_A);
    print_answer(res_querydomain(longest, "test", 1, TYPE_A, answer, sizeof answer), answer, TYPE_A);
    print_answer(res_nquerydomain(&state, "a", "test", 1, TYPE_A, answer, sizeof answer), answer, TYPE_A);
    print_answer(res_query("a..test", 1, TYPE_A, answer, sizeof answer), answer, TYPE_A);
    print_answer(res_query("a.test", 1, TYPE_A, answer, 5), answer, TYPE_A);
    res_nclose(&state);
}

static volatile sig_atomic_t signalled;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    signalled = info->si_value.sival_int;
}

static int pipe_ends[2];

static void on_thread(union sigval value)
{
    char byte = (char)value.sival_int;

    if (write(pipe_ends[1], &byte, 1) != 1)
        abort();
}

static void print_requests(struct gaicb *const *list, size_t count)
{
    char text[64];

    for (size_t i = 0; i < count; i++) {
        if (!list[i])
            continue;
        printf(" {%s: %d", list[i]->ar_name, gai_error(list[i]));
        if (gai_error(list[i]) == 0) {
            printf(" %s", names_address(AF_INET, &((struct sockaddr_in *)list[i]->ar_result->ai_addr)->sin_addr, text));
            freeaddrinfo(list[i]->ar_result);
        }
        putchar('}');
    }
    putchar('\n');
}

static void batch(int mode, struct sigevent *event)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    struct gaicb one = { .ar_name = "a.test", .ar_service = "80", .ar_request = &hints };
    struct gaicb two = { .ar_name = "no.invalid", .ar_request = &hints };
    struct gaicb three = { .ar_name = "hosts4.test", .ar_request = &hints };
    struct gaicb *list[] = { &one, NULL, &two, &three };
    int error = getaddrinfo_a(mode, list, 4, event);

    printf("getaddrinfo_a %d: %d", mode, error);
    for (size_t i = 0; error == 0 && i < COUNT(list); i++) {
        const struct gaicb *wait[] = { list[i] };

        while (list[i] && gai_error(list[i]) == EAI_INPROGRESS)
            gai_suspend(wait, 1, NULL);
    }
    if (error == 0)
        printf(" cancel %d", gai_cancel(&one) == EAI_ALLDONE);
    else
        printf(" errno %d\n", errno);
    if (error == 0)
        print_requests(list, COUNT(list));
}

static void batches(void)
{
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
    struct sigevent event = { .sigev_notify = SIGEV_NONE };
    sigset_t usr1, kept;
    char byte = 0;

    batch(GAI_WAIT, NULL);
    batch(GAI_NOWAIT, NULL);
    batch(GAI_NOWAIT, &event);
    batch(7, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, &kept);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    event.sigev_value.sival_int = 41;
    batch(GAI_NOWAIT, &event);
    while (!signalled)
        sigsuspend(&kept);
    if (pipe(pipe_ends) != 0)
        abort();
    event.sigev_notify = SIGEV_THREAD;
    event.sigev_notify_function = on_thread;
    event.sigev_value.sival_int = 42;
    batch(GAI_NOWAIT, &event);
    printf("signal %d thread %zd", (int)signalled, read(pipe_ends[0], &byte, 1));
    printf(" %d\n", byte);
}

void names_calls(bool bare)
{
    static const char *const names[] = { "a.test", "A.Test.", "single", "127.0.0.1", "127.1", "::1", "1.2.3.256",
                                         "hosts4.test", "HostsBoth.Test", "nosuch.invalid", "a..test", "loop6.test" };
    static const char *const asked[] = { "a.test", "A.test", "both.test", "no.invalid", "7.113.0.203.in-addr.arpa" };
    static const int types[] = { TYPE_A, TYPE_AAAA, TYPE_TXT, TYPE_HTTPS };

    for (size_t i = 0; i < COUNT(names); i++)
        by_name(names[i], bare);
    by_address("a.test", AF_INET);
    by_address("both.test", AF_INET6);
    by_address("hosts4.test", AF_INET);
    by_address("hosts6.test", AF_INET6);
    by_address("192.0.2.99", AF_INET);
    for (size_t i = 0; i < COUNT(asked); i++) {
        for (size_t t = 0; t < COUNT(types); t++) {
            /* Under the object every name has an IPv6 address. */
            if (types[t] != TYPE_AAAA || strncasecmp(asked[i], "a.", 2) != 0)
                questions(asked[i], types[t]);
        }
    }
    back_by_question();
    domains();
    batches();
}
