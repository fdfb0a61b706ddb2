/* SPDX-License-Identifier: ISC */
/* conf_file.c - the lines of a configuration file */
#include "conf_file.h"

#include <stddef.h>
#include <string.h>

static const char blanks[] = " \t\r";

/* Cut the blanks off both ends of what ends at `end`. */
static char *trim(char *text, char *end)
{
    text += strspn(text, blanks);
    while (end > text && strchr(blanks, end[-1]))
        end--;
    *end = '\0';
    return text;
}

static const char *read_heading(struct conf_cursor *c, const char *text)
{
    if (strcmp(text, "[rules]") == 0)
        c->rules = true;
    else if (strcmp(text, "[socksify]") == 0)
        c->rules = false;
    else
        return "neither [socksify] nor [rules]";
    return NULL;
}

static const char *read_pair(char *text, struct conf_line *line)
{
    char *equals = strchr(text, '='), *end = text + strlen(text);

    if (!equals)
        return "no = after the key";
    line->value = trim(equals + 1, end);
    line->key = trim(text, equals);
    if (line->key[0] == '\0')
        return "no key before the =";
    return line->value[0] == '\0' ? "no value after the =" : NULL;
}

bool conf_file_next(struct conf_cursor *c, struct conf_line *out)
{
    struct conf_line line = { .key = "", .value = "" };

    while (*c->next) {
        size_t len = strcspn(c->next, "\n");
        char *text = c->next, *end = text + len;

        c->next = end + (*end != '\0');
        line.number = ++c->number;
        text = trim(text, end);
        if (text[0] == '\0' || text[0] == '#' || text[0] == ';')
            continue;
        line.fault = text[0] == '[' ? read_heading(c, text) : read_pair(text, &line);
        if (text[0] == '[' && !line.fault)
            continue;
        line.rules = c->rules;
        *out = line;
        return true;
    }
    return false;
}
