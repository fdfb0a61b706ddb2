/* SPDX-License-Identifier: ISC */
/* check_assoc_stream.c - DNS questions by TCP: each step of a connection whose other end is here */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "addr_at.h"
#include "assoc_making.h"
#include "bytes.h"
#include "clock.h"
#include "real.h"

Suite *make_suite(void);

enum { PATIENCE_MS = 5000, LONG_MS = 60000 };
enum { PREFIX = 2, FLAGS_AT = 2, COUNTS_AT = 4, ROOM = UINT16_MAX, GARBAGE = 6000 };

struct message {
    size_t len;
    uint8_t bytes[ROOM];
};

static struct assoc_table table;
static struct assoc_making *making;
static struct assoc *place;
static const struct conf_proxy account;
static int fd, listener, peer;
static struct addr server;

static int socket_here(int type, struct sockaddr_in *sa)
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof here;
    int s = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(s, 0);
    ck_assert_int_eq(bind(s, (struct sockaddr *)&here, sizeof here), 0);
    ck_assert_int_eq(getsockname(s, (struct sockaddr *)&here, &len), 0);
    if (sa)
        *sa = here;
    return s;
}

/* A socket whose questions go by TCP from now on, and a proxy. */
static void begin(void)
{
    struct sockaddr_in proxy;
    assoc_handle handle;

    real_init();
    fd = socket_here(SOCK_DGRAM, NULL);
    listener = socket_here(SOCK_STREAM, &proxy);
    ck_assert_int_eq(listen(listener, 8), 0);
    server = at("127.0.0.2", 53);
    memset(&table, 0, sizeof table);
    ck_assert_int_eq(assoc_attach(&table, fd, AF_INET, &handle), 0);
    place = assoc_of(&table, handle);
    making = assoc_making_map();
    ck_assert_ptr_nonnull(making);
    making->a = place;
    making->socket = dup(fd);
    making->account = &account;
    making->asks = true;
    making->limits = (struct tunnel_limits){ LONG_MS, LONG_MS };
    addr_from_sockaddr((struct sockaddr *)&proxy, sizeof proxy, &making->proxy);
    table.making = making;
    atomic_store(&table.made_now, 1);
    atomic_store(&place->making, making);
    assoc_stream_begin(&table, making);
}

static bool lasts(void)
{
    return assoc_making_of(place) == making;
}

static void end(void)
{
    if (lasts())
        assoc_making_abort(&table, making);
    ck_assert_int_lt(atomic_load(&place->control), 0);
    munmap(making, sizeof *making);
    close(fd);
    close(listener);
}

static void await(int s, short events)
{
    struct pollfd p = { .fd = s, .events = events };

    ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
}

/* Once the connection has something to do. */
static void step(void)
{
    await(atomic_load(&place->control), assoc_making_events(making));
    assoc_making_step(&table, making);
}

/* edns: the size that it tells; 0: none. */
static void ask(uint16_t id, const char *name, uint16_t edns)
{
    uint8_t header[UDP_HEADER_MAX], query[DNS_QUERY_MAX + DNS_OPT_SIZE];
    struct iovec head = { header, udp_header_put(&server, header) };
    int len = dns_query(id, name, DNS_A, DNS_IN, query);
    struct iovec piece = { query, (size_t)len + (edns ? DNS_OPT_SIZE : 0) };
    struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };

    ck_assert_int_gt(len, 0);
    if (edns) {
        memset(query + len, 0, DNS_OPT_SIZE);
        query[len + 2] = DNS_OPT;
        bytes_put16(query + len + 3, edns);
        bytes_put16(query + DNS_HEADER_SIZE - 2, 1);
    }
    ck_assert(assoc_queue(&table, place, fd, &head, &m, 0, false));
}

static void expect(const void *bytes, size_t len)
{
    uint8_t got[64];

    ck_assert_int_eq(recv(peer, got, len, MSG_WAITALL), (ssize_t)len);
    ck_assert_mem_eq(got, bytes, len);
}

static void put(const void *bytes, size_t len)
{
    ck_assert_int_eq(send(peer, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* The proxy's part, up to where the server's begins. */
static void serve(void)
{
    const struct timeval patience = { PATIENCE_MS / 1000, 0 };
    uint8_t request[10] = { 5, 1, 0, 1 };
    int room = 4 * ROOM, on = 1;

    await(listener, POLLIN);
    peer = accept(listener, NULL, NULL);
    ck_assert_int_ge(peer, 0);
    setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while (making->connecting)
        step();
    expect("\5\1\0", 3);
    put("\5\0", 2);
    step();
    memcpy(request + 4, server.ip, 4);
    bytes_put16(request + 8, server.port);
    expect(request, sizeof request);
    put("\5\0\0\1\0\0\0\0\0\0", 10);
    step();
}

/* What the server is asked next. */
static void take_question(uint16_t id, struct message *q)
{
    uint8_t prefix[PREFIX];

    ck_assert_int_eq(recv(peer, prefix, PREFIX, MSG_WAITALL), PREFIX);
    q->len = bytes_get16(prefix);
    ck_assert_int_eq(recv(peer, q->bytes, q->len, MSG_WAITALL), (ssize_t)q->len);
    ck_assert_uint_eq(bytes_get16(q->bytes), id);
}

/* An answer to it of len bytes, with its prefix; len 0: as long as the question.  Returns that length. */
static size_t make_answer(const struct message *q, size_t len, uint8_t *out)
{
    size_t whole = len ? len : q->len;

    memset(out, 0, PREFIX + whole);
    bytes_put16(out, (uint16_t)whole);
    memcpy(out + PREFIX, q->bytes, q->len);
    out[PREFIX + FLAGS_AT] |= DNS_QR >> 8;
    return whole;
}

static void put_answer(const struct message *q, size_t len)
{
    static uint8_t out[PREFIX + ROOM];

    put(out, PREFIX + make_answer(q, len, out));
}

/* What the program gets: from that server, an answer with that id.  Returns its length. */
static size_t take_answer(uint16_t id, uint8_t *out)
{
    static uint8_t got[UDP_HEADER_IPV4 + ROOM];
    ssize_t n = recv(fd, got, sizeof got, MSG_DONTWAIT);
    struct addr from;

    ck_assert_int_gt(n, UDP_HEADER_IPV4 + DNS_HEADER_SIZE);
    ck_assert_int_eq(udp_header_get(got, (size_t)n, &from), UDP_HEADER_IPV4);
    ck_assert(addr_equal(&from, &server));
    memcpy(out, got + UDP_HEADER_IPV4, (size_t)n - UDP_HEADER_IPV4);
    ck_assert_uint_eq(bytes_get16(out), id);
    ck_assert(out[FLAGS_AT] & DNS_QR >> 8);
    return (size_t)n - UDP_HEADER_IPV4;
}

static void take_nothing(void)
{
    char c;

    ck_assert_int_eq(recv(fd, &c, 1, MSG_DONTWAIT), -1);
}

static void take_failure(uint16_t id)
{
    static uint8_t got[ROOM];

    take_answer(id, got);
    ck_assert_int_eq(dns_message_rcode(got), DNS_SERVFAIL);
}

static struct message first, second;
static uint8_t answer[ROOM], whole[PREFIX + ROOM];

START_TEST(answer_may_be_split_anywhere)
{
    size_t size = PREFIX + DNS_HEADER_SIZE + 1;

    for (size_t at = 1; at < size; at++) {
        begin();
        ask(0x1234, "name.test", 0);
        serve();
        take_question(0x1234, &first);
        size = PREFIX + make_answer(&first, 0, whole);
        put(whole, at);
        step();
        ck_assert(lasts());
        take_nothing();
        put(whole + at, size - at);
        step();
        ck_assert(!lasts());
        ck_assert_uint_eq(take_answer(0x1234, answer), first.len);
        ck_assert_mem_eq(answer, whole + PREFIX, first.len);
        close(peer);
        end();
    }
}
END_TEST

START_TEST(answer_may_come_byte_by_byte)
{
    size_t size;

    begin();
    ask(1, "name.test", 0);
    serve();
    take_question(1, &first);
    size = PREFIX + make_answer(&first, 0, whole);
    for (size_t i = 0; i < size; i++) {
        ck_assert(lasts());
        put(whole + i, 1);
        step();
    }
    ck_assert(!lasts());
    ck_assert_uint_eq(take_answer(1, answer), first.len);
    close(peer);
    end();
}
END_TEST

/* Sizes about what the asker takes, and what a datagram with a header holds. */
START_TEST(answer_that_is_too_long_is_cut)
{
    const struct { uint16_t edns; size_t len; bool cut; } row[] = {
        { 0, 512, false }, { 0, 513, true }, { 1232, 1232, false }, { 1232, 1233, true }, { 100, 512, false },
        { ROOM, 65000, false }, { ROOM, 65001, true }, { ROOM, ROOM, true }
    };
    const size_t question = DNS_HEADER_SIZE + sizeof "\4name\4test" + 4;

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        begin();
        ask(1, "name.test", row[i].edns);
        serve();
        take_question(1, &first);
        put_answer(&first, row[i].len);
        while (lasts())
            step();
        ck_assert_uint_eq(take_answer(1, answer), row[i].cut ? question : row[i].len);
        ck_assert_int_eq((answer[FLAGS_AT] & DNS_TC >> 8) != 0, row[i].cut);
        take_nothing();
        close(peer);
        end();
    }
}
END_TEST

/* Two questions, which the server has. */
static void ask_two(void)
{
    begin();
    ask(1, "first.test", 0);
    ask(2, "second.test", 0);
    serve();
    take_question(1, &first);
    take_question(2, &second);
}

START_TEST(answers_may_come_in_the_other_order)
{
    size_t len;

    ask_two();
    len = PREFIX + make_answer(&second, 0, whole);
    len += PREFIX + make_answer(&first, 0, whole + len);
    put(whole, len);
    step();
    ck_assert(!lasts());
    ck_assert_uint_eq(take_answer(2, answer), second.len);
    ck_assert_uint_eq(take_answer(1, answer), first.len);
    close(peer);
    end();
}
END_TEST

START_TEST(what_nobody_asked_for_is_ignored)
{
    /* Nothing, too little, half a header, a question. */
    static const char odd[] = "\0\0" "\0\3abc" "\0\13\0\1\200\0\0\1\0\0\0\0\0" "\0\14\0\1\0\0\0\0\0\0\0\0\0\0";
    size_t len;

    begin();
    ask(1, "name.test", 0);
    serve();
    take_question(1, &first);
    second = first;
    bytes_put16(second.bytes, 2);
    len = PREFIX + make_answer(&second, 0, whole);
    memcpy(whole + len, odd, sizeof odd - 1);
    put(whole, len + sizeof odd - 1);
    step();
    ck_assert(lasts());
    ck_assert_uint_eq(making->got, 0);
    take_nothing();
    put_answer(&first, 0);
    step();
    ck_assert(!lasts());
    take_answer(1, answer);
    take_nothing();
    close(peer);
    end();
}
END_TEST

/* RFC 7766 section 7: by id and question, where it has one. */
START_TEST(answer_belongs_to_its_question)
{
    size_t len;

    begin();
    ask(1, "first.test", 0);
    ask(1, "second.test", 4096);
    serve();
    take_question(1, &first);
    take_question(1, &second);
    first.bytes[DNS_HEADER_SIZE + 1] = 'x';
    second.bytes[DNS_HEADER_SIZE + 1] = 'S';
    len = PREFIX + make_answer(&first, 0, whole);
    len += PREFIX + make_answer(&second, 600, whole + len);
    put(whole, len);
    step();
    ck_assert(lasts());
    ck_assert_uint_eq(take_answer(1, answer), 600);
    take_nothing();
    close(peer);
    /* The other one is asked again. */
    step();
    serve();
    take_question(1, &first);
    ck_assert_uint_eq(first.bytes[DNS_HEADER_SIZE + 1], 'f');
    bytes_put16(first.bytes + COUNTS_AT, 0);
    put_answer(&first, DNS_HEADER_SIZE + 1);
    step();
    ck_assert(!lasts());
    take_answer(1, answer);
    close(peer);
    end();
}
END_TEST

START_TEST(end_in_the_middle_fails_what_is_asked)
{
    for (size_t at = 0; at < PREFIX + DNS_HEADER_SIZE; at++) {
        ask_two();
        make_answer(&first, 0, whole);
        if (at)
            put(whole, at);
        close(peer);
        while (lasts())
            step();
        take_failure(1);
        take_failure(2);
        take_nothing();
        end();
    }
}
END_TEST

START_TEST(end_behind_an_answer_has_the_rest_asked_anew)
{
    size_t len;

    ask_two();
    len = PREFIX + make_answer(&second, 0, whole);
    whole[len] = 0;
    put(whole, len + 1);
    close(peer);
    while (making->talks)
        step();
    ck_assert(lasts());
    take_answer(2, answer);
    serve();
    take_question(1, &first);
    close(peer);
    step();
    ck_assert(!lasts());
    take_failure(1);
    take_nothing();
    end();
}
END_TEST

START_TEST(silence_fails_and_the_next_server_is_asked)
{
    struct addr other = at("127.0.0.3", 53), mute;

    begin();
    mute = server;
    ask(1, "first.test", 0);
    server = other;
    ask(2, "second.test", 0);
    server = mute;
    ask(3, "third.test", 0);
    serve();
    take_question(1, &first);
    making->deadline = clock_ms();
    assoc_making_step(&table, making);
    take_failure(1);
    take_failure(3);
    take_nothing();
    close(peer);
    server = other;
    serve();
    take_question(2, &second);
    put_answer(&second, 0);
    step();
    ck_assert(!lasts());
    take_answer(2, answer);
    close(peer);
    end();
}
END_TEST

/* A server that talks without an end keeps nobody for longer than it may be silent. */
START_TEST(garbage_without_an_end_is_read_for_a_while)
{
    int left = 0;

    begin();
    ask(1, "name.test", 0);
    serve();
    take_question(1, &first);
    memset(whole, 0, GARBAGE);
    put(whole, GARBAGE);
    step();
    ck_assert(lasts());
    ck_assert_int_eq(ioctl(atomic_load(&place->control), FIONREAD, &left), 0);
    ck_assert_int_gt(left, 0);
    making->deadline = clock_ms();
    step();
    ck_assert(!lasts());
    take_failure(1);
    close(peer);
    end();
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("assoc_stream");
    TCase *tc = tcase_create("assoc_stream");

    tcase_add_test(tc, answer_may_be_split_anywhere);
    tcase_add_test(tc, answer_may_come_byte_by_byte);
    tcase_add_test(tc, answer_that_is_too_long_is_cut);
    tcase_add_test(tc, answers_may_come_in_the_other_order);
    tcase_add_test(tc, what_nobody_asked_for_is_ignored);
    tcase_add_test(tc, answer_belongs_to_its_question);
    tcase_add_test(tc, end_in_the_middle_fails_what_is_asked);
    tcase_add_test(tc, end_behind_an_answer_has_the_rest_asked_anew);
    tcase_add_test(tc, silence_fails_and_the_next_server_is_asked);
    tcase_add_test(tc, garbage_without_an_end_is_read_for_a_while);
    suite_add_tcase(suite, tc);
    return suite;
}
