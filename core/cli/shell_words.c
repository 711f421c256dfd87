#include "cli/shell_words.h"

#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"

struct splitter {
    const char *at;
    struct arena *arena;
    struct shell_words *words;
    size_t capacity;
    struct error *err;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static bool needs_shell(const struct splitter *splitter, const char *what)
{
    return error_set(splitter->err, ERROR_REFUSED, "it needs a shell, and none is used: %s", what);
}

/* What stands for more than itself outside of quotes; NULL for what does not. */
static const char *meaning_of(char c, bool begins)
{
    static const char *const meanings[] = {"$ a variable or a substitution",
                                           "` a substitution",
                                           "| a pipe",
                                           "& a second command, or the background",
                                           "; a second command",
                                           "< input from elsewhere",
                                           "( a subshell",
                                           ") a subshell",
                                           "* a pattern of file names",
                                           "? a pattern of file names",
                                           "[ a pattern of file names"};
    if (begins && c == '~') {
        return "~ a home folder";
    }
    if (begins && c == '#') {
        return "# a comment";
    }
    for (size_t i = 0; i < COUNT_OF(meanings); i++) {
        if (meanings[i][0] == c) {
            return meanings[i];
        }
    }
    return NULL;
}

/* --- quotes --------------------------------------------------------------------------------------------------------------- */

static bool read_single(struct splitter *splitter, struct buffer *word)
{
    const char *end = strchr(++splitter->at, '\'');
    if (end == NULL) {
        return error_set(splitter->err, ERROR_REFUSED, "a ' has no second one");
    }
    buffer_append(word, splitter->at, (size_t)(end - splitter->at));
    splitter->at = end + 1;
    return true;
}

static bool read_double(struct splitter *splitter, struct buffer *word)
{
    for (splitter->at++; *splitter->at != '"'; splitter->at++) {
        if (*splitter->at == '\0') {
            return error_set(splitter->err, ERROR_REFUSED, "a \" has no second one");
        }
        if (*splitter->at == '$' || *splitter->at == '`') {
            return needs_shell(splitter, meaning_of(*splitter->at, false));
        }
        if (*splitter->at == '\\' && splitter->at[1] != '\0' && strchr("$`\"\\", splitter->at[1]) != NULL) {
            splitter->at++;
        }
        buffer_putc(word, *splitter->at);
    }
    splitter->at++;
    return true;
}

static bool read_escaped(struct splitter *splitter, struct buffer *word)
{
    if (*++splitter->at == '\0') {
        return error_set(splitter->err, ERROR_REFUSED, "a backslash ends it");
    }
    buffer_putc(word, *splitter->at++);
    return true;
}

/* --- words ---------------------------------------------------------------------------------------------------------------- */

static bool read_piece(struct splitter *splitter, struct buffer *word, bool begins)
{
    const char *meaning = meaning_of(*splitter->at, begins);
    switch (*splitter->at) {
    case '\'':
        return read_single(splitter, word);
    case '"':
        return read_double(splitter, word);
    case '\\':
        return read_escaped(splitter, word);
    default:
        if (meaning != NULL) {
            return needs_shell(splitter, meaning);
        }
        buffer_putc(word, *splitter->at++);
        return true;
    }
}

static bool read_text(struct splitter *splitter, struct buffer *word)
{
    const char *start = splitter->at;
    while (*splitter->at != '\0' && *splitter->at != '>' && !is_blank(*splitter->at)) {
        if (!read_piece(splitter, word, splitter->at == start)) {
            return false;
        }
    }
    return true;
}

static void keep(struct splitter *splitter, const char *word)
{
    struct shell_words *words = splitter->words;
    if (words->count + 1 >= splitter->capacity) {
        splitter->capacity = splitter->capacity == 0 ? 16 : splitter->capacity * 2;
        char **items = arena_alloc(splitter->arena, splitter->capacity * sizeof *items);
        if (words->count > 0) {
            memcpy(items, words->items, words->count * sizeof *items);
        }
        words->items = items;
    }
    words->items[words->count++] = arena_strdup(splitter->arena, word);
    words->items[words->count] = NULL;
}

/* "2>" and ">" alike; a digit that stands in a word is none. */
static bool at_redirection(const struct splitter *splitter)
{
    return *splitter->at == '>' || ((*splitter->at == '1' || *splitter->at == '2') && splitter->at[1] == '>');
}

/* "3>", "12>": what is no output of psql. */
static bool at_other_descriptor(const struct splitter *splitter)
{
    size_t digits = strspn(splitter->at, "0123456789");
    return digits > 0 && splitter->at[digits] == '>' && !at_redirection(splitter);
}

static bool read_redirection(struct splitter *splitter)
{
    struct buffer target = {0};
    splitter->at += *splitter->at == '>' ? 1 : 2;
    if (splitter->at[0] == '&' && (splitter->at[1] == '1' || splitter->at[1] == '2') &&
        (splitter->at[2] == '\0' || is_blank(splitter->at[2]))) {
        splitter->at += 2;
        return true;
    }
    splitter->at += *splitter->at == '>' ? 1 : 0;
    while (is_blank(*splitter->at)) {
        splitter->at++;
    }
    bool good = read_text(splitter, &target);
    if (good && strcmp(buffer_text(&target), "/dev/null") != 0) {
        good = error_set(splitter->err, ERROR_REFUSED, "its output goes to \"%.200s\"; here no output is kept",
                         buffer_text(&target));
    }
    buffer_finish(&target);
    return good;
}

static bool read_word(struct splitter *splitter)
{
    struct buffer word = {0};
    bool good = read_text(splitter, &word);
    if (good) {
        keep(splitter, buffer_text(&word));
    }
    buffer_finish(&word);
    return good;
}

bool shell_words_split(const char *text, struct arena *arena, struct shell_words *words, struct error *err)
{
    struct splitter splitter = {.at = text, .arena = arena, .words = words, .err = err};
    *words = (struct shell_words){.items = arena_alloc(arena, sizeof *words->items)};
    for (;;) {
        while (is_blank(*splitter.at)) {
            splitter.at++;
        }
        if (*splitter.at == '\0') {
            return true;
        }
        if (at_other_descriptor(&splitter)) {
            return error_set(err, ERROR_REFUSED, "it redirects what is neither output nor errors: only 1> and 2> are");
        }
        if (!(at_redirection(&splitter) ? read_redirection(&splitter) : read_word(&splitter))) {
            return false;
        }
    }
}
