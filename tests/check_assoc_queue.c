/* SPDX-License-Identifier: ISC */
/* check_assoc_queue.c - datagrams that wait for their association, and what is told to the socket itself meanwhile */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "assoc_making.h"
#include "real.h"

Suite *make_suite(void);

enum { LARGE = 60000, HEAD_LEN = UDP_HEADER_IPV4, PATIENCE_MS = 5000, V4_FREEBIND = 15, V6_FREEBIND = 78 };

static struct assoc_table table;
static struct assoc_making making;
static struct assoc *place;
static int fd, other;
static uint8_t payload[LARGE];

/* A socket whose association is being made. */
static void begin(void)
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assoc_handle handle;

    real_init();
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    other = socket(AF_INET, SOCK_DGRAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_ge(other, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&here, sizeof here), 0);
    memset(&table, 0, sizeof table);
    ck_assert_int_eq(assoc_attach(&table, fd, AF_INET, &handle), 0);
    place = assoc_of(&table, handle);
    memset(&making, 0, sizeof making);
    making.a = place;
    making.socket = fd;
    atomic_store(&place->making, &making);
}

static void end(void)
{
    atomic_store(&place->making, NULL);
    close(fd);
    close(other);
}

static bool queue(int number, char mark, size_t size, bool begins, bool more)
{
    uint8_t header[HEAD_LEN];
    struct iovec head = { header, begins ? sizeof header : 0 }, piece = { payload, size };
    struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };

    memset(header, mark, sizeof header);
    return assoc_queue(&table, place, number, &head, &m, 0, more);
}

/* The last datagram of the queue. */
static const uint8_t *last(size_t *size)
{
    *size = making.queued[making.count - 1].size;
    return making.room + making.used - *size;
}

START_TEST(continuation_without_room_takes_its_beginning_with_it)
{
    size_t size;

    begin();
    for (int i = 0; i < 4; i++)
        ck_assert(queue(fd, 'a', LARGE, true, false));
    ck_assert(queue(fd, 'a', 15000, true, true));
    ck_assert(atomic_load(&place->more));
    ck_assert_uint_eq(making.count, 5);
    ck_assert(queue(fd, 0, 10000, false, false));
    ck_assert(!atomic_load(&place->more));
    ck_assert_uint_eq(making.count, 4);
    ck_assert_uint_eq(atomic_load(&place->unsent), 1);
    ck_assert(queue(fd, 'b', 100, true, false));
    ck_assert_uint_eq(making.count, 5);
    ck_assert_int_eq(last(&size)[0], 'b');
    ck_assert_uint_eq(size, HEAD_LEN + 100);
    for (unsigned i = 0; i < making.count; i++)
        ck_assert(!making.queued[i].open);
    end();
}
END_TEST

START_TEST(datagram_without_room_leaves_what_is_queued)
{
    begin();
    for (int i = 0; i < 5; i++)
        ck_assert(queue(fd, 'a', LARGE, true, false));
    ck_assert_uint_eq(making.count, 4);
    ck_assert_uint_eq(atomic_load(&place->unsent), 1);
    ck_assert(queue(fd, 'b', 100, true, true));
    ck_assert(queue(fd, 0, 100, false, false));
    ck_assert_uint_eq(making.count, 5);
    ck_assert_uint_eq(making.queued[4].size, HEAD_LEN + 200);
    end();
}
END_TEST

/* The number was closed after its place was looked up, which another socket has by now. */
START_TEST(datagram_of_another_socket_is_not_taken)
{
    begin();
    ck_assert(!queue(other, 'a', 100, true, false));
    ck_assert_uint_eq(making.count, 0);
    ck_assert(!making.accepted);
    end();
}
END_TEST

/* By any but loopback.  Returns false where there is none. */
static bool leave_by_device(void)
{
    struct if_nameindex *devices = if_nameindex();
    bool left = false;

    for (struct if_nameindex *d = devices; d && d->if_index; d++) {
        uint32_t index = htonl(d->if_index);

        left = left || (strcmp(d->if_name, "lo") != 0 &&
                        setsockopt(fd, IPPROTO_IP, IP_UNICAST_IF, &index, sizeof index) == 0);
    }
    if_freenameindex(devices);
    return left;
}

/* A socket with a device would look for its own address there. */
START_TEST(socket_with_a_device_is_told_nothing)
{
    struct iovec piece = { payload, 1 };
    struct addr own;
    char c;

    begin();
    ck_assert(assoc_own_address(&making, &own, false));
    ck_assert(assoc_tell_self(&making, &own, &piece, 1));
    ck_assert_int_eq(recv(fd, &c, 1, MSG_DONTWAIT), 1);
    if (leave_by_device()) {
        ck_assert(!assoc_tell_self(&making, &own, &piece, 1));
        ck_assert_int_eq(recv(fd, &c, 1, MSG_DONTWAIT), -1);
    }
    end();
}
END_TEST

/* What is sent there would leave: an address of nobody's here, which IP_FREEBIND and IPV6_FREEBIND let be bound, and
 * needs no more once it is; and a group. */
START_TEST(socket_with_an_address_of_elsewhere_is_told_nothing)
{
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr("198.51.100.7") };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr.s6_addr = { 0x20, 1, 0x0d, 0xb8, [15] = 7 } };
    struct addr own;
    int one = 1, zero = 0;

    begin();
    making.socket = socket(_i == 2 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    if (_i == 1)
        four.sin_addr.s_addr = inet_addr("239.1.2.3");
    atomic_store(&place->cookie, real_cookie(making.socket));
    if (_i == 2) {
        ck_assert_int_eq(setsockopt(making.socket, IPPROTO_IPV6, V6_FREEBIND, &one, sizeof one), 0);
        ck_assert_int_eq(bind(making.socket, (struct sockaddr *)&six, sizeof six), 0);
    } else {
        ck_assert_int_eq(setsockopt(making.socket, IPPROTO_IP, V4_FREEBIND, &one, sizeof one), 0);
        ck_assert_int_eq(bind(making.socket, (struct sockaddr *)&four, sizeof four), 0);
        ck_assert_int_eq(setsockopt(making.socket, IPPROTO_IP, V4_FREEBIND, &zero, sizeof zero), 0);
    }
    ck_assert(!assoc_own_address(&making, &own, false));
    ck_assert(!assoc_own_address(&making, &own, true));
    close(making.socket);
    end();
}
END_TEST

/* Somebody else reads or writes what is known of sources, and does not come to an end. */
START_TEST(own_address_is_not_taken_for_a_strangers_meanwhile)
{
    const struct addr own = { .kind = ADDR_IPV4, .port = 7, .ip = { 127, 0, 0, 1 } };
    struct addr source = own;

    begin();
    atomic_store(&place->busy, true);
    ck_assert(!assoc_self_set(place, &own));
    ck_assert(!assoc_is_self(place, &own));
    atomic_store(&place->busy, false);
    ck_assert(assoc_self_set(place, &own));
    atomic_store(&place->busy, true);
    ck_assert(assoc_is_self(place, &own));
    source.port = 8;
    ck_assert(!assoc_is_self(place, &source));
    atomic_store(&place->busy, false);
    ck_assert(assoc_is_self(place, &own));
    source = own;
    source.ip[3] = 2;
    ck_assert(!assoc_is_self(place, &source));
    end();
}
END_TEST

START_TEST(ids_of_questions_are_known_until_others_come)
{
    begin();
    ck_assert(!assoc_id_is(place, (const uint8_t *)"\0\0"));
    assoc_id_add(place, (const uint8_t *)"\1\0");
    ck_assert(assoc_id_is(place, (const uint8_t *)"\1\0"));
    ck_assert(!assoc_id_is(place, (const uint8_t *)"\0\1"));
    ck_assert(!assoc_id_is(place, (const uint8_t *)"\0\0"));
    for (uint8_t i = 0; i < ASSOC_IDS - 1; i++)
        assoc_id_add(place, (const uint8_t[]){ 2, i });
    ck_assert(assoc_id_is(place, (const uint8_t *)"\1\0"));
    assoc_id_add(place, (const uint8_t *)"\3\0");
    ck_assert(!assoc_id_is(place, (const uint8_t *)"\1\0"));
    ck_assert(assoc_id_is(place, (const uint8_t *)"\2\0"));
    end();
}
END_TEST

/* The socket has room for one datagram. */
static long (*kernel)(long, ...);
static unsigned sent;

static long filling(long number, ...)
{
    long value[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        value[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_sendmsg && ++sent > 1) {
        errno = EAGAIN;
        return -1;
    }
    return kernel(number, value[0], value[1], value[2], value[3], value[4], value[5]);
}

/* The proxy's end of a control connection says something, and the association goes on with it. */
static void proxy_says(int peer, const void *what, size_t len)
{
    struct pollfd p = { .fd = peer, .events = POLLIN };
    uint8_t heard[64];

    ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
    ck_assert_int_gt((int)recv(peer, heard, sizeof heard, 0), 0);
    ck_assert_int_eq((int)send(peer, what, len, 0), (int)len);
    p.fd = atomic_load(&place->control);
    ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
    assoc_tend(&table);
}

static int bound_here(int s, struct sockaddr_in *here)
{
    socklen_t len = sizeof *here;

    *here = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    ck_assert_int_eq(bind(s, (struct sockaddr *)here, len), 0);
    ck_assert_int_eq(getsockname(s, (struct sockaddr *)here, &len), 0);
    return s;
}

/* Only part of the queue has gone out, and the relay may have answered that: it is known, and not to be sent to yet. */
START_TEST(relay_is_known_while_the_queue_is_on_its_way)
{
    static const struct conf_proxy account;
    uint8_t reply[] = { 5, 0, 0, 1, 127, 0, 0, 1, 0, 0 }, came[HEAD_LEN + 1];
    struct assoc_request q = { .account = &account, .limits = { 60000, 60000 } };
    struct sockaddr_in at, relay;
    struct assoc_facts f;
    struct addr proxy;
    int listener, peer;

    begin();
    atomic_store(&place->making, NULL);
    listener = bound_here(socket(AF_INET, SOCK_STREAM, 0), &at);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(addr_from_sockaddr((struct sockaddr *)&at, sizeof at, &proxy), 0);
    bound_here(other, &relay);
    memcpy(reply + 8, &relay.sin_port, sizeof relay.sin_port);
    q.fd = fd;
    q.proxy = &proxy;
    ck_assert_int_eq(assoc_ready(&table, place, &q), -EINPROGRESS);
    ck_assert(queue(fd, 'a', 1, true, false) && queue(fd, 'b', 1, true, false));
    peer = accept(listener, NULL, NULL);
    ck_assert_int_ge(peer, 0);
    assoc_tend(&table);
    proxy_says(peer, "\5", 2);
    kernel = real.syscall;
    real.syscall = filling;
    proxy_says(peer, reply, sizeof reply);
    ck_assert_int_eq((int)recv(other, came, sizeof came, MSG_DONTWAIT), (int)sizeof came);
    ck_assert_int_eq(came[0], 'a');
    ck_assert(assoc_is_made(place));
    ck_assert(assoc_facts(place, false, &f));
    ck_assert(assoc_address_equal(&f.relay, (struct sockaddr *)&relay, sizeof relay));
    ck_assert_uint_eq(f.alive, 0);
    real.syscall = kernel;
    assoc_tend(&table);
    ck_assert(assoc_facts(place, false, &f));
    ck_assert_uint_eq(f.alive, 1);
    ck_assert_int_eq((int)recv(other, came, sizeof came, MSG_DONTWAIT), (int)sizeof came);
    ck_assert_int_eq(came[0], 'b');
    close(peer);
    close(listener);
    end();
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("assoc_queue");
    TCase *tc = tcase_create("assoc_queue");

    tcase_add_test(tc, continuation_without_room_takes_its_beginning_with_it);
    tcase_add_test(tc, datagram_without_room_leaves_what_is_queued);
    tcase_add_test(tc, datagram_of_another_socket_is_not_taken);
    tcase_add_test(tc, socket_with_a_device_is_told_nothing);
    tcase_add_loop_test(tc, socket_with_an_address_of_elsewhere_is_told_nothing, 0, 3);
    tcase_add_test(tc, own_address_is_not_taken_for_a_strangers_meanwhile);
    tcase_add_test(tc, ids_of_questions_are_known_until_others_come);
    tcase_add_test(tc, relay_is_known_while_the_queue_is_on_its_way);
    suite_add_tcase(suite, tc);
    return suite;
}
