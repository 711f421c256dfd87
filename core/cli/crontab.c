#include "cli/crontab.h"

#include <ctype.h>
#include <string.h>

#include "base/buffer.h"

#define FIELDS 5
#define BLANKS " \t"

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, BLANKS);
}

static size_t count_lines(const char *text)
{
    size_t count = 1;
    for (; *text != '\0'; text++) {
        count += *text == '\n' ? 1 : 0;
    }
    return count;
}

/* --- settings --------------------------------------------------------------------------------------------------------------- */

static char *unquoted(const char *text, struct arena *arena)
{
    size_t length = strlen(text);
    while (length > 0 && strchr(BLANKS, text[length - 1]) != NULL) {
        length--;
    }
    if (length >= 2 && (*text == '"' || *text == '\'') && text[length - 1] == *text) {
        return arena_strndup(arena, text + 1, length - 2);
    }
    return arena_strndup(arena, text, length);
}

/* NAME = value: what begins with a letter is no entry. */
static bool read_setting(const char *line, struct arena *arena, struct crontab_setting *setting)
{
    char quote = *line == '"' || *line == '\'' ? *line : '\0';
    const char *name = quote != '\0' ? line + 1 : line;
    size_t length = 0;
    while (isalnum((unsigned char)name[length]) != 0 || name[length] == '_') {
        length++;
    }
    const char *rest = name + length;
    if (length == 0 || isdigit((unsigned char)*name) != 0 || (quote != '\0' && *rest++ != quote)) {
        return false;
    }
    rest = skip_blanks(rest);
    if (*rest != '=') {
        return false;
    }
    setting->name = arena_strndup(arena, name, length);
    setting->value = unquoted(skip_blanks(rest + 1), arena);
    return true;
}

/* --- entries ---------------------------------------------------------------------------------------------------------------- */

/* The next word; where the rest begins. */
static const char *cut_word(const char *text, struct buffer *word)
{
    size_t length = strcspn(text, BLANKS);
    buffer_append(word, text, length);
    return skip_blanks(text + length);
}

static const char *read_schedule(const char *line, struct arena *arena, struct crontab_entry *entry)
{
    struct buffer text = {0};
    int fields = *line == '@' ? 1 : FIELDS;
    for (int i = 0; i < fields && *line != '\0'; i++) {
        if (i > 0) {
            buffer_putc(&text, ' ');
        }
        line = cut_word(line, &text);
    }
    entry->schedule = arena_strdup(arena, buffer_text(&text));
    buffer_finish(&text);
    return line;
}

/* The command up to the first '%' that stands for itself; what comes after it, NULL where there is none. What a backslash precedes is passed
 * over, so that a second backslash does not escape a '%' behind it. */
static const char *read_to_percent(const char *text, struct buffer *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '%') {
            return text + 1;
        }
        if (*text == '\\' && text[1] == '%') {
            text++;
        } else if (*text == '\\' && text[1] != '\0') {
            buffer_putc(out, *text++);
        }
        buffer_putc(out, *text);
    }
    return NULL;
}

/* Of the input '%' ends a line; here any backslash before one escapes it, as cron has it. */
static void read_lines(const char *text, struct buffer *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' && text[1] == '%') {
            buffer_putc(out, *++text);
        } else {
            buffer_putc(out, *text == '%' ? '\n' : *text);
        }
    }
}

static void read_command(const char *text, struct arena *arena, struct crontab_entry *entry)
{
    struct buffer out = {0};
    const char *input = read_to_percent(text, &out);
    entry->command = arena_strdup(arena, buffer_text(&out));
    if (input != NULL) {
        buffer_clear(&out);
        read_lines(input, &out);
        buffer_putc(&out, '\n');
        entry->input = arena_strdup(arena, buffer_text(&out));
    }
    buffer_finish(&out);
}

static void read_entry(const char *line, bool system, struct arena *arena, struct crontab_entry *entry)
{
    line = read_schedule(line, arena, entry);
    if (system && *line != '\0') {
        struct buffer user = {0};
        line = cut_word(line, &user);
        entry->user = arena_strdup(arena, buffer_text(&user));
        buffer_finish(&user);
    }
    read_command(line, arena, entry);
    if (entry->command[0] == '\0') {
        entry->problem =
            system ? "this is no line of a crontab with a column of users: MINUTE HOUR DAY MONTH WEEKDAY USER COMMAND"
                   : "this is no line of a crontab: MINUTE HOUR DAY MONTH WEEKDAY COMMAND";
    }
}

/* --- the file --------------------------------------------------------------------------------------------------------------- */

static void read_line(struct crontab *crontab, const char *line, int number, bool system, struct arena *arena)
{
    struct crontab_setting setting = {.line = number};
    line = skip_blanks(line);
    if (*line == '\0' || *line == '#') {
        return;
    }
    if (read_setting(line, arena, &setting)) {
        crontab->settings[crontab->setting_count++] = setting;
        return;
    }
    struct crontab_entry *entry = &crontab->entries[crontab->entry_count++];
    *entry = (struct crontab_entry){.line = number, .settings = crontab->setting_count};
    read_entry(line, system, arena, entry);
}

struct crontab crontab_read(const char *text, bool system, struct arena *arena)
{
    size_t lines = count_lines(text);
    struct crontab crontab = {.settings = arena_alloc(arena, lines * sizeof *crontab.settings),
                              .entries = arena_alloc(arena, lines * sizeof *crontab.entries)};
    char *rest = arena_strdup(arena, text);
    int number = 1;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        size_t length = strlen(line);
        if (length > 0 && line[length - 1] == '\r') {
            line[length - 1] = '\0';
        }
        read_line(&crontab, line, number++, system, arena);
    }
    return crontab;
}

const char *crontab_value(const struct crontab *crontab, const struct crontab_entry *entry, const char *name)
{
    for (size_t i = entry->settings; i-- > 0;) {
        if (strcmp(crontab->settings[i].name, name) == 0) {
            return crontab->settings[i].value;
        }
    }
    return NULL;
}
