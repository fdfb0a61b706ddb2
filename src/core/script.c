/* SPDX-License-Identifier: ISC */
/* script.c - which program a line or a command names */
#include "script.h"

#include <string.h>

static const char blanks[] = " \t";

bool script_line(char *head, const char **interpreter, const char **argument)
{
    char *name, *end, *rest;

    if (head[0] != '#' || head[1] != '!')
        return false;
    end = strchr(head, '\n');
    name = head + 2 + strspn(head + 2, blanks);
    rest = name + strcspn(name, " \t\n");
    /* A line that is longer than the kernel reads counts only if the name ended before. */
    if (!end && rest == head + SCRIPT_LINE_SIZE)
        return false;
    if (!end)
        end = head + strlen(head);
    if (rest == name)
        return false;
    while (end > rest && strchr(blanks, end[-1]))
        end--;
    *end = '\0';
    *interpreter = name;
    *argument = NULL;
    if (rest == end)
        return true;
    *rest++ = '\0';
    *argument = rest + strspn(rest, blanks);
    return true;
}

bool script_is_env(const char *path)
{
    const char *slash = strrchr(path, '/');

    return strcmp(slash ? slash + 1 : path, "env") == 0;
}

/* The words that -S is to split; NULL: the argument is one word as it is. */
static const char *split_string(const char *argument)
{
    static const char *const options[] = { "-S", "-vS", "--split-string=", "--split-string " };

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (strncmp(argument, options[i], strlen(options[i])) == 0)
            return argument + strlen(options[i]);
    return NULL;
}

static bool takes_value(const char *option, size_t len)
{
    return len == 2 && (option[1] == 'u' || option[1] == 'C' || option[1] == 'a');
}

static void copy_word(const char *from, size_t len, char *word)
{
    if (len >= SCRIPT_WORD_SIZE)
        return;
    memcpy(word, from, len);
    word[len] = '\0';
}

void script_env_word(const char *argument, char *word)
{
    const char *p = split_string(argument);
    bool value = false;

    word[0] = '\0';
    if (!p) {
        if (argument[0] != '-' && !strchr(argument, '='))
            copy_word(argument, strlen(argument), word);
        return;
    }
    for (p += strspn(p, blanks); *p; p += strspn(p, blanks)) {
        size_t len = strcspn(p, blanks);

        if (strcspn(p, "\"'\\$#") < len)
            return;
        if (!value && p[0] != '-' && !memchr(p, '=', len)) {
            copy_word(p, len, word);
            return;
        }
        value = !value && p[0] == '-' && takes_value(p, len);
        p += len;
    }
}

void script_loader_argument(const char *argument, char *word)
{
    word[0] = '\0';
    if (strncmp(argument, "--", 2) != 0 && strchr(argument, '/'))
        copy_word(argument, strlen(argument), word);
}

const char *script_loader_word(char *const argv[])
{
    static const char *const with_value[] = {
        "--library-path", "--preload", "--argv0", "--audit", "--inhibit-rpath", "--glibc-hwcaps-prepend",
        "--glibc-hwcaps-mask"
    };

    if (!argv[0])
        return NULL;
    for (char *const *a = argv + 1; *a; a++) {
        if (strncmp(*a, "--", 2) != 0)
            return *a;
        for (size_t i = 0; i < sizeof with_value / sizeof with_value[0]; i++) {
            if (strcmp(*a, with_value[i]) != 0)
                continue;
            if (!*++a)
                return NULL;
            break;
        }
    }
    return NULL;
}
