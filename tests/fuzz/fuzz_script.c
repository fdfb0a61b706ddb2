/* SPDX-License-Identifier: ISC */
/* fuzz_script.c - no first line and no argument of env or of the loader is read too far, and what they name is in them
 *
 * Input: one text, taken as a file's beginning, as the argument of env, and, cut at its line ends, as the loader's
 * arguments.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARGUMENTS = 16 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* A NUL-terminated copy that begins a block of room bytes, zeros behind it. */
static char *copy(const uint8_t *data, size_t size, size_t room)
{
    char *block = calloc(1, room);

    must(block != NULL && size < room);
    memcpy(block, data, size);
    return block;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Nothing was passed over but blanks, and nothing is behind the argument but blanks and the line's end. */
static void check_parts(const char *head, const char *before, const char *name, const char *argument)
{
    const char *end = name + strlen(name), *p;

    must(name >= head + 2 && name[0] != '\0' && strpbrk(name, " \t\n") == NULL);
    for (p = head + 2; p < name; p++)
        must(is_blank(*p));
    if (argument) {
        must(argument > end && argument[0] != '\0' && !is_blank(argument[0]));
        for (p = end; p < argument; p++)
            must(is_blank(before[p - head]));
        end = argument + strlen(argument);
        must(!is_blank(end[-1]) && strchr(argument, '\n') == NULL);
    }
    must(end <= head + SCRIPT_LINE_SIZE);
    for (p = end; is_blank(before[p - head]); p++)
        continue;
    must(before[p - head] == '\n' || before[p - head] == '\0');
}

static void try_line(const uint8_t *data, size_t size)
{
    size_t len = size < SCRIPT_LINE_SIZE ? size : SCRIPT_LINE_SIZE;
    char *head = copy(data, len, SCRIPT_LINE_SIZE + 1), *before = copy(data, len, SCRIPT_LINE_SIZE + 1);
    const char *name = before, *argument = before;

    if (script_line(head, &name, &argument)) {
        must(memcmp(before, "#!", 2) == 0);
        check_parts(head, before, name, argument);
        script_is_env(name);
    } else {
        must(name == before && argument == before);
        must(memcmp(head, before, SCRIPT_LINE_SIZE + 1) == 0);
    }
    free(before);
    free(head);
}

static void try_env(const uint8_t *data, size_t size)
{
    char *argument = copy(data, size, size + 1), *word = malloc(SCRIPT_WORD_SIZE);

    must(word != NULL);
    memset(word, 'x', SCRIPT_WORD_SIZE);
    script_env_word(argument, word);
    must(memchr(word, 0, SCRIPT_WORD_SIZE) != NULL);
    must(word[0] != '-' && strchr(word, '=') == NULL && strstr(argument, word) != NULL);
    if (argument[0] == '-')
        must(strpbrk(word, " \t\"'\\$#") == NULL);
    must(script_is_env(argument) == (strcmp(argument, "env") == 0 || (strlen(argument) >= 4 &&
                                     strcmp(argument + strlen(argument) - 4, "/env") == 0)));
    free(word);
    free(argument);
}

static void try_loader(const uint8_t *data, size_t size)
{
    char *text = copy(data, size, size + 1), *rest = text, *argv[ARGUMENTS + 1];
    const char *word;
    size_t count = 0, i = 1;

    while (count < ARGUMENTS && (argv[count] = strsep(&rest, "\n")))
        count++;
    argv[count] = NULL;
    word = script_loader_word(argv);
    if (word) {
        while (i < count && argv[i] != word)
            i++;
        must(i < count && strncmp(word, "--", 2) != 0);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_line(data, size);
    try_env(data, size);
    try_loader(data, size);
    return 0;
}
