/* SPDX-License-Identifier: ISC */
/* fuzz_rules.c - no list breaks the bounds of its set, and what a rule names it matches
 *
 * Input: the list, a NUL, the text of a target with the port in its first two bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool truth)
{
    if (!truth)
        abort();
}

static void check_rule(const struct rules *r, const struct rule *rule)
{
    struct addr a;

    memset(&a, 0, sizeof a);
    a.kind = rule->kind;
    a.port = rule->port_high;
    demand(rule->port_low <= rule->port_high);
    if (rule->kind == ADDR_NAME) {
        demand(rule->name >= r->text && rule->name < r->text + r->text_used);
        demand(strlen(rule->name) >= 1 && strlen(rule->name) <= ADDR_NAME_MAX);
        strcpy(a.name, rule->name);
    } else {
        demand(rule->prefix <= (rule->kind == ADDR_IPV4 ? 32 : rule->kind == ADDR_IPV6 ? 128 : 0));
        memcpy(a.ip, rule->ip, sizeof a.ip);
    }
    demand(rules_judge(r, &a, NULL) == RULES_BLOCK);
}

static void judge_target(const struct rules *r, const uint8_t *data, size_t size)
{
    const char *why = NULL;
    struct addr a;
    enum rules_verdict verdict;

    if (size < 2)
        return;
    if (addr_from_text((const char *)data + 2, size - 2, &a) < 0 &&
        addr_from_name((const char *)data + 2, size - 2, &a) < 0)
        return;
    a.port = bytes_get16(data);
    verdict = rules_judge(r, &a, &why);
    demand(verdict <= RULES_BLOCK && why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = memchr(data, 0, size);
    size_t len = nul ? (size_t)(nul - data) : size, count, bad_len = 0, i;
    char *list = malloc(len + 1), *text = malloc(len + 1);
    const char *bad = NULL;
    struct rule *rule;
    struct rules r;

    demand(list && text);
    memcpy(list, data, len);
    list[len] = '\0';
    count = rules_count(list);
    rule = malloc(count * sizeof *rule + 1);
    demand(rule);
    rules_init(&r, rule, count, text, len + 1);
    if (rules_add(&r, list, RULES_BLOCK, &bad, &bad_len) == 0) {
        demand(r.count == count && !bad);
    } else {
        demand(r.count == 0 && r.text_used == 0);
        demand(bad_len > 0 && bad >= list && bad + bad_len <= list + len);
    }
    for (i = 0; i < r.count; i++)
        check_rule(&r, &r.rule[i]);
    if (nul)
        judge_target(&r, nul + 1, size - len - 1);
    rules_init(&r, rule, count, text, len + 1);
    demand(rules_add_no_proxy(&r, list) == 0);
    demand(r.count <= count && (bad || r.count == count));
    if (nul)
        judge_target(&r, nul + 1, size - len - 1);
    free(rule);
    free(text);
    free(list);
    return 0;
}
