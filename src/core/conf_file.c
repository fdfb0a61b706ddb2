/* SPDX-License-Identifier: ISC */
/* conf_file.c - the lines of a configuration file */
#include "conf_file.h"

#include <stddef.h>
#include <string.h>

#include "conf.h"

static const char blanks[] = " \t\r";
static const char byte_order_mark[] = "\xef\xbb\xbf";
static const char bad_name[] = "the name of a proxy is not 1 to 31 letters, digits, -, _ and .";

/* Cut the blanks off both ends of what ends at `end`. */
static char *trim(char *text, char *end)
{
    text += strspn(text, blanks);
    while (end > text && strchr(blanks, end[-1]))
        end--;
    *end = '\0';
    return text;
}

/* Letters, digits, `-`, `_` and `.`. */
static bool is_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len < CONF_NAME_SIZE &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

/* The name behind a word and blanks, NULL when text does not begin so. */
static char *name_behind(const char *word, char *text)
{
    size_t len = strlen(word);

    if (strncmp(text, word, len) != 0 || text[len] == '\0' || !strchr(blanks, text[len]))
        return NULL;
    return text + len + strspn(text + len, blanks);
}

/* Where a comment begins in a line or value: a # at the beginning or behind a blank; NULL without one. */
static char *find_comment(char *text)
{
    for (char *p = strchr(text, '#'); p; p = strchr(p + 1, '#'))
        if (p == text || strchr(blanks, p[-1]))
            return p;
    return NULL;
}

/* A password may hold anything.  To cut one, or to take a comment into it, would be found out by the proxy alone. */
static const char *cut_comment(const char *key, char *value)
{
    char *comment = find_comment(value);
    bool credential = strcmp(key, "user") == 0 || strcmp(key, "password") == 0;

    if (credential && comment && comment > value)
        return "a # behind a blank: a comment stands on a line of its own here, such a password in a password-file";
    if (credential)
        return NULL;
    if (comment)
        trim(value, comment);
    return value[0] == '"' || value[0] == '\'' ? "the value stands in quotes, which do not belong there" : NULL;
}

static const char *read_heading(struct conf_cursor *c, char *text, struct conf_line *line)
{
    char *comment = find_comment(text), *name;
    size_t len;

    if (comment)
        trim(text, comment);
    len = strlen(text);
    if (strcmp(text, "[rules]") == 0) {
        c->section = SECTION_RULES;
    } else if (strcmp(text, "[socksify]") == 0) {
        c->section = SECTION_MAIN;
    } else if ((name = name_behind("[proxy", text)) && text[len - 1] == ']') {
        c->section = SECTION_PROXY;
        line->name = trim(name, text + len - 1);
        return is_name(line->name) ? NULL : bad_name;
    } else {
        return "the heading is none of [socksify], [proxy NAME] and [rules]";
    }
    return NULL;
}

static const char *read_pair(char *text, struct conf_line *line)
{
    char *equals = strchr(text, '='), *end = text + strlen(text);
    const char *fault;

    if (!equals)
        return "no = after the key";
    line->value = trim(equals + 1, end);
    line->key = trim(text, equals);
    if (line->key[0] == '\0')
        return "no key before the =";
    if (line->section == SECTION_RULES && (line->name = name_behind("via", text))) {
        text[strlen("via")] = '\0';
        if (!is_name(line->name))
            return bad_name;
    }
    fault = cut_comment(line->key, equals + 1 + strspn(equals + 1, blanks));
    return fault || line->value[0] ? fault : "no value after the =";
}

/* Read one line of something.  Returns true if it is to be told. */
static bool read_line(struct conf_cursor *c, char *text, struct conf_line *line)
{
    if (text[0] == '[') {
        line->fault = read_heading(c, text, line);
        line->section = c->section;
        return line->fault || line->name;
    }
    line->section = c->section;
    line->fault = read_pair(text, line);
    return true;
}

bool conf_file_next(struct conf_cursor *c, struct conf_line *out)
{
    /* Some editors put it there, and none shows it. */
    if (c->number == 0 && strncmp(c->next, byte_order_mark, sizeof byte_order_mark - 1) == 0)
        c->next += sizeof byte_order_mark - 1;
    while (*c->next) {
        struct conf_line line = { .number = ++c->number };
        size_t len = strcspn(c->next, "\n");
        char *text = c->next, *end = text + len;

        c->next = end + (*end != '\0');
        text = trim(text, end);
        if (text[0] == '\0' || text[0] == '#' || text[0] == ';' || !read_line(c, text, &line))
            continue;
        *out = line;
        return true;
    }
    return false;
}
