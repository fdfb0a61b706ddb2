/* SPDX-License-Identifier: ISC */
/* fuzz_answer.c - any question to a resolver: an end, and an answer to that question that fits everywhere
 *
 * Input: a byte with what there is (1: a resolver behind the proxy, 2: no valid configuration), then the question.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/answer.h"
#include "io/real.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct state state;
static struct rule room[4];
static char text[100];
static struct conf conf;

static void must(int holds)
{
    if (!holds)
        abort();
}

/* Names without a file: what they are kept in then is all that a process has. */
static void begin(void)
{
    struct state_options options = { .directory = "/nonexistent" };
    const char *bad;
    size_t bad_len;

    if (conf.state == CONF_READY)
        return;
    if (!state.own) {
        real_init();
        state_open(&state, &options);
        rules_init(&conf.rules, room, 4, text, sizeof text);
        must(rules_add(&conf.rules, ".b", RULES_BLOCK, &bad, &bad_len) == 0);
        must(rules_add(&conf.rules, ".d", RULES_DIRECT, &bad, &bad_len) == 0);
    }
    conf.state = CONF_READY;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct answer a;
    uint8_t *query;
    enum answer_way way;

    begin();
    if (size == 0)
        return 0;
    query = malloc(size);
    must(query != NULL);
    memcpy(query, data + 1, size - 1);
    conf.state = data[0] & 2 ? CONF_BROKEN : CONF_READY;
    way = answer_question(&conf, &state, query, size - 1, data[0] & 1, &a);
    must(way != ANSWER_FORWARD || data[0] & 1);
    must((way == ANSWER_NONE) == (size - 1 < DNS_HEADER_SIZE || query[2] >= 0x80));
    if (way == ANSWER_FORWARD)
        answer_failure(&a, DNS_SERVFAIL);
    if (way == ANSWER_HERE || way == ANSWER_FORWARD) {
        must(a.len >= DNS_HEADER_SIZE && a.len <= 512);
        must(memcmp(a.bytes, query, 2) == 0 && a.bytes[2] & 0x80);
        must(memcmp(a.bytes + DNS_HEADER_SIZE, a.question.wire, a.question.wire_len) == 0);
    }
    free(query);
    return 0;
}
