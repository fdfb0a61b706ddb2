/* SPDX-License-Identifier: ISC */
/* check_envlist.c - which variables are carried, and how they join an environment */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "envlist.h"

#define OBJECT "/usr/lib/socksify/libsocksify.so"
#define OBJECT32 "/usr/lib/socksify/libsocksify32.so"

/* What must not stand beside an object: itself does. */
static const char *const all[] = { OBJECT, OBJECT32 };

#define PRELOAD(object) (&(const struct envlist_preload){ (object), all, sizeof all / sizeof all[0] })

/* The process ends with the test: what stays reachable until then is no leak. */
static void *keep(void *p)
{
    static void *kept[32];
    static size_t count;

    ck_assert_uint_lt(count, sizeof kept / sizeof kept[0]);
    kept[count++] = p;
    return p;
}

/* Environments are written in one string, variables parted by '|'. */
static char **split(const char *text)
{
    char *copy = keep(strdup(text)), **env = keep(calloc(strlen(text) + 2, sizeof *env));
    size_t n = 0;

    for (char *word = strtok(copy, "|"); word; word = strtok(NULL, "|"))
        env[n++] = word;
    return env;
}

static void expect(char *const env[], size_t count, const char *text)
{
    char **expected = split(text);
    size_t n = 0;

    for (; expected[n]; n++) {
        ck_assert_msg(n < count, "%s is missing", expected[n]);
        ck_assert_str_eq(env[n], expected[n]);
    }
    ck_assert_msg(n == count, "%s is too many", n < count ? env[n] : "");
}

static const struct envlist_found nothing = { .state = NULL };

static struct envlist collected(const char *env, const char *state, const char *conf)
{
    const struct envlist_found found = { .state = state, .conf = conf };
    char **split_env = split(env);
    struct envlist l;
    void *memory = keep(malloc(envlist_size(split_env, &found)));    /* exact: the sanitizer sees a byte too many */

    envlist_collect(&l, split_env, &found, memory);
    return l;
}

static const struct { const char *env, *state, *carried, *conf; } collections[] = {
    { "", NULL, "", NULL },
    { "PATH=/bin|HOME=/", "", "", NULL },
    { "SOCKSIFY_PROXY=x|PATH=/bin|SOCKSIFY_DIRECT=", NULL, "SOCKSIFY_PROXY=x|SOCKSIFY_DIRECT=", NULL },
    { "SOCKSIFY_X=a=b|SOCKSIFY_X=c|SOCKSIFY_NONSENSE|XSOCKSIFY_Y=1|socksify_z=1", NULL, "SOCKSIFY_X=a=b", NULL },
    { "SOCKSIFY_PROXY=socks5://h", "/run/s", "SOCKSIFY_PROXY=socks5://h|SOCKSIFY_STATE=/run/s", NULL },
    { "SOCKSIFY_STATE=/old|SOCKSIFY_STATES=1", "/new", "SOCKSIFY_STATES=1|SOCKSIFY_STATE=/new", NULL },
    { "SOCKSIFY_STATE=/old", NULL, "SOCKSIFY_STATE=/old", NULL },
    { "SOCKS5_SERVER=a|SOCKS_SERVER=b|ALL_PROXY=socks5://c", NULL, "SOCKS5_SERVER=a", NULL },
    { "SOCKS5_SERVER=|SOCKS_SERVER=b|ALL_PROXY=socks5://c", NULL, "SOCKS_SERVER=b", NULL },
    { "ALL_PROXY=http://c|all_proxy=socks5://d", NULL, "all_proxy=socks5://d", NULL },
    { "ALL_PROXY=socks5h://c|all_proxy=socks5://d", NULL, "ALL_PROXY=socks5h://c", NULL },
    { "ALL_PROXY=http://c|HTTP_PROXY=http://c", NULL, "", NULL },
    { "SOCKSIFY_PROXY=socks5://h|ALL_PROXY=socks5://c|SOCKS5_SERVER=a", NULL, "SOCKSIFY_PROXY=socks5://h", NULL },
    { "SOCKSIFY_PROXY=|ALL_PROXY=socks5://c", NULL, "SOCKSIFY_PROXY=|ALL_PROXY=socks5://c", NULL },
    { "SOCKS5_USER=u|SOCKS5_PASSWORD=p|SOCKS5_PASSWD=q", NULL, "SOCKS5_USER=u|SOCKS5_PASSWORD=p", NULL },
    { "SOCKS5_USER=u|SOCKS5_PASSWD=q", NULL, "SOCKS5_USER=u|SOCKS5_PASSWD=q", NULL },
    { "SOCKSIFY_USER=v|SOCKS5_USER=u|SOCKSIFY_PASSWORD_FILE=/f|SOCKS5_PASSWD=q", NULL,
      "SOCKSIFY_USER=v|SOCKSIFY_PASSWORD_FILE=/f", NULL },
    { "SOCKS_USERNAME=u|SOCKS_PASSWORD=p|SOCKS_PASSWORDS=q", NULL, "SOCKS_USERNAME=u|SOCKS_PASSWORD=p", NULL },
    { "SOCKS5_USER=u|SOCKS5_PASSWD=q|SOCKS_USERNAME=v|SOCKS_PASSWORD=p", NULL, "SOCKS5_USER=u|SOCKS5_PASSWD=q", NULL },
    { "SOCKSIFY_USER=v|SOCKSIFY_PASSWORD=q|SOCKS_USERNAME=u|SOCKS_PASSWORD=p", NULL,
      "SOCKSIFY_USER=v|SOCKSIFY_PASSWORD=q", NULL },
    { "NO_PROXY=a|no_proxy=b", NULL, "NO_PROXY=a", NULL },
    { "NO_PROXY=|no_proxy=b", NULL, "no_proxy=b", NULL },
    { "NO_PROXY=a|SOCKSIFY_DIRECT=", NULL, "SOCKSIFY_DIRECT=", NULL },
    { "LD_PRELOAD=/x", NULL, "", NULL },
    { "SOCKSIFY_CONF=/old|HOME=/", "/new", "SOCKSIFY_STATE=/new|SOCKSIFY_CONF=/x.conf", "/x.conf" },
    { "SOCKSIFY_CONF=/old", NULL, "SOCKSIFY_CONF=/old", "" },
};

START_TEST(collection_takes_what_configured_us_and_no_more)
{
    struct envlist l = collected(collections[_i].env, collections[_i].state, collections[_i].conf);

    expect(l.vars, l.count, collections[_i].carried);
}
END_TEST

START_TEST(collection_is_a_copy)
{
    char var[] = "SOCKSIFY_PROXY=socks5://h";
    char *env[] = { var, NULL };
    void *memory = malloc(envlist_size(env, &nothing));
    struct envlist l;

    envlist_collect(&l, env, &nothing, memory);
    memset(var, 'x', sizeof var - 1);
    ck_assert_str_eq(l.vars[0], "SOCKSIFY_PROXY=socks5://h");
    free(memory);
}
END_TEST

static const struct { const char *object, *env, *joined; } joins[] = {
    /* nothing is missing: no memory, the environment is taken as it is */
    { OBJECT, "LD_PRELOAD=" OBJECT "|SOCKSIFY_A=9|SOCKSIFY_B=|X=1", NULL },
    { OBJECT, "LD_PRELOAD=/a.so:" OBJECT ":/b.so|SOCKSIFY_A=1|SOCKSIFY_B=2", NULL },
    { OBJECT, "LD_PRELOAD=/a.so " OBJECT "|SOCKSIFY_A=1|SOCKSIFY_B=2", NULL },
    { NULL, "SOCKSIFY_A=1|SOCKSIFY_B=2", NULL },
    /* everything is missing */
    { OBJECT, "", "LD_PRELOAD=" OBJECT "|SOCKSIFY_A=1|SOCKSIFY_B=2" },
    { NULL, "", "SOCKSIFY_A=1|SOCKSIFY_B=2" },
    { OBJECT, "X=1", "LD_PRELOAD=" OBJECT "|X=1|SOCKSIFY_A=1|SOCKSIFY_B=2" },
    /* what the program says stays, in its order */
    { OBJECT, "SOCKSIFY_B=other|X=1", "LD_PRELOAD=" OBJECT "|SOCKSIFY_B=other|X=1|SOCKSIFY_A=1" },
    { OBJECT, "SOCKSIFY_B=|SOCKSIFY_AA=1", "LD_PRELOAD=" OBJECT "|SOCKSIFY_B=|SOCKSIFY_AA=1|SOCKSIFY_A=1" },
    { OBJECT, "LD_PRELOAD=" OBJECT "|X=1", "LD_PRELOAD=" OBJECT "|X=1|SOCKSIFY_A=1|SOCKSIFY_B=2" },
    { NULL, "LD_PRELOAD=/a.so|X=1", "LD_PRELOAD=/a.so|X=1|SOCKSIFY_A=1|SOCKSIFY_B=2" },
    { OBJECT, "NONSENSE|=|X=1|X=2", "LD_PRELOAD=" OBJECT "|NONSENSE|=|X=1|X=2|SOCKSIFY_A=1|SOCKSIFY_B=2" },
    /* other entries of LD_PRELOAD stay, ours is first */
    { OBJECT, "SOCKSIFY_A=1|LD_PRELOAD=/a.so:/b.so|SOCKSIFY_B=2",
      "LD_PRELOAD=" OBJECT ":/a.so:/b.so|SOCKSIFY_A=1|SOCKSIFY_B=2" },
    { OBJECT, "LD_PRELOAD=|SOCKSIFY_A=1|SOCKSIFY_B=2", "LD_PRELOAD=" OBJECT "|SOCKSIFY_A=1|SOCKSIFY_B=2" },
    { OBJECT, "LD_PRELOAD=" OBJECT ".old:/x" OBJECT "|SOCKSIFY_A=1|SOCKSIFY_B=2",
      "LD_PRELOAD=" OBJECT ":" OBJECT ".old:/x" OBJECT "|SOCKSIFY_A=1|SOCKSIFY_B=2" },
    /* of several LD_PRELOADs the loader goes by the last */
    { OBJECT, "LD_PRELOAD=" OBJECT "|LD_PRELOAD=/a.so|SOCKSIFY_A=1|SOCKSIFY_B=2",
      "LD_PRELOAD=" OBJECT ":/a.so|SOCKSIFY_A=1|SOCKSIFY_B=2" },
    { OBJECT, "LD_PRELOAD=/a.so|LD_PRELOAD=/b.so:" OBJECT "|SOCKSIFY_A=1|SOCKSIFY_B=2",
      "LD_PRELOAD=/b.so:" OBJECT "|SOCKSIFY_A=1|SOCKSIFY_B=2" },
    /* an object for other programs gives way */
    { OBJECT32, "LD_PRELOAD=" OBJECT "|SOCKSIFY_A=1|SOCKSIFY_B=2",
      "LD_PRELOAD=" OBJECT32 "|SOCKSIFY_A=1|SOCKSIFY_B=2" },
    { OBJECT, "LD_PRELOAD=" OBJECT32 "|X=1|SOCKSIFY_A=1|SOCKSIFY_B=2",
      "LD_PRELOAD=" OBJECT "|X=1|SOCKSIFY_A=1|SOCKSIFY_B=2" },
    { OBJECT32, "SOCKSIFY_A=1|LD_PRELOAD=/a.so:" OBJECT " /b.so:|SOCKSIFY_B=2",
      "LD_PRELOAD=" OBJECT32 ":/a.so:/b.so|SOCKSIFY_A=1|SOCKSIFY_B=2" },
    { OBJECT, "LD_PRELOAD=/a.so:" OBJECT ":" OBJECT32 "|SOCKSIFY_A=1|SOCKSIFY_B=2",
      "LD_PRELOAD=/a.so:" OBJECT "|SOCKSIFY_A=1|SOCKSIFY_B=2" },
    { NULL, "LD_PRELOAD=" OBJECT32 "|SOCKSIFY_A=1|SOCKSIFY_B=2", NULL },
};

START_TEST(join_adds_what_is_missing)
{
    struct envlist l = collected("SOCKSIFY_A=1|SOCKSIFY_B=2", NULL, NULL);
    char **env = split(joins[_i].env), **slots, *text;
    struct envlist_plan plan;
    size_t kept, count = 0;

    ck_assert_int_eq(envlist_plan(&l, PRELOAD(joins[_i].object), env, &plan), 0);
    if (!joins[_i].joined) {
        ck_assert_uint_eq(plan.slots, 0);
        ck_assert_uint_eq(plan.text, 0);
        return;
    }
    slots = malloc(plan.slots * sizeof *slots);
    text = malloc(plan.text);
    kept = envlist_join(&l, PRELOAD(joins[_i].object), env, slots, text);
    while (slots[count])
        count++;
    expect(slots, count, joins[_i].joined);
    ck_assert_uint_eq(count + 1, plan.slots);
    ck_assert_uint_le(kept, count);
    for (size_t i = kept; i < count; i++)
        ck_assert(slots[i] == l.vars[0] || slots[i] == l.vars[1]);
    ck_assert_int_eq(envlist_plan(&l, PRELOAD(joins[_i].object), slots, &plan), 0);
    ck_assert_uint_eq(plan.slots, 0);
    free(slots);
    free(text);
}
END_TEST

START_TEST(join_with_no_array_is_as_with_an_empty_one)
{
    struct envlist l = collected("SOCKSIFY_A=1", NULL, NULL);
    char *slots[3], text[sizeof "LD_PRELOAD=" OBJECT];
    struct envlist_plan plan;

    ck_assert_int_eq(envlist_plan(&l, PRELOAD(OBJECT), NULL, &plan), 0);
    ck_assert_uint_eq(plan.slots, 3);
    ck_assert_uint_eq(plan.text, sizeof text);
    ck_assert_uint_eq(envlist_join(&l, PRELOAD(OBJECT), NULL, slots, text), 1);
    expect(slots, 2, "LD_PRELOAD=" OBJECT "|SOCKSIFY_A=1");
    ck_assert_ptr_null(envlist_value(NULL, "PATH"));
}
END_TEST

START_TEST(plan_at_the_limit_of_variables_is_made_and_beyond_refused)
{
    static char *env[ENVLIST_MAX + 2];
    struct envlist l = collected("SOCKSIFY_A=1", NULL, NULL);
    struct envlist_plan plan = { .slots = 77 };

    for (int i = 0; i < ENVLIST_MAX + 1; i++)
        env[i] = (char *)"X=1";
    ck_assert_int_eq(envlist_plan(&l, PRELOAD(OBJECT), env, &plan), -E2BIG);
    ck_assert_uint_eq(plan.slots, 77);
    env[ENVLIST_MAX] = NULL;
    ck_assert_int_eq(envlist_plan(&l, PRELOAD(OBJECT), env, &plan), 0);
    ck_assert_uint_eq(plan.slots, ENVLIST_MAX + 3);
}
END_TEST

/* As long as nothing must be copied its size is the kernel's business. */
START_TEST(plan_of_complete_environment_has_no_limit)
{
    static char *env[ENVLIST_MAX + 100];
    struct envlist l = collected("SOCKSIFY_A=1", NULL, NULL);
    struct envlist_plan plan;

    for (int i = 0; i < ENVLIST_MAX + 97; i++)
        env[i] = (char *)"X=1";
    env[ENVLIST_MAX + 97] = (char *)"SOCKSIFY_A=2";
    env[ENVLIST_MAX + 98] = (char *)"LD_PRELOAD=" OBJECT;
    ck_assert_int_eq(envlist_plan(&l, PRELOAD(OBJECT), env, &plan), 0);
    ck_assert_uint_eq(plan.slots, 0);
}
END_TEST

START_TEST(plan_at_the_limit_of_preload_is_made_and_beyond_refused)
{
    static char preload[ENVLIST_PRELOAD_MAX + 1];
    char *env[] = { preload, NULL };
    struct envlist l = collected("", NULL, NULL);
    struct envlist_plan plan;
    size_t ours = strlen(OBJECT ":");

    memset(preload, 'x', sizeof preload);
    memcpy(preload, "LD_PRELOAD=", 11);
    preload[ENVLIST_PRELOAD_MAX - ours] = '\0';
    ck_assert_int_eq(envlist_plan(&l, PRELOAD(OBJECT), env, &plan), -E2BIG);
    preload[ENVLIST_PRELOAD_MAX - ours - 1] = '\0';
    ck_assert_int_eq(envlist_plan(&l, PRELOAD(OBJECT), env, &plan), 0);
    ck_assert_uint_eq(plan.text, ENVLIST_PRELOAD_MAX);
}
END_TEST

START_TEST(value_is_that_of_the_whole_name)
{
    char **env = split("PATHS=a|PATH|PATH=b|PATH=c|E=");

    ck_assert_str_eq(envlist_value(env, "PATH"), "b");
    ck_assert_str_eq(envlist_value(env, "E"), "");
    ck_assert_ptr_null(envlist_value(env, "PAT"));
}
END_TEST

Suite *make_suite(void);

Suite *make_suite(void)
{
    Suite *s = suite_create("envlist");
    TCase *t = tcase_create("envlist");

    tcase_add_loop_test(t, collection_takes_what_configured_us_and_no_more, 0,
                        (int)(sizeof collections / sizeof collections[0]));
    tcase_add_test(t, collection_is_a_copy);
    tcase_add_loop_test(t, join_adds_what_is_missing, 0, (int)(sizeof joins / sizeof joins[0]));
    tcase_add_test(t, join_with_no_array_is_as_with_an_empty_one);
    tcase_add_test(t, plan_at_the_limit_of_variables_is_made_and_beyond_refused);
    tcase_add_test(t, plan_of_complete_environment_has_no_limit);
    tcase_add_test(t, plan_at_the_limit_of_preload_is_made_and_beyond_refused);
    tcase_add_test(t, value_is_that_of_the_whole_name);
    suite_add_tcase(s, t);
    return s;
}
