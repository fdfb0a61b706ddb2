/* SPDX-License-Identifier: ISC */
/* check_message.c - control messages are found as the kernel finds them, and never beyond their memory */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../src/io/message.h"

enum { FIRST = 3, SECOND = 8 };     /* bytes of data */

static union {
    struct cmsghdr header;
    unsigned char bytes[256];
} control;

static struct cmsghdr *put(size_t at, size_t data, int type)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)(control.bytes + at);

    c->cmsg_len = CMSG_LEN(data);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = type;
    return c;
}

START_TEST(messages_come_in_their_order)
{
    struct msghdr m = { .msg_control = &control, .msg_controllen = CMSG_SPACE(FIRST) + CMSG_SPACE(SECOND) };
    struct cmsghdr *one = put(0, FIRST, 1), *two = put(CMSG_SPACE(FIRST), SECOND, 2), *c;
    size_t len = 0;

    c = message_control(&m, NULL, &len);
    ck_assert_ptr_eq(c, one);
    ck_assert_uint_eq(len, CMSG_LEN(FIRST));
    c = message_control(&m, c, &len);
    ck_assert_ptr_eq(c, two);
    ck_assert_uint_eq(len, CMSG_LEN(SECOND));
    ck_assert_ptr_null(message_control(&m, c, &len));
}
END_TEST

START_TEST(last_message_needs_no_padding)
{
    struct msghdr m = { .msg_control = &control, .msg_controllen = CMSG_LEN(FIRST) };
    struct cmsghdr *one = put(0, FIRST, 1);
    size_t len = 0;

    ck_assert_ptr_eq(message_control(&m, NULL, &len), one);
    ck_assert_ptr_null(message_control(&m, one, &len));
}
END_TEST

/* The length that the first message says, and how much memory there is. */
static const struct { size_t says, room; } wrong[] = {
    { 0, 64 }, { sizeof(struct cmsghdr) - 1, 64 }, { 65, 64 }, { SIZE_MAX, 64 }, { SIZE_MAX - 7, 64 },
    { CMSG_LEN(4), sizeof(struct cmsghdr) - 1 }, { CMSG_LEN(4), CMSG_LEN(4) - 1 }, { CMSG_LEN(4), 0 },
};

START_TEST(message_of_a_wrong_length_ends_the_walk)
{
    struct msghdr m = { .msg_control = &control, .msg_controllen = wrong[_i].room };
    size_t len = 77;

    put(0, 0, 1)->cmsg_len = wrong[_i].says;
    ck_assert_ptr_null(message_control(&m, NULL, &len));
    ck_assert_uint_eq(len, 77);
}
END_TEST

START_TEST(no_memory_holds_no_message)
{
    struct msghdr m = { .msg_control = NULL, .msg_controllen = 64 };
    size_t len = 0;

    ck_assert_ptr_null(message_control(&m, NULL, &len));
}
END_TEST

/* In a program of glibc's all of a length counts, as for the kernel. */
START_TEST(lengths_of_glibc_stay_as_they_are)
{
    struct msghdr m = { .msg_iovlen = SIZE_MAX - 1, .msg_controllen = SIZE_MAX - 2 };

    message_trim(&m);
    ck_assert_uint_eq(m.msg_iovlen, SIZE_MAX - 1);
    ck_assert_uint_eq(m.msg_controllen, SIZE_MAX - 2);
}
END_TEST

Suite *make_suite(void);

Suite *make_suite(void)
{
    Suite *s = suite_create("message");
    TCase *t = tcase_create("message");

    tcase_add_test(t, messages_come_in_their_order);
    tcase_add_test(t, last_message_needs_no_padding);
    tcase_add_loop_test(t, message_of_a_wrong_length_ends_the_walk, 0, (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(t, no_memory_holds_no_message);
    tcase_add_test(t, lengths_of_glibc_stay_as_they_are);
    suite_add_tcase(s, t);
    return s;
}
