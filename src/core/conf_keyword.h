/* SPDX-License-Identifier: ISC */
/* conf_keyword.h - the table of variables and keys, and how each is read; for conf.c and its like only */
#ifndef SOCKSIFY_CORE_CONF_KEYWORD_H
#define SOCKSIFY_CORE_CONF_KEYWORD_H

#include <stddef.h>

#include "conf.h"

enum { CONF_STEP_MS = 10000, CONF_REPLY_MS = 130000 };      /* the default deadlines, milliseconds */

enum { CONF_PORT_FTP = 21 };

/* What a variable or key sets; the first that is there for a slot fills it. */
enum conf_slot {
    SLOT_LOG, SLOT_PROXY, SLOT_USER, SLOT_PASSWORD, SLOT_BLOCK, SLOT_DIRECT, SLOT_TIMEOUT, SLOT_DNS,
    SLOT_RESOLVER, SLOT_POOL4, SLOT_POOL6, SLOT_BYPASS, SLOT_STATS, SLOT_BIND, SLOT_BIND_PORTS, SLOT_PIPELINE,
    SLOT_RULE, SLOT_COUNT
};

enum {
    KEY_OURS = 1,           /* asks for a proxy by being set */
    KEY_EMPTY = 2,          /* the empty value has a meaning */
    KEY_LIST = 4,           /* its rules need memory; as a key it stands below [rules], any number of times */
    KEY_CONVENTION = 8      /* other programs' */
};

/* Where a value stands; name: constant, NULL for nowhere; line: of the file, 0 for a variable. */
struct conf_place {
    const char *name;
    unsigned line;
};

/* One reading of the configuration; lives on conf_read()'s stack. */
struct conf_reader {
    struct conf *c;
    const struct conf_source *source;
    struct conf_place here;             /* what is being read */
    struct conf_proxy *into;            /* the proxy it is about */
    struct conf_place *filled;          /* what filled a slot: first, or named for a [proxy NAME] */
    struct conf_place first[SLOT_COUNT], named[SLOT_COUNT];
    struct conf_place heading;          /* of the [proxy NAME] whose keys are being read; name NULL: none */
    bool foreign;                       /* the first proxy is not this layer's: neither are user and password */
    bool ours;                          /* something asks for a proxy */
    uint32_t seen, named_seen;          /* keys of the file, and of this [proxy NAME], by number */
    const char *via;                    /* the name behind `via` */
    unsigned via_line[CONF_PROXIES];    /* the line that first asked for a proxy; 0: none did */
    const char *fault;                  /* a constant phrase */
    const char *item;                   /* the part of the value at fault when it may be shown, or NULL */
    size_t item_len;
};

/* Read one value into r->c.  value: NUL-terminated, need only live until the next call of the source.
 * Returns 0; -EINVAL with r->fault and r->item set; -ENOENT when the value is none of ours and counts as unset. */
typedef int conf_parse(struct conf_reader *r, const char *value);

/* auto, on or off; ports and ranges of ports; off, on or auto. */
conf_parse conf_parse_bind, conf_parse_bind_ports, conf_parse_pipeline;

struct conf_keyword {
    const char *variable;               /* NULL: a key of the file alone */
    const char *key;                    /* NULL: a variable alone */
    conf_parse *parse;
    enum conf_slot slot;
    unsigned flags;
};

enum { CONF_KEYWORDS = 30 };

/* The place of a proxy with a name, a new one if there is none of that name.  name: as conf_file.h lets it be.
 * Returns 1 to CONF_PROXIES - 1, or -ENOSPC, which conf_too_many tells in words. */
int conf_proxy_index(struct conf *c, const char *name);

extern const char conf_too_many[];

/* What it means that a file cannot be read: a constant phrase.  error: negative errno. */
const char *conf_file_fault(int error);

/* In order of precedence within a slot; constant. */
extern const struct conf_keyword conf_keywords[CONF_KEYWORDS];

#endif
