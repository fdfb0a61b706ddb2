/* SPDX-License-Identifier: ISC */
/* check_assoc_queue.c - datagrams that wait for their association, and what is told to the socket itself meanwhile */
#include <arpa/inet.h>
#include <check.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "assoc_making.h"
#include "real.h"

Suite *make_suite(void);

enum { LARGE = 60000, HEAD_LEN = UDP_HEADER_IPV4 };

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

Suite *make_suite(void)
{
    Suite *suite = suite_create("assoc_queue");
    TCase *tc = tcase_create("assoc_queue");

    tcase_add_test(tc, continuation_without_room_takes_its_beginning_with_it);
    tcase_add_test(tc, datagram_without_room_leaves_what_is_queued);
    tcase_add_test(tc, datagram_of_another_socket_is_not_taken);
    tcase_add_test(tc, socket_with_a_device_is_told_nothing);
    tcase_add_test(tc, ids_of_questions_are_known_until_others_come);
    suite_add_tcase(suite, tc);
    return suite;
}
