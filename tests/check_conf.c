/* SPDX-License-Identifier: ISC */
/* check_conf.c - the variables, their order and their defaults */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_world.h"

Suite *make_suite(void);

static const struct {
    const char *lines, *proxy, *user, *password;
} ready[] = {
    { P, "192.0.2.1:1080", "", "" },
    { P "SOCKS5_SERVER=192.0.2.2:8\nALL_PROXY=socks5://192.0.2.3\n", "192.0.2.1:1080", "", "" },
    { P "SOCKS5_SERVER=:bad:\nSOCKS_SERVER=[\nALL_PROXY=socks5://\n", "192.0.2.1:1080", "", "" },
    { "SOCKSIFY_PROXY=\nSOCKS5_SERVER=192.0.2.2:8\nSOCKS_SERVER=192.0.2.3\n", "192.0.2.2:8", "", "" },
    { "SOCKS_SERVER=[2001:db8::1]:9\nALL_PROXY=socks5://192.0.2.3", "[2001:db8::1]:9", "", "" },
    { "SOCKS_SERVER=proxy.example", "proxy.example:1080", "", "" },
    { "SOCKS5_SERVER=socks5://u:p@192.0.2.2", "192.0.2.2:1080", "u", "p" },
    { "ALL_PROXY=socks5h://192.0.2.3:7\nall_proxy=socks5://192.0.2.4", "192.0.2.3:7", "", "" },
    { "ALL_PROXY=http://192.0.2.3:7\nall_proxy=socks5://192.0.2.4", "192.0.2.4:1080", "", "" },
    { "ALL_PROXY=192.0.2.3:7\nall_proxy=SOCKS5://192.0.2.4", "192.0.2.4:1080", "", "" },
    { "SOCKSIFY_PROXY=socks5://u:p@h\nSOCKSIFY_USER=v\nSOCKSIFY_PASSWORD=q", "h:1080", "u", "p" },
    { "SOCKSIFY_PROXY=socks5://u@h\nSOCKSIFY_USER=v\nSOCKSIFY_PASSWORD=q", "h:1080", "u", "q" },
    { P "SOCKSIFY_USER=v\nSOCKSIFY_PASSWORD=q\nSOCKSIFY_PASSWORD_FILE=/x\nSOCKS5_USER=w", "192.0.2.1:1080", "v", "q" },
    { P "SOCKSIFY_USER=v\nSOCKSIFY_PASSWORD_FILE=/pw\nSOCKS5_PASSWORD=r", "192.0.2.1:1080", "v", "frofile" },
    { P "SOCKS5_USER=w\nSOCKS5_PASSWORD=r\nSOCKS5_PASSWD=s", "192.0.2.1:1080", "w", "r" },
    { P "SOCKS5_USER=w\nSOCKS5_PASSWD=s", "192.0.2.1:1080", "w", "s" },
    { "SOCKS_SERVER=o:9\nSOCKS_USERNAME=x\nSOCKS_PASSWORD=t", "o:9", "x", "t" },
    { P "SOCKS5_USER=w\nSOCKS_USERNAME=x\nSOCKS5_PASSWD=s\nSOCKS_PASSWORD=t", "192.0.2.1:1080", "w", "s" },
    { "SOCKSIFY_PROXY=socks5://u:p@h\nSOCKS_USERNAME=x\nSOCKS_PASSWORD=t", "h:1080", "u", "p" },
    { P "SOCKS_USERNAME=x", "192.0.2.1:1080", "", "" },
    { P "SOCKSIFY_USER=\nSOCKSIFY_PASSWORD=\nSOCKSIFY_DNS=\nSOCKSIFY_TIMEOUT=", "192.0.2.1:1080", "", "" },
    { P "SOCKSIFY_USER=" A255 "\nSOCKSIFY_PASSWORD=" A255, "192.0.2.1:1080", A255, A255 },
    { P "SOCKSIFY_USER=%41:@\nSOCKSIFY_PASSWORD=%00", "192.0.2.1:1080", "%41:@", "%00" },
};

START_TEST(environment_good_ready)
{
    char shown[ADDR_TEXT_SIZE];

    read_world(ready[_i].lines);
    ck_assert_str_eq(conf.message, "");
    ck_assert_int_eq(conf.state, CONF_READY);
    addr_format(&conf.proxies[0].address, shown, sizeof shown);
    ck_assert_str_eq(shown, ready[_i].proxy);
    ck_assert_str_eq(conf.proxies[0].user, ready[_i].user);
    ck_assert_str_eq(conf.proxies[0].password, ready[_i].password);
    ck_assert_int_eq(conf.log_level, CONF_LOG_WARN);
    ck_assert_int_eq(conf.dns, CONF_DNS_REMOTE);
    ck_assert_int_eq(conf.bypass, CONF_BYPASS_REFUSE);
    ck_assert_int_eq(conf.bind, CONF_BIND_AUTO);
    ck_assert_uint_eq(conf.bind_ports, 1);
    ck_assert_int_eq(conf.pipeline, CONF_PIPELINE_OFF);
    ck_assert_uint_eq(conf.bind_port[0].low, 21);
    ck_assert_uint_eq(conf.bind_port[0].high, 21);
    ck_assert_uint_eq(conf.step_ms, 10000);
    ck_assert_uint_eq(conf.reply_ms, 130000);
    ck_assert_str_eq(conf.log_path, "");
    ck_assert(conf.rules.loopback);
}
END_TEST

static const char *const none[] = {
    "", "HOME=/\nPATH=/bin\n", "ALL_PROXY=http://192.0.2.1:8080", "ALL_PROXY=socks4://h\nall_proxy=socks://h",
    "NO_PROXY=example.org", "SOCKS5_USER=u", "SOCKS5_PASSWORD=hunter22", "SOCKSIFY_LOG=debug", "SOCKSIFY_LOG=loud",
    "SOCKSIFY_STATE=/tmp/x", "SOCKSIFY_PROXY=", "SOCKSIFY_PROXY=\nSOCKSIFY_DNS=\nSOCKSIFY_BLOCK=",
    "SOCKS5_SERVER=\nSOCKS_SERVER=\nALL_PROXY=\nall_proxy=", "SOCKSIFY_PROXYX=socks5://h",
};

START_TEST(environment_without_us_none)
{
    read_world(none[_i]);
    ck_assert_msg(conf.state == CONF_NONE, "%s", none[_i]);
    ck_assert_str_eq(conf.message, "");
    ck_assert_str_eq(conf.proxies[0].user, "");
    ck_assert_str_eq(conf.proxies[0].password, "");
}
END_TEST

static const struct {
    const char *value;
    uint32_t step_ms, reply_ms;
} timeouts[] = {
    { "1", 1000, 1000 }, { "0.001", 1, 1 }, { "0.1", 100, 100 }, { "0.12", 120, 120 }, { "2.5", 2500, 2500 },
    { "10", 10000, 10000 }, { "9.999", 9999, 9999 }, { "10.001", 10000, 10001 }, { "300", 10000, 300000 },
    { "86400", 10000, 86400000 }, { "86400.000", 10000, 86400000 }, { "0007", 7000, 7000 },
};

START_TEST(timeout_good_bounds_both)
{
    char lines[200];

    snprintf(lines, sizeof lines, P "SOCKSIFY_TIMEOUT=%s", timeouts[_i].value);
    read_world(lines);
    ck_assert_str_eq(conf.message, "");
    ck_assert_uint_eq(conf.step_ms, timeouts[_i].step_ms);
    ck_assert_uint_eq(conf.reply_ms, timeouts[_i].reply_ms);
}
END_TEST

static const struct {
    const char *value;
    enum conf_level level;
    const char *path;
} logs[] = {
    { "quiet", CONF_LOG_QUIET, "" }, { "warn", CONF_LOG_WARN, "" }, { "info", CONF_LOG_INFO, "" },
    { "debug", CONF_LOG_DEBUG, "" }, { "0", CONF_LOG_QUIET, "" }, { "1", CONF_LOG_WARN, "" },
    { "2", CONF_LOG_INFO, "" }, { "3", CONF_LOG_DEBUG, "" }, { "3:/tmp/a:b", CONF_LOG_DEBUG, "/tmp/a:b" },
    { "quiet:x", CONF_LOG_QUIET, "x" },
};

/* In every state, since the log is where a fault is told. */
START_TEST(log_good_read_in_each_state)
{
    static const char *const rest[] = { P, "", "SOCKSIFY_PROXY=bad\n", "SOCKSIFY_DNS=remote\n" };
    static const enum conf_state states[] = { CONF_READY, CONF_NONE, CONF_BROKEN, CONF_BROKEN };
    char lines[200];
    int i;

    for (i = 0; i < COUNT(rest); i++) {
        snprintf(lines, sizeof lines, "%sSOCKSIFY_LOG=%s", rest[i], logs[_i].value);
        read_world(lines);
        ck_assert_int_eq(conf.state, states[i]);
        ck_assert_int_eq(conf.log_level, logs[_i].level);
        ck_assert_str_eq(conf.log_path, logs[_i].path);
    }
}
END_TEST

START_TEST(log_path_longest_kept_one_more_refused)
{
    static char lines[5000];
    int head = snprintf(lines, sizeof lines, P "SOCKSIFY_LOG=debug:");

    memset(lines + head, 'p', 4095);
    read_world(lines);
    ck_assert_int_eq(conf.state, CONF_READY);
    ck_assert_uint_eq(strlen(conf.log_path), 4095);
    lines[head + 4095] = 'p';
    read_world(lines);
    ck_assert_str_eq(conf.message, "SOCKSIFY_LOG: file name is longer than 4095 bytes");
    ck_assert_str_eq(conf.log_path, "");
    ck_assert_int_eq(conf.log_level, CONF_LOG_WARN);
}
END_TEST

START_TEST(words_good_set)
{
    read_world(P "SOCKSIFY_DNS=local\nSOCKSIFY_BYPASS=allow");
    ck_assert_int_eq(conf.state, CONF_READY);
    ck_assert_int_eq(conf.dns, CONF_DNS_LOCAL);
    ck_assert_int_eq(conf.bypass, CONF_BYPASS_ALLOW);
    read_world(P "SOCKSIFY_DNS=remote\nSOCKSIFY_BYPASS=refuse");
    ck_assert_int_eq(conf.state, CONF_READY);
    ck_assert_int_eq(conf.dns, CONF_DNS_REMOTE);
    ck_assert_int_eq(conf.bypass, CONF_BYPASS_REFUSE);
    read_world(P "SOCKSIFY_PIPELINE=on");
    ck_assert_int_eq(conf.pipeline, CONF_PIPELINE_ON);
    read_world(P "SOCKSIFY_PIPELINE=auto");
    ck_assert_int_eq(conf.pipeline, CONF_PIPELINE_AUTO);
    read_world(P "SOCKSIFY_BIND=on");
    ck_assert_int_eq(conf.bind, CONF_BIND_ON);
    read_world(P "SOCKSIFY_BIND=off\nSOCKSIFY_BIND_PORTS=2121,8000-8010, 65535");
    ck_assert_int_eq(conf.state, CONF_READY);
    ck_assert_int_eq(conf.bind, CONF_BIND_OFF);
    ck_assert_uint_eq(conf.bind_ports, 3);
    ck_assert_uint_eq(conf.bind_port[0].high, 2121);
    ck_assert_uint_eq(conf.bind_port[1].low, 8000);
    ck_assert_uint_eq(conf.bind_port[1].high, 8010);
    ck_assert_uint_eq(conf.bind_port[2].low, 65535);
    read_world(P "SOCKSIFY_BIND_PORTS=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16");
    ck_assert_int_eq(conf.state, CONF_READY);
    ck_assert_uint_eq(conf.bind_ports, CONF_BIND_PORTS);
}
END_TEST

static const char *const resolvers[][2] = {
    { "192.0.2.1", "192.0.2.1:53" }, { "192.0.2.1:5353", "192.0.2.1:5353" }, { "2001:db8::1", "[2001:db8::1]:53" },
    { "[2001:db8::1]", "[2001:db8::1]:53" }, { "[2001:db8::1]:5353", "[2001:db8::1]:5353" },
};

START_TEST(environment_resolver_with_and_without_port)
{
    char lines[200] = P "SOCKSIFY_RESOLVER=", text[ADDR_TEXT_SIZE];

    read_world(strcat(lines, resolvers[_i][0]));
    ck_assert_int_eq(conf.state, CONF_READY);
    addr_format(&conf.resolver, text, sizeof text);
    ck_assert_str_eq(text, resolvers[_i][1]);
    read_world(P "SOCKSIFY_RESOLVER=");
    ck_assert_int_eq(conf.resolver.kind, ADDR_NONE);
}
END_TEST

static const struct {
    const char *lines, *host;
    enum rules_verdict verdict;
} ruled[] = {
    { P, "127.0.0.1", RULES_DIRECT },
    { P, "192.0.2.9", RULES_PROXY },
    { P "SOCKSIFY_DIRECT=\n", "127.0.0.1", RULES_PROXY },
    { P "SOCKSIFY_DIRECT= ,\n", "127.0.0.1", RULES_PROXY },
    { P "SOCKSIFY_DIRECT=10.0.0.0/8\n", "127.0.0.1", RULES_DIRECT },
    { P "SOCKSIFY_DIRECT=10.0.0.0/8\n", "10.1.1.1", RULES_DIRECT },
    { P "SOCKSIFY_DIRECT=*\nSOCKSIFY_BLOCK=10.1.1.1", "10.1.1.1", RULES_BLOCK },
    { P "SOCKSIFY_DIRECT=*\nSOCKSIFY_BLOCK=10.1.1.1", "10.1.1.2", RULES_DIRECT },
    { P "SOCKSIFY_BLOCK=\n", "10.1.1.1", RULES_PROXY },
    { P "NO_PROXY=example.org", "www.example.org", RULES_DIRECT },
    { P "no_proxy=example.org", "www.example.org", RULES_DIRECT },
    { P "NO_PROXY=other.test\nno_proxy=example.org", "www.example.org", RULES_PROXY },
    { P "NO_PROXY=\nno_proxy=example.org", "www.example.org", RULES_DIRECT },
    { P "SOCKSIFY_DIRECT=\nNO_PROXY=example.org", "www.example.org", RULES_PROXY },
    { P "SOCKSIFY_DIRECT=x.test\nNO_PROXY=example.org", "www.example.org", RULES_PROXY },
    { P "SOCKSIFY_DIRECT=example.org", "www.example.org", RULES_PROXY },
    { P "SOCKSIFY_BLOCK=www.example.org\nNO_PROXY=example.org", "www.example.org", RULES_BLOCK },
    { P "NO_PROXY=<local>,10.0.0.0/40,example.org", "www.example.org", RULES_DIRECT },
    { P "SOCKSIFY_BLOCK=a,b.c,*.d,e,f,g,h,i,j,k\nNO_PROXY=l,m\nno_proxy=n", "k", RULES_BLOCK },
    { P "SOCKSIFY_BLOCK=a,b.c,*.d,e,f,g,h,i,j,k\nNO_PROXY=l,m\nno_proxy=n", "m", RULES_DIRECT },
};

START_TEST(lists_judged_in_order)
{
    struct addr a;

    read_world(ruled[_i].lines);
    ck_assert_str_eq(conf.message, "");
    if (addr_from_text(ruled[_i].host, strlen(ruled[_i].host), &a) != 0)
        ck_assert_int_eq(addr_from_name(ruled[_i].host, strlen(ruled[_i].host), &a), 0);
    a.port = 80;
    ck_assert_msg(rules_judge(&conf.rules, &a, NULL) == ruled[_i].verdict, "row %d", _i);
}
END_TEST

START_TEST(thousand_rules_read)
{
    static char lines[32000];
    int i, used = snprintf(lines, sizeof lines, P "SOCKSIFY_DIRECT=");
    struct addr a;

    for (i = 0; i < 1000; i++)
        used += snprintf(lines + used, sizeof lines - (size_t)used, "h%d.test,", i);
    read_world(lines);
    ck_assert_int_eq(conf.state, CONF_READY);
    ck_assert_uint_eq(conf.rules.count, 1000);
    ck_assert_int_eq(addr_from_name("h999.test", 9, &a), 0);
    a.port = 1;
    ck_assert_int_eq(rules_judge(&conf.rules, &a, NULL), RULES_DIRECT);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("conf");
    TCase *t = tcase_create("conf");

    tcase_add_checked_fixture(t, map_area, unmap_area);
    tcase_add_loop_test(t, environment_good_ready, 0, COUNT(ready));
    tcase_add_loop_test(t, environment_without_us_none, 0, COUNT(none));
    tcase_add_loop_test(t, timeout_good_bounds_both, 0, COUNT(timeouts));
    tcase_add_loop_test(t, log_good_read_in_each_state, 0, COUNT(logs));
    tcase_add_test(t, log_path_longest_kept_one_more_refused);
    tcase_add_test(t, words_good_set);
    tcase_add_loop_test(t, environment_resolver_with_and_without_port, 0, COUNT(resolvers));
    tcase_add_loop_test(t, lists_judged_in_order, 0, COUNT(ruled));
    tcase_add_test(t, thousand_rules_read);
    suite_add_tcase(s, t);
    return s;
}
