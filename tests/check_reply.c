/* SPDX-License-Identifier: ISC */
/* check_reply.c - REP octets against RFC 1928 section 6 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "reply.h"

Suite *make_suite(void);

static const struct {
    int rep, error;
    const char *text;
} vectors[] = {
    { 0, 0, "succeeded" },
    { 1, -ECONNREFUSED, "general" },
    { 2, -EACCES, "ruleset" },
    { 3, -ENETUNREACH, "network" },
    { 4, -EHOSTUNREACH, "host" },
    { 5, -ECONNREFUSED, "refused" },
    { 6, -ETIMEDOUT, "ttl" },
    { 7, -EOPNOTSUPP, "command" },
    { 8, -EAFNOSUPPORT, "address type" },
    { 9, -ECONNREFUSED, "unassigned" },
    { 0x5b, -ECONNREFUSED, "unassigned" },
    { 0xff, -ECONNREFUSED, "unassigned" }
};

START_TEST(reply_code_known_maps)
{
    uint8_t rep = (uint8_t)vectors[_i].rep;

    ck_assert_int_eq(reply_errno(rep), vectors[_i].error);
    ck_assert_msg(strstr(reply_text(rep), vectors[_i].text) != NULL, "%d is \"%s\"", rep, reply_text(rep));
}
END_TEST

START_TEST(reply_code_any_is_error_with_plain_text)
{
    for (int rep = 1; rep < 256; rep++) {
        const char *p = reply_text((uint8_t)rep);

        ck_assert_int_lt(reply_errno((uint8_t)rep), 0);
        ck_assert_uint_gt(strlen(p), 0);
        for (; *p != '\0'; p++)
            ck_assert_msg(*p == ' ' || (*p >= 'a' && *p <= 'z'), "%d has '%c'", rep, *p);
    }
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("reply");
    TCase *tc = tcase_create("codes");

    tcase_add_loop_test(tc, reply_code_known_maps, 0, (int)(sizeof(vectors) / sizeof(vectors[0])));
    tcase_add_test(tc, reply_code_any_is_error_with_plain_text);
    suite_add_tcase(suite, tc);
    return suite;
}
