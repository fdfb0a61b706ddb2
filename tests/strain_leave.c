/* SPDX-License-Identifier: ISC */
/* strain_leave.c - out of a resolver call that waits, by siglongjmp() and by cancellation
 *
 * The program is its own name server, one that never answers.  What is resolved after that must not be asked of it.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "strain.h"

enum { PATIENCE_MS = 10000, PORT_DOMAIN = 53 };

static __thread sigjmp_buf out;
static const char *waits;       /* the name that a rule makes direct */

static int serve_nothing(void)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(PORT_DOMAIN),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
        net_die("port 53");
    return fd;
}

static bool asked(int server, int patience)
{
    struct pollfd p = { .fd = server, .events = POLLIN };
    char question[512];
    bool any = poll(&p, 1, patience) == 1;

    while (any && recv(server, question, sizeof question, MSG_DONTWAIT) > 0)
        ;
    return any;
}

/* How a name is resolved that must go to the proxy. */
static void resolve(void *how)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list;
    int error = getaddrinfo("proxied.example", NULL, &hints, &list);

    printf("%s: %s\n", (const char *)how, error == 0 ? "answered here" : gai_strerror(error));
    if (error == 0)
        freeaddrinfo(list);
}

static void wait_for_answer(void)
{
    struct addrinfo *list;

    if (getaddrinfo(waits, NULL, NULL, &list) == 0)
        freeaddrinfo(list);
    puts("it did not wait");
}

static void jump(int number)
{
    (void)number;
    siglongjmp(out, 1);
}

static void *jumper(void *argument)
{
    if (sigsetjmp(out, 1) == 0)
        wait_for_answer();
    resolve(argument);
    return NULL;
}

static void *cancelled(void *argument)
{
    pthread_cleanup_push(resolve, argument);
    wait_for_answer();
    pthread_cleanup_pop(0);
    return NULL;
}

static pthread_t begin(void *(*start)(void *), const char *what, int server)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, start, (void *)what) != 0)
        net_die("pthread_create");
    if (!asked(server, PATIENCE_MS))
        net_die("nobody asked");
    return thread;
}

int strain_leave(char **argv)
{
    int server = serve_nothing();
    pthread_t thread;

    waits = argv[0];
    signal(SIGUSR1, jump);
    thread = begin(jumper, "after siglongjmp()", server);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, NULL);
    thread = begin(cancelled, "in a cleanup handler", server);
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    return 0;
}
