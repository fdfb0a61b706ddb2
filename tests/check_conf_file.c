/* SPDX-License-Identifier: ISC */
/* check_conf_file.c - the configuration file: its lines, its place between the variables, its faults */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_world.h"

Suite *make_suite(void);

#define H "hunter22"
#define F "proxy = socks5://192.0.2.1\n"
#define CHMOD "chmod 600 helps"
#define COMMENT \
    "a # behind a blank: a comment stands on a line of its own here, such a password in a password-file"
#define BOB "SOCKSIFY_USER=bob\nSOCKSIFY_PASSWORD=x\n"

/* text: the file at path; NULL: there is none, because of error. */
static void read_named(const char *lines, const char *path, const char *text, int error, bool is_public)
{
    struct world w = { .lines = lines };
    char *copy = text ? strdup(text) : NULL;        /* exact: a sanitizer sees a byte too many */
    struct conf_source source = { .lookup = look_up, .read_file = read_file, .context = &w, .file = path,
                                  .text = copy, .file_error = error, .file_public = is_public };

    read_source(&source);
    free(copy);
}

static void read_both(const char *lines, const char *text, int error, bool is_public)
{
    read_named(lines, "/f", text, error, is_public);
}

static const struct {
    const char *lines, *text, *proxy, *user, *password;
} good[] = {
    { "", F, "192.0.2.1:1080", "", "" },
    { "", "proxy=socks5://192.0.2.1", "192.0.2.1:1080", "", "" },
    { "", "# x = y\r\n ; z\r\n\r\n\t proxy \t=\t socks5://[2001:db8::1]:8 \t\r\n", "[2001:db8::1]:8", "", "" },
    { "", "[rules]\ndirect = a.test\n[socksify]\n" F, "192.0.2.1:1080", "", "" },
    { "", F "user = a b\npassword = #x = y;\n", "192.0.2.1:1080", "a b", "#x = y;" },
    { "", F "user = u\npassword-file = /pw\n", "192.0.2.1:1080", "u", "frofile" },
    { "", "user = v\npassword = w\nproxy = socks5://h\n", "h:1080", "v", "w" },
    { "", "proxy = socks5://u:p@h\n", "h:1080", "u", "p" },
    /* comments behind a value, and where there is none */
    { "", "proxy = socks5://h # the first\n", "h:1080", "", "" },
    { "", "proxy = socks5://h\t#\n", "h:1080", "", "" },
    { "", "[rules] # none\n[socksify]\t# = [\n" F, "192.0.2.1:1080", "", "" },
    { "", F "user = u#v\npassword = #\n", "192.0.2.1:1080", "u#v", "#" },
    { "", F "user = 'u'\npassword = \"p\"\n", "192.0.2.1:1080", "'u'", "\"p\"" },
    { "", "proxy = socks5://u:p%20%23@h # 2\n", "h:1080", "u", "p #" },
    /* a byte-order mark */
    { "", "\xef\xbb\xbf" F, "192.0.2.1:1080", "", "" },
    { "", "\xef\xbb\xbf[socksify]\r\n" F, "192.0.2.1:1080", "", "" },
    { "SOCKSIFY_PROXY=\n", F, "192.0.2.1:1080", "", "" },
    { "SOCKSIFY_PROXY=socks5://o\n", F, "o:1080", "", "" },
    /* what is the file's proxy's alone does not go to another, nor with another user */
    { "SOCKSIFY_PROXY=socks5://o\n", "proxy = socks5://u:p@h", "o:1080", "", "" },
    { "SOCKSIFY_PROXY=socks5://o\n", F "user = u\npassword = p\n", "o:1080", "", "" },
    { "SOCKSIFY_PROXY=socks5://o\n" BOB, F "user = u\npassword = p\n", "o:1080", "bob", "x" },
    { BOB, F "user = u\npassword = p\n", "192.0.2.1:1080", "bob", "x" },
    { BOB, "proxy = socks5://u:p@h\n", "h:1080", "bob", "x" },
    { "SOCKSIFY_PASSWORD=x\n", F "user = u\npassword = p\n", "192.0.2.1:1080", "u", "x" },
    { "SOCKSIFY_PASSWORD=x\n", "proxy = socks5://u:p@h\n", "h:1080", "u", "x" },
    /* conventions come after it */
    { "SOCKS5_SERVER=o:9\nALL_PROXY=socks5://p\n", F, "192.0.2.1:1080", "", "" },
    { "SOCKS_USERNAME=v\nSOCKS_PASSWORD=w", F, "192.0.2.1:1080", "", "" },
    { "SOCKS5_SERVER=o:9\nSOCKS5_USER=v\nSOCKS5_PASSWORD=w", F, "192.0.2.1:1080", "", "" },
    { "SOCKS5_SERVER=o:9\nSOCKS5_USER=v\nSOCKS5_PASSWORD=w", "timeout = 3\n", "o:9", "v", "w" },
};

START_TEST(file_good_between_variables_and_conventions)
{
    char shown[ADDR_TEXT_SIZE];

    read_both(good[_i].lines, good[_i].text, 0, false);
    ck_assert_str_eq(conf.message, "");
    ck_assert_int_eq(conf.state, CONF_READY);
    addr_format(&conf.proxies[0].address, shown, sizeof shown);
    ck_assert_str_eq(shown, good[_i].proxy);
    ck_assert_str_eq(conf.proxies[0].user, good[_i].user);
    ck_assert_str_eq(conf.proxies[0].password, good[_i].password);
}
END_TEST

START_TEST(file_every_key_set)
{
    read_both("", F "timeout = 2.5\ndns = local\nresolver = 192.0.2.1:5353\npool4=10.0.0.0/8\n"
                   "pool6 = fd00:1::/48\nbypass = allow\nbind = on\nbind-ports = 2121\nlog = debug:/l\n", 0, false);
    ck_assert_int_eq(conf.state, CONF_READY);
    ck_assert_uint_eq(conf.reply_ms, 2500);
    ck_assert_int_eq(conf.dns, CONF_DNS_LOCAL);
    ck_assert_uint_eq(conf.resolver.port, 5353);
    ck_assert_uint_eq(conf.pools.ipv4, 0x0a000000);
    ck_assert_uint_eq(conf.pools.ipv6_prefix, 48);
    ck_assert_int_eq(conf.bypass, CONF_BYPASS_ALLOW);
    ck_assert_int_eq(conf.bind, CONF_BIND_ON);
    ck_assert_uint_eq(conf.bind_port[0].low, 2121);
    ck_assert_int_eq(conf.log_level, CONF_LOG_DEBUG);
    ck_assert_str_eq(conf.log_path, "/l");
    read_both("SOCKSIFY_TIMEOUT=4\nSOCKSIFY_LOG=quiet\n", F "timeout = 2.5\nlog = debug:/l\n", 0, false);
    ck_assert_uint_eq(conf.reply_ms, 4000);
    ck_assert_int_eq(conf.log_level, CONF_LOG_QUIET);
}
END_TEST

#define RULES \
    F "[rules]\nproxy = 10.1.0.0/16 a.test\nblock = 10.1.0.0/15, *:25 # c.test\ndirect = 10.0.0.0/8\nproxy = [::1]\n"

static const struct {
    const char *lines, *host;
    uint16_t port;
    enum rules_verdict verdict;
} ruled[] = {
    { "", "10.1.2.3", 80, RULES_PROXY },
    { "", "c.test", 80, RULES_PROXY },
    { "", "10.0.2.3", 80, RULES_BLOCK },
    { "", "10.9.2.3", 80, RULES_DIRECT },
    { "", "10.9.2.3", 25, RULES_BLOCK },
    { "", "a.test", 25, RULES_PROXY },
    { "", "b.test", 25, RULES_BLOCK },
    { "", "::1", 80, RULES_PROXY },
    { "", "127.0.0.1", 80, RULES_DIRECT },
    { "SOCKSIFY_BLOCK=10.1.2.3\n", "10.1.2.3", 80, RULES_BLOCK },
    { "SOCKSIFY_BLOCK=10.1.2.3\n", "b.test", 25, RULES_BLOCK },
    { "SOCKSIFY_DIRECT=10.1.2.3\n", "10.1.2.3", 80, RULES_DIRECT },
    { "SOCKSIFY_DIRECT=10.1.2.3\n", "10.9.2.3", 80, RULES_DIRECT },
    { "SOCKSIFY_DIRECT=\n", "127.0.0.1", 80, RULES_PROXY },
    { "NO_PROXY=a.test,b.test\n", "a.test", 80, RULES_PROXY },
    { "NO_PROXY=a.test,b.test\n", "b.test", 80, RULES_DIRECT },
    /* an exception of the direct list */
    { "SOCKSIFY_DIRECT=!127.0.0.0/8,10.1.0.0/16\n", "127.0.0.1", 80, RULES_PROXY },
    { "SOCKSIFY_DIRECT=!10.1.2.3,10.1.0.0/16\n", "10.1.2.3", 80, RULES_PROXY },
    { "SOCKSIFY_DIRECT=!10.1.2.3,10.1.0.0/16\n", "10.1.2.4", 80, RULES_DIRECT },
};

START_TEST(file_rules_judged_as_they_stand)
{
    struct addr a;

    read_both(ruled[_i].lines, RULES, 0, false);
    ck_assert_str_eq(conf.message, "");
    if (addr_from_text(ruled[_i].host, strlen(ruled[_i].host), &a) != 0)
        ck_assert_int_eq(addr_from_name(ruled[_i].host, strlen(ruled[_i].host), &a), 0);
    a.port = ruled[_i].port;
    ck_assert_int_eq(rules_judge(&conf.rules, &a, NULL), ruled[_i].verdict);
}
END_TEST

static const struct {
    const char *lines, *host, *why;
} told[] = {
    { "", "10.1.2.3", "rule at /f:3" },
    { "", "10.0.2.3", "rule at /f:4" },
    { "", "a.test", "rule at /f:3" },
    { "", "10.9.2.3", "rule at /f:5" },
    { "", "192.0.2.1", "default" },
    { "SOCKSIFY_BLOCK=10.1.2.3\n", "10.1.2.3", "rule of -b or SOCKSIFY_BLOCK" },
    { "SOCKSIFY_DIRECT=b.test\n", "b.test", "rule of -d or SOCKSIFY_DIRECT" },
    { "NO_PROXY=c.test\n", "c.test", "rule of NO_PROXY" },
};

/* The place outlives the text of the file, which the reading has cut up. */
START_TEST(file_rules_tell_where_they_stand)
{
    struct addr a;
    const char *why;

    read_both(told[_i].lines, RULES, 0, false);
    if (addr_from_text(told[_i].host, strlen(told[_i].host), &a) != 0)
        ck_assert_int_eq(addr_from_name(told[_i].host, strlen(told[_i].host), &a), 0);
    a.port = 80;
    rules_judge(&conf.rules, &a, &why);
    ck_assert_str_eq(why, told[_i].why);
}
END_TEST

/* The places need as much room as conf_memory() said, also where there are many and the name is long. */
START_TEST(file_rules_many_all_told)
{
    static char text[1 << 16], path[4000];
    size_t used = 0;

    memset(path, 'd', sizeof path - 1);
    path[0] = '/';
    used += (size_t)snprintf(text, sizeof text, "%s[rules]\n", F);
    for (int i = 0; i < 1000; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "block = h%d.test\n", i);
    read_named("", path, text, 0, false);
    ck_assert_str_eq(conf.message, "");
    ck_assert_uint_eq(conf.rules.count, 1000);
    for (size_t i = 0; i < conf.rules.count; i++) {
        char tail[20];

        snprintf(tail, sizeof tail, "d:%u", (unsigned)i + 3);
        ck_assert_ptr_nonnull(conf.rules.rule[i].why);
        ck_assert_str_eq(conf.rules.rule[i].why + strlen(conf.rules.rule[i].why) - strlen(tail), tail);
    }
}
END_TEST

static const struct {
    const char *lines, *text;
    int error;
    bool is_public;
    const char *message;
} bad[] = {
    { "", NULL, -ENOENT, false, "/f: the file does not exist" },
    { P, NULL, -EACCES, false, "/f: the file may not be read" },
    { P, NULL, -EFBIG, false, "/f: the file is larger than 1 MiB" },
    { P, NULL, -EILSEQ, false, "/f: the file holds a NUL byte" },
    { P, NULL, -EINVAL, false, "/f: the path is not absolute" },
    { P, NULL, -EIO, false, "/f: the file cannot be read" },
    { "", "", 0, false, "/f: no proxy in it" },
    { "ALL_PROXY=http://h\n", "timeout = 3\n", 0, false, "/f: no proxy in it" },
    { "", "\n\n  what\n", 0, false, "/f:3: no = after the key" },
    { "", "\xef\xbb\xbf", 0, false, "/f: no proxy in it" },
    { P, "\n\xef\xbb\xbf" "timeout = 3\n", 0, false, "/f:2: ???timeout: unknown key" },
    { P, "\n" H "\n", 0, false, "/f:2: no = after the key" },
    { P, "= x\n", 0, false, "/f:1: no key before the =" },
    { P, "proxy =\n", 0, false, "/f:1: no value after the =" },
    { P, "proxy = # later\n", 0, false, "/f:1: no value after the =" },
    { P, "timeout # = 3\n", 0, false, "/f:1: timeout #: unknown key" },
    { "", "proxy = \"socks5://h\"\n", 0, false, "/f:1: the value stands in quotes, which do not belong there" },
    { P, "[rules]\nblock = 'a'\n", 0, false, "/f:2: the value stands in quotes, which do not belong there" },
    { "", F "user = u # me\npassword = p\n", 0, false, "/f:2: " COMMENT },
    { "", F "user = u\npassword = p\t#" H "\n", 0, false, "/f:3: " COMMENT },
    { "", F "[proxy a] # b\npassword = " H " #\n", 0, false, "/f:3: " COMMENT },
    { P, "[other]\n", 0, false, "/f:1: the heading is none of [socksify], [proxy NAME] and [rules]" },
    { P, "[rules\n", 0, false, "/f:1: the heading is none of [socksify], [proxy NAME] and [rules]" },
    { P, "direct = a\n", 0, false, "/f:1: direct: unknown key here: rules stand below a line [rules]" },
    { P, "[proxy a]\nproxy = socks5://h\nblock = a\n", 0, false,
      "/f:3: block: unknown key here: rules stand below a line [rules]" },
    { P, "via a = b\n", 0, false, "/f:1: via a: unknown key here: rules stand below a line [rules]" },
    { P, "Timeout = 3\n", 0, false, "/f:1: Timeout: unknown key" },
    { P, "[rules]\n\n\n\n\n\n\n\n\ntimeout = 3\n", 0, false, "/f:10: timeout: is not block, direct, proxy or via" },
    { P, "[rules]\nblock = a\nblock = 10.0.0.0/33\n", 0, false,
      "/f:3: block: the prefix length does not fit the address in item \"10.0.0.0/33\"" },
    { P, "[rules]\nblock = !a\n", 0, false,
      "/f:2: block: an exception in a list of what is not direct: \"!a\"" },
    { P, "[rules]\ndirect = ,\n", 0, false, "/f:2: direct: no item" },
    { P, "timeout = 3\ntimeout = 3\n", 0, false, "/f:2: timeout: given twice" },
    { "", "proxy = http://" H ":" H "@h\n", 0, false,
      "/f:1: proxy: neither socks5:// nor socks5h://, and no other proxy can be used" },
    { "", F "user = " H "\n", 0, false, "/f:2: user: a user without a password: set password-file" },
    { "", F "\npassword = " H "\n", 0, false, "/f:3: password: a password without a user" },
    { "", F "user = u\npassword-file = pw\n", 0, false, "/f:3: password-file: the path is not absolute" },
    { "", F "user = u\npassword-file = /public\n", 0, false,
      "/f:3: password-file: everyone may read the file: " CHMOD },
    { "", F "log = info:l\n", 0, false, "/f:2: log: the path is not absolute" },
    { "", F "user = u\npassword = " H "\n", 0, true,
      "/f:3: password: a password in a file that everyone may read: " CHMOD },
    { P, "[proxy ]\n", 0, false, "/f:1: the name of a proxy is not 1 to 31 letters, digits, -, _ and ." },
    { P, "[proxy a b]\n", 0, false, "/f:1: the name of a proxy is not 1 to 31 letters, digits, -, _ and ." },
    { P, "[proxyx]\n", 0, false, "/f:1: the heading is none of [socksify], [proxy NAME] and [rules]" },
    { P, "[proxy a]\ntimeout = 3\n", 0, false, "/f:2: timeout: is not proxy, user, password or password-file" },
    { P, "[proxy a]\nuser = u\n", 0, false, "/f:1: [proxy]: no proxy in it" },
    { P, "[proxy a]\nproxy = socks5://h\nuser = u\n", 0, false,
      "/f:3: user: a user without a password: set password-file" },
    { P, "[proxy a]\nproxy = socks5://h\nproxy = socks5://h\n", 0, false, "/f:3: proxy: given twice" },
    { P, "[proxy a]\nproxy = socks5://h\n[proxy a]\nproxy = socks5://h\n", 0, false, "/f:3: [proxy]: given twice" },
    { P, "[proxy a]\nproxy = socks5://u:" H "@h\n", 0, true,
      "/f:2: proxy: a password in a file that everyone may read: " CHMOD },
    { P, "[rules]\nvia = a\n", 0, false, "/f:2: via: no name of a proxy behind it" },
    { P, "[rules]\nvia b = a\nvia b = c\n", 0, false, "/f:2: via: there is no proxy of the name \"b\"" },
    { P, "[rules]\nvia b =\n", 0, false, "/f:2: no value after the =" },
    { P, "[rules]\nvia b! = a\n", 0, false, "/f:2: the name of a proxy is not 1 to 31 letters, digits, -, _ and ." },
    { P, "[rules]\nvia a = a\nvia b = a\nvia c = a\nvia d = a\nvia e = a\nvia f = a\nvia g = a\nvia h = a\n",
      0, false, "/f:9: via: more than 7 proxies with names" },
    { "", "proxy = socks5://u:" H "@h\n", 0, true, "/f:1: proxy: a password in a file that everyone may read: " CHMOD },
};

START_TEST(file_bad_named_with_line)
{
    read_both(bad[_i].lines, bad[_i].text, bad[_i].error, bad[_i].is_public);
    ck_assert_str_eq(conf.message, bad[_i].message);
    ck_assert_int_eq(conf.state, CONF_BROKEN);
    ck_assert_str_eq(conf.proxies[0].password, "");
}
END_TEST

#define VIA F "[rules]\nvia work = .work.test, 10.0.0.0/8:80\nvia home = *:25\n" \
    "[proxy work]\nproxy = socks5://u:p@w:7\n[proxy  home ]\nproxy = socks5://10.0.0.1\nuser = v\n" \
    "password-file = /pw\n[rules]\ndirect = 10.1.0.0/16\n"

static const struct {
    const char *host;
    uint16_t port;
    unsigned proxy;
} sent[] = {
    { "a.work.test", 443, 1 }, { "10.2.0.1", 80, 1 }, { "10.2.0.1", 81, 0 }, { "x.test", 25, 2 }, { "x.test", 80, 0 },
    { "10.1.2.3", 80, 1 },
};

START_TEST(file_proxies_with_names)
{
    struct addr a;

    read_both("", VIA, 0, false);
    ck_assert_str_eq(conf.message, "");
    ck_assert_uint_eq(conf.proxy_count, 3);
    ck_assert_str_eq(conf.proxies[1].name, "work");
    ck_assert_str_eq(conf.proxies[1].user, "u");
    ck_assert_str_eq(conf.proxies[1].password, "p");
    ck_assert_uint_eq(conf.proxies[1].address.port, 7);
    ck_assert_str_eq(conf.proxies[2].name, "home");
    ck_assert_str_eq(conf.proxies[2].user, "v");
    ck_assert_str_eq(conf.proxies[2].password, "frofile");
    ck_assert_str_eq(conf.proxies[0].user, "");
    if (addr_from_text(sent[_i].host, strlen(sent[_i].host), &a) != 0)
        ck_assert_int_eq(addr_from_name(sent[_i].host, strlen(sent[_i].host), &a), 0);
    a.port = sent[_i].port;
    ck_assert_uint_eq(rules_proxy(&conf.rules, &a), sent[_i].proxy);
    ck_assert_int_eq(rules_judge(&conf.rules, &a, NULL), RULES_PROXY);
}
END_TEST

/* What is given for the first proxy elsewhere is not for those with names, and the other way round. */
START_TEST(file_proxies_keep_their_credentials)
{
    read_both(P "SOCKSIFY_USER=bob\nSOCKSIFY_PASSWORD=secret\n", VIA, 0, false);
    ck_assert_str_eq(conf.message, "");
    ck_assert_str_eq(conf.proxies[0].user, "bob");
    ck_assert_str_eq(conf.proxies[0].password, "secret");
    ck_assert_str_eq(conf.proxies[1].user, "u");
    ck_assert_str_eq(conf.proxies[2].password, "frofile");
}
END_TEST

START_TEST(file_public_without_password_good)
{
    read_both(BOB, F "[rules]\ndirect = a\n", 0, true);
    ck_assert_str_eq(conf.message, "");
    ck_assert_int_eq(conf.state, CONF_READY);
    read_both("", F "user = u\npassword-file = /pw\n", 0, true);
    ck_assert_str_eq(conf.proxies[0].password, "frofile");
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("conf_file");
    TCase *t = tcase_create("conf_file");

    tcase_add_checked_fixture(t, map_area, unmap_area);
    tcase_add_loop_test(t, file_good_between_variables_and_conventions, 0, COUNT(good));
    tcase_add_test(t, file_every_key_set);
    tcase_add_loop_test(t, file_rules_judged_as_they_stand, 0, COUNT(ruled));
    tcase_add_loop_test(t, file_rules_tell_where_they_stand, 0, COUNT(told));
    tcase_add_test(t, file_rules_many_all_told);
    tcase_add_loop_test(t, file_bad_named_with_line, 0, COUNT(bad));
    tcase_add_loop_test(t, file_proxies_with_names, 0, COUNT(sent));
    tcase_add_test(t, file_proxies_keep_their_credentials);
    tcase_add_test(t, file_public_without_password_good);
    suite_add_tcase(s, t);
    return s;
}
