/* SPDX-License-Identifier: ISC */
/* check_conf_fault.c - bad configurations, each named in one line without credentials */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "conf_world.h"

Suite *make_suite(void);

/* Every credential here contains "hunter22". */
#define H "hunter22"
#define NO_PASSWORD "a user without a password: set SOCKSIFY_PASSWORD, or give the user with -u"
#define SCHEME "neither socks5:// nor socks5h://, and no other proxy can be used"
#define MISSING "SOCKSIFY_PROXY is not set"
#define NO_ITEM "neither address, network, name nor * in item"
#define PORT "the port is none, and no range of them, in item"
#define PREFIX "the prefix length does not fit the address in item"
#define PORTS_FAULT "SOCKSIFY_BIND_PORTS: no port from 1 to 65535 and no range of them "    /* and which */
#define TIMEOUT_FAULT "SOCKSIFY_TIMEOUT: not a number of seconds above 0, at most 86400, with up to 3 decimals"
#define LEVEL_FAULT "SOCKSIFY_LOG: level is not quiet, warn, info, debug or 0 to 3"

static const struct {
    const char *lines, *message;
} broken[] = {
    { "SOCKSIFY_USER=" H, MISSING },
    { "SOCKSIFY_PASSWORD=" H, MISSING },
    { "SOCKSIFY_PASSWORD_FILE=/none", MISSING },
    { "SOCKSIFY_DIRECT=", MISSING },
    { "SOCKSIFY_DIRECT=*", MISSING },
    { "SOCKSIFY_BLOCK=*", MISSING },
    { "SOCKSIFY_DNS=local", MISSING },
    { "SOCKSIFY_DNS=sometimes\nSOCKSIFY_LOG=loud", MISSING },
    { "SOCKSIFY_TIMEOUT=5", MISSING },
    { "SOCKSIFY_BYPASS=allow", MISSING },
    { "SOCKSIFY_DNS=remote\nALL_PROXY=http://" H "@h", MISSING },
    { "SOCKSIFY_PROXY=\nSOCKSIFY_DNS=remote", MISSING },
    { "SOCKSIFY_PROXY=http://" H ":" H "@h", "SOCKSIFY_PROXY: " SCHEME },
    { "SOCKSIFY_PROXY=" H ":" H "@h", "SOCKSIFY_PROXY: no scheme: socks5:// comes first" },
    { "SOCKSIFY_PROXY=socks5://" H ":" H "@", "SOCKSIFY_PROXY: empty host" },
    { "SOCKSIFY_PROXY=socks5://" H ":" H "@h:70000", "SOCKSIFY_PROXY: port is not 1 to 65535" },
    { "SOCKSIFY_PROXY=socks5://" H ":" H "@[::1", "SOCKSIFY_PROXY: unclosed bracket" },
    { "SOCKSIFY_PROXY=socks5://" H ":" H "%00@h", "SOCKSIFY_PROXY: encoded NUL byte" },
    { "SOCKSIFY_PROXY=socks5://" H ":" H "/@h", "SOCKSIFY_PROXY: user or password needs percent-encoding" },
    { "SOCKSIFY_PROXY=socks5://:" H "@h", "SOCKSIFY_PROXY: empty user with a password" },
    { "SOCKSIFY_PROXY=socks5://" H "@h", "SOCKSIFY_PROXY: " NO_PASSWORD },
    { "SOCKSIFY_PROXY=socks5://" H ":@h", "SOCKSIFY_PROXY: " NO_PASSWORD },
    { "SOCKSIFY_PROXY=bad\nSOCKS5_SERVER=192.0.2.1", "SOCKSIFY_PROXY: no scheme: socks5:// comes first" },
    { "SOCKS5_SERVER=" H ":" H "@h", "SOCKS5_SERVER: port is not 1 to 65535" },
    { "SOCKS5_SERVER=" H "@h", "SOCKS5_SERVER: bad host name or address" },
    { "SOCKS5_SERVER=h:0", "SOCKS5_SERVER: port is not 1 to 65535" },
    { "SOCKS5_SERVER=:1080", "SOCKS5_SERVER: empty host" },
    { "SOCKS_SERVER=socks4://h", "SOCKS_SERVER: " SCHEME },
    { "ALL_PROXY=socks5://" H "@:1", "ALL_PROXY: empty host" },
    { "all_proxy=socks5h://h:x", "all_proxy: port is not 1 to 65535" },
    { P "SOCKSIFY_USER=" H, "SOCKSIFY_USER: " NO_PASSWORD },
    { P "SOCKS5_USER=" H, "SOCKS5_USER: " NO_PASSWORD },
    { P "SOCKSIFY_PASSWORD=" H, "SOCKSIFY_PASSWORD: a password without a user" },
    { P "SOCKS5_PASSWORD=" H, "SOCKS5_PASSWORD: a password without a user" },
    { P "SOCKS5_PASSWD=" H, "SOCKS5_PASSWD: a password without a user" },
    { P "SOCKS_PASSWORD=" H, "SOCKS_PASSWORD: a password without a user" },
    { P "SOCKSIFY_PASSWORD_FILE=/pw", "SOCKSIFY_PASSWORD_FILE: a password without a user" },
    { P "SOCKSIFY_USER=" A255 "a\nSOCKSIFY_PASSWORD=" H, "SOCKSIFY_USER: user is longer than 255 bytes" },
    { P "SOCKSIFY_USER=" H "\nSOCKSIFY_PASSWORD=" H A255, "SOCKSIFY_PASSWORD: password is longer than 255 bytes" },
    { P "SOCKS5_USER=" H A255 "\nSOCKS5_PASSWD=" H, "SOCKS5_USER: user is longer than 255 bytes" },
    { P "SOCKSIFY_USER=u\nSOCKSIFY_PASSWORD_FILE=/none", "SOCKSIFY_PASSWORD_FILE: the file does not exist" },
    { P "SOCKSIFY_USER=u\nSOCKSIFY_PASSWORD_FILE=/denied", "SOCKSIFY_PASSWORD_FILE: the file may not be read" },
    { P "SOCKSIFY_USER=u\nSOCKSIFY_PASSWORD_FILE=/broken", "SOCKSIFY_PASSWORD_FILE: the file cannot be read" },
    { P "SOCKSIFY_USER=u\nSOCKSIFY_PASSWORD_FILE=/empty", "SOCKSIFY_PASSWORD_FILE: the password in the file is empty" },
    { P "SOCKSIFY_USER=u\nSOCKSIFY_PASSWORD_FILE=/long", "SOCKSIFY_PASSWORD_FILE: password is longer than 255 bytes" },
    { P "SOCKSIFY_BLOCK=a.test,10.0.0.0/33 b.test", "SOCKSIFY_BLOCK: " PREFIX " \"10.0.0.0/33\"" },
    { P "SOCKSIFY_DIRECT=10.0.0.0/8,[fd00::/8", "SOCKSIFY_DIRECT: " NO_ITEM " \"[fd00::/8\"" },
    { P "SOCKSIFY_DIRECT=a:0", "SOCKSIFY_DIRECT: " PORT " \"a:0\"" },
    { P "SOCKSIFY_DIRECT=\xc3\xa4\x1b[0m", "SOCKSIFY_DIRECT: " NO_ITEM " \"???[0m\"" },
    { P "SOCKSIFY_DIRECT=!" A50 "bbbbbbbbbbbbbccc", "SOCKSIFY_DIRECT: " NO_ITEM " \"!" A50 "bbbbbbbbbbbbb\"" },
    { P "SOCKSIFY_DIRECT=socks5://" H ":" H "@h", "SOCKSIFY_DIRECT: " NO_ITEM },
    { P "SOCKSIFY_BLOCK=x/\nSOCKSIFY_DNS=what", "SOCKSIFY_BLOCK: " NO_ITEM " \"x/\"" },
    { P "SOCKSIFY_TIMEOUT=0", TIMEOUT_FAULT },
    { P "SOCKSIFY_TIMEOUT=0.000", TIMEOUT_FAULT },
    { P "SOCKSIFY_TIMEOUT=-1", TIMEOUT_FAULT },
    { P "SOCKSIFY_TIMEOUT=86400.001", TIMEOUT_FAULT },
    { P "SOCKSIFY_TIMEOUT=86401", TIMEOUT_FAULT },
    { P "SOCKSIFY_TIMEOUT=4294967297", TIMEOUT_FAULT },
    { P "SOCKSIFY_TIMEOUT=99999999999999999999999", TIMEOUT_FAULT },
    { P "SOCKSIFY_TIMEOUT=1.0000", TIMEOUT_FAULT },
    { P "SOCKSIFY_TIMEOUT=1.", TIMEOUT_FAULT },
    { P "SOCKSIFY_TIMEOUT=.5", TIMEOUT_FAULT },
    { P "SOCKSIFY_TIMEOUT=1.2.3", TIMEOUT_FAULT },
    { P "SOCKSIFY_TIMEOUT=1e3", TIMEOUT_FAULT },
    { P "SOCKSIFY_TIMEOUT=5s", TIMEOUT_FAULT },
    { P "SOCKSIFY_TIMEOUT= 5", TIMEOUT_FAULT },
    { P "SOCKSIFY_DNS=Remote", "SOCKSIFY_DNS: neither remote nor local" },
    { P "SOCKSIFY_DNS=locally", "SOCKSIFY_DNS: neither remote nor local" },
    { P "SOCKSIFY_POOL4=10.0.0.0/16", "SOCKSIFY_POOL4: the network is smaller than a /15" },
    { P "SOCKSIFY_POOL6=10.0.0.0/8", "SOCKSIFY_POOL6: not an IPv6 network" },
    { P "SOCKSIFY_RESOLVER=ns.example", "SOCKSIFY_RESOLVER: not an address" },
    { P "SOCKSIFY_RESOLVER=ns.example:53", "SOCKSIFY_RESOLVER: not an address" },
    { P "SOCKSIFY_RESOLVER=192.0.2.1:0", "SOCKSIFY_RESOLVER: port is not 1 to 65535" },
    { P "SOCKSIFY_RESOLVER=[2001:db8::1", "SOCKSIFY_RESOLVER: unclosed bracket" },
    { P "SOCKSIFY_RESOLVER=u:" H "@192.0.2.1", "SOCKSIFY_RESOLVER: port is not 1 to 65535" },
    { P "SOCKSIFY_BYPASS=yes", "SOCKSIFY_BYPASS: neither refuse nor allow" },
    { P "SOCKSIFY_BIND=yes", "SOCKSIFY_BIND: none of auto, on and off" },
    { P "SOCKSIFY_PIPELINE=1", "SOCKSIFY_PIPELINE: none of auto, on and off" },
    { P "SOCKSIFY_BIND_PORTS=0", PORTS_FAULT "\"0\"" },
    { P "SOCKSIFY_BIND_PORTS=21,65536", PORTS_FAULT "\"65536\"" },
    { P "SOCKSIFY_BIND_PORTS=22-21", PORTS_FAULT "\"22-21\"" },
    { P "SOCKSIFY_BIND_PORTS=21-", PORTS_FAULT "\"21-\"" },
    { P "SOCKSIFY_BIND_PORTS=ftp", PORTS_FAULT "\"ftp\"" },
    { P "SOCKSIFY_BIND_PORTS=socks5://u:" H "@h", "SOCKSIFY_BIND_PORTS: no port from 1 to 65535 and no range of them" },
    { P "SOCKSIFY_BIND_PORTS=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
      "SOCKSIFY_BIND_PORTS: more than 16 ports and ranges \"17\"" },
    { P "SOCKSIFY_LOG=loud", LEVEL_FAULT },
    { P "SOCKSIFY_LOG=4", LEVEL_FAULT },
    { P "SOCKSIFY_LOG=01", LEVEL_FAULT },
    { P "SOCKSIFY_LOG=:/tmp/x", LEVEL_FAULT },
    { P "SOCKSIFY_LOG=warning", LEVEL_FAULT },
    { P "SOCKSIFY_LOG=info:", "SOCKSIFY_LOG: empty file name" },
};

START_TEST(environment_bad_named_without_credentials)
{
    read_world(broken[_i].lines);
    ck_assert_str_eq(conf.message, broken[_i].message);
    ck_assert_int_eq(conf.state, CONF_BROKEN);
    ck_assert_ptr_null(strstr(conf.message, H));
    ck_assert_ptr_null(strchr(conf.message, '\n'));
    ck_assert_str_eq(conf.proxies[0].password, "");
}
END_TEST

START_TEST(memory_short_broken)
{
    struct world w = { .lines = P "SOCKSIFY_BLOCK=a.test" };
    struct conf_source source = { .lookup = look_up, .read_file = read_file, .context = &w };
    size_t size, need = sizeof(struct rule) + sizeof "a.test";
    void *memory;

    /* The rest is for where the rule stands, which it works without. */
    ck_assert_uint_gt(conf_memory(&source), need);
    for (size = 0; size <= conf_memory(&source); size++) {
        memory = malloc(size ? size : 1);
        memset(&conf, 0, sizeof conf);
        conf_read(&conf, &source, size ? memory : NULL, size);
        ck_assert_int_eq(conf.state, size < need ? CONF_BROKEN : CONF_READY);
        ck_assert_str_eq(conf.message, size < need ? "SOCKSIFY_BLOCK: no room for item \"a.test\"" : "");
        if (size == conf_memory(&source))
            ck_assert_str_eq(conf.rules.rule[0].why, "rule of -b or SOCKSIFY_BLOCK");
        free(memory);
    }
    w.lines = P "NO_PROXY=a.test";
    memset(&conf, 0, sizeof conf);
    conf_read(&conf, &source, NULL, 0);
    ck_assert_str_eq(conf.message, "NO_PROXY: no room for its items");
    w.lines = P;
    ck_assert_uint_eq(conf_memory(&source), 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("conf_fault");
    TCase *t = tcase_create("conf_fault");

    tcase_add_checked_fixture(t, map_area, unmap_area);
    tcase_add_loop_test(t, environment_bad_named_without_credentials, 0, COUNT(broken));
    tcase_add_test(t, memory_short_broken);
    suite_add_tcase(s, t);
    return s;
}
