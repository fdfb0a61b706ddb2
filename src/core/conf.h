/* SPDX-License-Identifier: ISC */
/* conf.h - the configuration: text in, an immutable value out
 *
 * Core reads no environment and no file: conf_read() asks for each variable through a function, and is given the text
 * of the configuration file.  The value is built
 * once at start-up and only read after; reading needs no lock.
 */
#ifndef SOCKSIFY_CORE_CONF_H
#define SOCKSIFY_CORE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "pools.h"
#include "rules.h"

enum conf_state {
    CONF_NONE,      /* no variable of ours and no convention is set */
    CONF_READY,
    CONF_BROKEN     /* something is wrong: conf.message says what; everything but loopback must fail */
};

enum conf_dns { CONF_DNS_REMOTE, CONF_DNS_LOCAL };
enum conf_bypass { CONF_BYPASS_REFUSE, CONF_BYPASS_ALLOW };

enum conf_bind { CONF_BIND_AUTO, CONF_BIND_ON, CONF_BIND_OFF };

/* How the messages of a handshake go out: one a round trip, all in one flight, or as is known of the proxy. */
enum conf_pipeline { CONF_PIPELINE_OFF, CONF_PIPELINE_ON, CONF_PIPELINE_AUTO };

enum { CONF_BIND_PORTS = 16 };

enum { CONF_CREDENTIAL_SIZE = 256, CONF_MESSAGE_SIZE = 512, CONF_PATH_SIZE = 4096 };

enum { CONF_PROXIES = 8, CONF_NAME_SIZE = 32 };

enum conf_level { CONF_LOG_QUIET, CONF_LOG_WARN, CONF_LOG_INFO, CONF_LOG_DEBUG };

struct conf_proxy {
    char name[CONF_NAME_SIZE];            /* as rules call it; empty for the first */
    struct addr address;                  /* IPv4, IPv6 or a name; the port is set */
    char user[CONF_CREDENTIAL_SIZE];      /* empty: no credentials */
    char password[CONF_CREDENTIAL_SIZE];
};

struct conf {
    enum conf_state state;
    struct conf_proxy proxies[CONF_PROXIES];  /* the first for all that no rule sends elsewhere */
    unsigned proxy_count;                 /* at least 1 */
    uint32_t step_ms;                     /* deadline of each step before the final reply, milliseconds */
    uint32_t reply_ms;                    /* deadline of the final reply, milliseconds */
    enum conf_dns dns;
    struct addr resolver;                 /* DNS server behind the proxy, IPv4 or IPv6; ADDR_NONE: none was named */
    struct pools pools;                   /* of the addresses that stand for names */
    enum conf_bypass bypass;
    bool stats;                           /* a summary when a process ends */
    enum conf_pipeline pipeline;
    enum conf_bind bind;                  /* which listening sockets go through the proxy, see bindrule.h */
    unsigned bind_ports;                  /* ranges of bind_port[] */
    struct { uint16_t low, high; } bind_port[CONF_BIND_PORTS];
    enum conf_level log_level;
    char log_path[CONF_PATH_SIZE];        /* empty: standard error */
    struct rules rules;
    uint32_t counted;                     /* a bit for each keyword whose variable counted; conf_keyword.h */
    char file[CONF_PATH_SIZE];            /* the configuration file that was read; empty: none; set by conf_load() */
    char message[CONF_MESSAGE_SIZE];      /* when CONF_BROKEN: one line, no credentials in it */
};

/* The value of a variable, or NULL; what it points to need only live until the next call. */
typedef const char *conf_lookup(void *context, const char *name);

/* The contents of the password file named by path, as a NUL-terminated string without its line end, or NULL with a
 * negative errno in *error; -EPERM: everyone may read it. */
typedef const char *conf_read_file(void *context, const char *path, int *error);

struct conf_source {
    conf_lookup *lookup;
    conf_read_file *read_file;
    void *context;                        /* passed to both; may be NULL */
    const char *file;                     /* the configuration file's name, for messages; NULL: there is none */
    char *text;                           /* what is in it, NUL-terminated; conf_read() cuts it up */
    int file_error;                       /* 0, or negative errno: it cannot be read, there is no text */
    bool file_public;                     /* everyone may read it: it must hold no password */
};

/* Bytes of memory that conf_read() needs for the rules of these variables, an upper bound; 0 without any, the memory
 * may then be NULL. */
size_t conf_memory(const struct conf_source *source);

/* Read the whole configuration.  memory: size bytes as conf_memory() said, aligned for any object, kept by c->rules
 * and to outlive it.  c is always wholly set; a bad value gives CONF_BROKEN and a message that names the variable, or
 * the file with line and key, and the fault (the first one found).
 *
 * First the variables SOCKSIFY_*, then the file, then the conventions; what is set once stays.  Conventions:
 * SOCKS5_SERVER, SOCKS_SERVER ("host[:port]"), ALL_PROXY, all_proxy (only with a scheme of ours, else passed over);
 * SOCKS5_USER, SOCKS_USERNAME; SOCKS5_PASSWORD, SOCKS5_PASSWD, SOCKS_PASSWORD; NO_PROXY, no_proxy (only without
 * SOCKSIFY_DIRECT).  Within each of the three the user and password of the proxy's URL count first, and a password
 * before a password file.  User and password of the file are for the file's proxy and user alone; a convention's are
 * never for the file's proxy.
 * Rules: SOCKSIFY_BLOCK, SOCKSIFY_DIRECT (set and empty: loopback is proxied too), the file's rules as they stand, then
 * NO_PROXY or no_proxy.
 * SOCKSIFY_TIMEOUT (seconds, decimals allowed), SOCKSIFY_DNS, SOCKSIFY_RESOLVER ("address[:port]", port 53 if
 * absent), SOCKSIFY_POOL4 and SOCKSIFY_POOL6 (pools.h), SOCKSIFY_BYPASS, SOCKSIFY_BIND, SOCKSIFY_BIND_PORTS (ports and
 * ranges, up to CONF_BIND_PORTS), SOCKSIFY_PIPELINE ("off", "on" or "auto"), SOCKSIFY_LOG ("level[:file]", level
 * quiet, warn, info, debug or 0 to 3), SOCKSIFY_STATS ("on" or "off").  An empty variable counts as unset except
 * SOCKSIFY_DIRECT.
 * The keys of the file: proxy, user, password, password-file, timeout, dns, resolver, pool4, pool6, bypass, bind,
 * bind-ports, pipeline, log, stats, each at most once; below [proxy NAME] the first four for another proxy; below
 * [rules] block, direct, proxy and via NAME, each with a list (conf_file.h).  Paths in it are absolute.
 *
 * A timeout T sets reply_ms to T and step_ms to T, at most 10 s.  A user without a password or a password without a
 * user is a fault (RFC 1929 section 2: both have 1 to 255 bytes).  Without a proxy a variable of ours other than
 * SOCKSIFY_LOG, or a file, gives CONF_BROKEN, conventions alone CONF_NONE; log_level and log_path are read in each
 * state.
 * c: zero-filled; only what is not zero is written. */
void conf_read(struct conf *c, const struct conf_source *source, void *memory, size_t size);

/* The message where variables of ours are set, but no proxy is named and there is no file. */
extern const char conf_without_proxy[];

/* Read `socks5://[user[:password]@]host[:port]`; socks5h the same; percent-decoding in user and password; IPv6 in
 * brackets, a scope id after % or %25 (RFC 6874); port 1080 when absent; one slash may end it.
 * url: NUL-terminated.  Returns 0 or -EINVAL with *fault a constant phrase ("empty host", "port is not 1 to 65535",
 * "neither socks5:// nor socks5h://, and no other proxy can be used",
 * "user is longer than 255 bytes", "bad percent-encoding", ...).
 * user and password: CONF_CREDENTIAL_SIZE bytes each, empty strings when the URL has none.  Outputs untouched on
 * error. */
int conf_parse_url(const char *url, struct addr *proxy, char *user, char *password, const char **fault);

/* True if conf_parse_url() knows the scheme that url begins with.  url: NUL-terminated. */
bool conf_has_scheme(const char *url);

/* Read `host[:port]` as it stands in a URL.
 * text: len bytes, no NUL needed.  Returns 0 or -EINVAL with *fault as conf_parse_url() (proxy untouched). */
int conf_parse_server(const char *text, size_t len, struct addr *proxy, const char **fault);

#endif
