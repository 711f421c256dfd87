/* SPDX-License-Identifier: PostgreSQL */
#include "calendar/pg_cron.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "calendar/schedule.h"

#define LONGEST_WORD 99 /* letters and digits that it takes for one value */

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

struct field {
    int low;
    int high;
    const char *const *words;
};

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                     "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL};

static const struct field fields[FIELDS] = {
    [MINUTE] = {0, 59, NULL},  [HOUR] = {0, 23, NULL},       [DAY] = {1, 31, NULL},
    [MONTH] = {1, 12, months}, [WEEKDAY] = {0, 7, weekdays},
};

/* A field as it was understood: its items without those that hold no value. */
struct reading {
    struct buffer items[FIELDS];
    bool star[FIELDS]; /* begins with one */
};

/* One item of a list. */
struct item {
    bool star;
    int first;
    int last;
    int step;
};

static bool is_blank(char character)
{
    return character == ' ' || character == '\t';
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static int word_value(const struct field *field, const char *word)
{
    for (int i = 0; field->words != NULL && field->words[i] != NULL; i++) {
        if (strcasecmp(field->words[i], word) == 0) {
            return field->low + i;
        }
    }
    return -1;
}

/* The low 32 bits, as it keeps them. */
static int kept_digits(const char *digits)
{
    return (int)(unsigned int)(unsigned long)strtol(digits, NULL, 10);
}

static bool read_value(const char **at, const struct field *field, int *value)
{
    char word[LONGEST_WORD + 1];
    size_t length = 0;
    while (isalnum((unsigned char)(*at)[length])) {
        length++;
    }
    if (length == 0 || length > LONGEST_WORD) {
        return false;
    }
    memcpy(word, *at, length);
    word[length] = '\0';
    *at += length;
    *value = field != NULL ? word_value(field, word) : -1;
    if (*value < 0) {
        *value = kept_digits(word);
        return strspn(word, "0123456789") == length;
    }
    return true;
}

/* --- fields ------------------------------------------------------------------------------------------------------- */

static bool in_field(const struct field *field, int value)
{
    return value >= field->low && value <= field->high;
}

static bool read_item(const char **at, const struct field *field, struct item *item)
{
    *item = (struct item){.star = **at == '*', .first = field->low, .last = field->high, .step = 1};
    if (item->star) {
        (*at)++;
    } else if (!read_value(at, field, &item->first)) {
        return false;
    } else if (**at == '-') {
        (*at)++;
        if (!read_value(at, field, &item->last)) {
            return false;
        }
    } else {
        item->last = item->first;
        return **at != '/' && in_field(field, item->first);
    }
    if (**at == '/') {
        (*at)++;
        if (!read_value(at, NULL, &item->step) || item->step <= 0) {
            return false;
        }
    }
    return in_field(field, item->first) && in_field(field, item->last);
}

/* A step beyond the field is none of ours: it leaves the first value alone. Of days, whose star counts by itself, the
 * star stays. */
static void put_star(struct buffer *text, size_t place, int step)
{
    const struct field *field = &fields[place];
    if (step == 1) {
        buffer_putc(text, '*');
    } else if (step <= field->high) {
        buffer_printf(text, "*/%d", step);
    } else if (place == DAY || place == WEEKDAY) {
        buffer_printf(text, "*/%d", field->high);
    } else {
        buffer_printf(text, "%d", field->low);
    }
}

static void put_item(struct buffer *text, size_t place, const struct item *item)
{
    if (item->first > item->last) {
        return;
    }
    if (text->length > 0) {
        buffer_putc(text, ',');
    }
    if (item->star) {
        put_star(text, place, item->step);
    } else if (item->first == item->last || item->step > fields[place].high) {
        buffer_printf(text, "%d", item->first);
    } else if (item->step == 1) {
        buffer_printf(text, "%d-%d", item->first, item->last);
    } else {
        buffer_printf(text, "%d-%d/%d", item->first, item->last, item->step);
    }
}

/* What follows an item and is no comma it passes over, up to the next blank. */
static bool read_field(const char **at, size_t place, struct reading *reading)
{
    struct item item;
    reading->star[place] = **at == '*';
    if (place == DAY && **at == '$' && (is_blank((*at)[1]) || (*at)[1] == '\0')) {
        buffer_putc(&reading->items[place], '$');
        (*at)++;
    } else {
        if (!read_item(at, &fields[place], &item)) {
            return false;
        }
        put_item(&reading->items[place], place, &item);
        while (**at == ',') {
            (*at)++;
            if (!read_item(at, &fields[place], &item)) {
                return false;
            }
            put_item(&reading->items[place], place, &item);
        }
    }
    *at += strcspn(*at, " \t\n");
    *at += strspn(*at, " \t");
    return true;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

/* Blank lines and those of comments. */
static const char *skip_lines(const char *text)
{
    text += strspn(text, " \t");
    while (*text == '\n' || *text == '#') {
        text += strcspn(text, "\n");
        text += *text == '\n' ? 1 : 0;
        text += strspn(text, " \t");
    }
    return text;
}

static enum pg_cron_reading read_word(const char *text, char **equivalent)
{
    static const char *const words[] = {"@reboot", "@restart", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"};
    size_t length = strcspn(text, " \t\n");
    if ((length == 7 && strncmp(text, "@yearly", length) == 0) ||
        (length == 9 && strncmp(text, "@annually", length) == 0)) {
        return PG_CRON_NEVER;
    }
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strlen(words[i]) == length && strncmp(text, words[i], length) == 0) {
            *equivalent = xstrdup(words[i]);
            return PG_CRON_RUNS;
        }
    }
    return PG_CRON_REFUSES;
}

/* "[1-59] seconds", for which ours is the same but for its phase. */
static bool is_interval(const char *text)
{
    struct schedule schedule;
    text += strspn(text, " \t");
    return isdigit((unsigned char)*text) && schedule_parse(text, &schedule, NULL) && schedule.form == SCHEDULE_INTERVAL;
}

/* Where the days of the month or of the week hold nothing, and one of the two suffices, it is the other that counts. */
static bool fill_days(struct reading *reading)
{
    bool both = reading->star[DAY] || reading->star[WEEKDAY];
    size_t empty = reading->items[DAY].length == 0 ? DAY : WEEKDAY;
    size_t other = empty == DAY ? WEEKDAY : DAY;
    if (reading->items[empty].length > 0) {
        return true;
    }
    if (both || reading->items[other].length == 0) {
        return false;
    }
    buffer_putc(&reading->items[empty], '*');
    return true;
}

/* 30 February: ours refuses what never comes. */
static bool ever_comes(const char *text)
{
    struct schedule schedule;
    return schedule_parse(text, &schedule, NULL) && schedule_next(&schedule, 0) != INSTANT_NEVER;
}

static enum pg_cron_reading make_equivalent(struct reading *reading, char **equivalent)
{
    struct buffer *items = reading->items;
    if (items[MINUTE].length == 0 || items[HOUR].length == 0 || items[MONTH].length == 0 || !fill_days(reading)) {
        return PG_CRON_NEVER;
    }
    char *text = xasprintf("%s %s %s %s %s", buffer_text(&items[MINUTE]), buffer_text(&items[HOUR]),
                           buffer_text(&items[DAY]), buffer_text(&items[MONTH]), buffer_text(&items[WEEKDAY]));
    if (!ever_comes(text)) {
        free(text);
        return PG_CRON_NEVER;
    }
    *equivalent = text;
    return PG_CRON_RUNS;
}

static enum pg_cron_reading read_fields(const char *text, char **equivalent)
{
    struct reading reading = {.star = {false}};
    enum pg_cron_reading found = PG_CRON_REFUSES;
    size_t count = 0;
    while (count < FIELDS && read_field(&text, count, &reading)) {
        count++;
    }
    if (count == FIELDS) {
        found = make_equivalent(&reading, equivalent);
    }
    for (size_t i = 0; i < FIELDS; i++) {
        buffer_finish(&reading.items[i]);
    }
    return found;
}

enum pg_cron_reading pg_cron_read(const char *text, char **equivalent)
{
    *equivalent = NULL;
    if (is_interval(text)) {
        *equivalent = xstrdup(text);
        return PG_CRON_RUNS;
    }
    text = skip_lines(text);
    return *text == '@' ? read_word(text, equivalent) : read_fields(text, equivalent);
}
