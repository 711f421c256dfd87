/* SPDX-License-Identifier: PostgreSQL */
/* Reading a schedule's text: the fields and what there is around them. The forms with '@' are in schedule_words.c. */
#include "calendar/schedule_text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define LONGEST_TEXT 1000
#define MOST_FIELDS 6

struct field {
    const char *name;
    int low;
    int high;
    int period; /* values before a range comes round: 7 for the weekday, whose 7 is its 0 */
    const char *const *words;
    int first_word; /* value of words[0] */
    const char *expected;
};

static const char *const month_words[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_words[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

enum { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY };

static const struct field fields[MOST_FIELDS] = {
    [SECOND] = {"second", 0, 59, 60, NULL, 0, "0-59"},
    [MINUTE] = {"minute", 0, 59, 60, NULL, 0, "0-59"},
    [HOUR] = {"hour", 0, 23, 24, NULL, 0, "0-23"},
    [DAY] = {"day of month", 1, 31, 31, NULL, 0, "1-31, or $ for the last"},
    [MONTH] = {"month", 1, 12, 12, month_words, 1, "1-12 or jan-dec"},
    [WEEKDAY] = {"day of week", 0, 7, 7, weekday_words, 0, "0-7 or sun-sat"},
};

/* What a field's parser works on: the whole field for messages, and where it has come to. */
struct cursor {
    const struct field *field;
    struct piece whole;
    const char *at;
    struct error *err;
};

static bool hint_field(const struct cursor *cursor)
{
    return error_hint(cursor->err, "a field is *, a value, a range a-b, either of * and a-b with a step (*/5, "
                                   "10-50/10), or a list of these with commas");
}

static bool refuse_field(const struct cursor *cursor, const char *problem)
{
    error_set(cursor->err, ERROR_CONFIG, "%s \"%s\": %s, expected %s", cursor->field->name,
              piece_show(cursor->whole).text, problem, cursor->field->expected);
    return hint_field(cursor);
}

/* A whole period at most: every 24 hours is once a day. Every 90 minutes would not be what a step of 90 does. */
static int longest_step(const struct field *field)
{
    return field->period > field->high ? field->period : field->high;
}

/* A step is no value: what the field expects would contradict it. */
static bool refuse_step(const struct cursor *cursor)
{
    error_set(cursor->err, ERROR_CONFIG, "%s \"%s\": expected a step from 1 to %d after \"/\"", cursor->field->name,
              piece_show(cursor->whole).text, longest_step(cursor->field));
    return hint_field(cursor);
}

static bool at_end(const struct cursor *cursor)
{
    return cursor->at == piece_end(cursor->whole);
}

static bool take(struct cursor *cursor, char expected)
{
    if (at_end(cursor) || *cursor->at != expected) {
        return false;
    }
    cursor->at++;
    return true;
}

/* A number that cannot be in any field stays one such, however long it is. */
static int take_number(struct cursor *cursor)
{
    int value = 0;
    for (; !at_end(cursor) && is_digit(*cursor->at); cursor->at++) {
        value = value < 1000 ? value * 10 + (*cursor->at - '0') : 1000;
    }
    return value;
}

static bool take_word(struct cursor *cursor, int *value)
{
    const char *start = cursor->at;
    while (!at_end(cursor) && is_letter(*cursor->at)) {
        cursor->at++;
    }
    size_t length = (size_t)(cursor->at - start);
    for (int i = 0; cursor->field->words != NULL && cursor->field->words[i] != NULL; i++) {
        if (length == 3 && strncasecmp(cursor->field->words[i], start, length) == 0) {
            *value = cursor->field->first_word + i;
            return true;
        }
    }
    if (length > 3 && cursor->field->words != NULL) {
        return refuse_field(cursor, "names have three letters");
    }
    char problem[SHOWN_TEXT + 32];
    snprintf(problem, sizeof(problem), "unknown name \"%s\"", piece_show((struct piece){start, length}).text);
    return refuse_field(cursor, problem);
}

static bool take_value(struct cursor *cursor, int *value)
{
    if (at_end(cursor) || *cursor->at == ',') {
        return refuse_field(cursor, "a value is missing");
    }
    if (is_letter(*cursor->at)) {
        return take_word(cursor, value);
    }
    if (!is_digit(*cursor->at)) {
        char problem[SHOWN_TEXT + 32];
        snprintf(problem, sizeof(problem), "a value cannot start with \"%s\"",
                 piece_show(piece_character(cursor->whole, cursor->at)).text);
        return refuse_field(cursor, problem);
    }
    *value = take_number(cursor);
    if (*value < cursor->field->low || *value > cursor->field->high) {
        return refuse_field(cursor, "a value is out of range");
    }
    return true;
}

static bool take_step(struct cursor *cursor, int *step)
{
    bool number = !at_end(cursor) && is_digit(*cursor->at);
    *step = number ? take_number(cursor) : 0;
    return (*step >= 1 && *step <= longest_step(cursor->field)) || refuse_step(cursor);
}

/* Sets first, first + step, ... for as long as it is within `span` of the first, around the period's end if need be. */
static void mark(const struct field *field, int first, int span, int step, uint64_t *bits)
{
    for (int offset = 0; offset <= span; offset += step) {
        int value = field->low + (first - field->low + offset) % field->period;
        *bits |= UINT64_C(1) << value;
    }
}

static int span_of(const struct field *field, int first, int last)
{
    return first <= last ? last - first : (last - first + field->period) % field->period;
}

static bool parse_single_or_range(struct cursor *cursor, uint64_t *bits)
{
    int first = 0;
    int last = 0;
    int step = 1;
    if (!take_value(cursor, &first)) {
        return false;
    }
    bool range = take(cursor, '-');
    last = first;
    if (range && !take_value(cursor, &last)) {
        return false;
    }
    if (take(cursor, '/')) {
        if (!range) {
            return refuse_field(cursor, "a step needs a range or * before it");
        }
        if (!take_step(cursor, &step)) {
            return false;
        }
        if (first > last && cursor->field == &fields[DAY]) {
            return refuse_field(cursor, "a step cannot cross the end of the month, whose length changes");
        }
    }
    mark(cursor->field, first, span_of(cursor->field, first, last), step, bits);
    return true;
}

static bool parse_item(struct cursor *cursor, uint64_t *bits)
{
    int step = 1;
    if (!take(cursor, '*')) {
        return parse_single_or_range(cursor, bits);
    }
    if (take(cursor, '/') && !take_step(cursor, &step)) {
        return false;
    }
    mark(cursor->field, cursor->field->low, cursor->field->high - cursor->field->low, step, bits);
    return true;
}

static bool is_last_day(const struct field *field, struct piece text)
{
    return field == &fields[DAY] && piece_is(text, "$");
}

static bool parse_field(const struct field *field, struct piece whole, uint64_t *bits, struct error *err)
{
    struct cursor cursor = {.field = field, .whole = whole, .at = whole.start, .err = err};
    *bits = 0;
    if (is_last_day(field, whole)) {
        return true;
    }
    if (field == &fields[DAY] && memchr(whole.start, '$', whole.length) != NULL) {
        return refuse_field(&cursor, "$ stands alone");
    }
    do {
        if (!parse_item(&cursor, bits)) {
            return false;
        }
    } while (take(&cursor, ','));
    if (!at_end(&cursor)) {
        char problem[SHOWN_TEXT + 32];
        snprintf(problem, sizeof(problem), "\"%s\" does not belong there",
                 piece_show(piece_character(whole, cursor.at)).text);
        return refuse_field(&cursor, problem);
    }
    return true;
}

/* How many pieces the text has; of more than MOST_FIELDS only these are kept. */
static size_t split(struct piece text, struct piece pieces[MOST_FIELDS])
{
    size_t count = 0;
    const char *at = text.start;
    while (at < piece_end(text)) {
        const char *start = at;
        while (at < piece_end(text) && !is_blank(*at)) {
            at++;
        }
        if (count < MOST_FIELDS) {
            pieces[count] = (struct piece){start, (size_t)(at - start)};
        }
        count++;
        while (at < piece_end(text) && is_blank(*at)) {
            at++;
        }
    }
    return count;
}

static int longest_month(uint32_t months)
{
    int longest = 0;
    for (int month = 1; month <= 12; month++) {
        int days = civil_month_days(2000, month); /* a leap year */
        longest = (months >> month & 1) != 0 && days > longest ? days : longest;
    }
    return longest;
}

static bool check_possible(const struct schedule *schedule, const struct piece pieces[3], struct error *err)
{
    int longest = longest_month(schedule->months);
    if (schedule->last_day || schedule->days_or_weekdays ||
        (schedule->days & ((UINT64_C(1) << (longest + 1)) - 1)) != 0) {
        return true;
    }
    error_set(err, ERROR_CONFIG,
              "this schedule can never fire: day of month \"%s\" does not come in month \"%s\", expected a day of 1-%d",
              piece_show(pieces[0]).text, piece_show(pieces[1]).text, longest);
    return error_hint(err, "choose a day that one of its months has");
}

static bool parse_cron(const struct piece *pieces, bool has_seconds, struct schedule *schedule, struct error *err)
{
    uint64_t bits[MOST_FIELDS] = {1};
    for (int i = has_seconds ? SECOND : MINUTE; i <= WEEKDAY; i++) {
        if (!parse_field(&fields[i], pieces[has_seconds ? i : i - 1], &bits[i], err)) {
            return false;
        }
    }
    const struct piece *times = pieces + (has_seconds ? MINUTE : MINUTE - 1);
    const struct piece *dates = pieces + (has_seconds ? DAY : DAY - 1);
    struct schedule read = {
        .form = SCHEDULE_CRON,
        .seconds = bits[SECOND],
        .minutes = bits[MINUTE],
        .hours = (uint32_t)bits[HOUR],
        .days = (uint32_t)bits[DAY],
        .months = (uint32_t)bits[MONTH],
        .weekdays = (uint32_t)bits[WEEKDAY],
        .last_day = is_last_day(&fields[DAY], dates[0]),
        .days_or_weekdays = *dates[0].start != '*' && *dates[2].start != '*',
        .has_seconds = has_seconds,
        .fixed = *times[0].start != '*' && *times[1].start != '*',
    };
    if (!check_possible(&read, dates, err)) {
        return false;
    }
    *schedule = read;
    return true;
}

/* "30 seconds", "30seconds": digits, then a word, and nothing else. */
static bool looks_like_interval(struct piece text, struct piece *number, struct piece *unit)
{
    size_t digits = 0;
    while (digits < text.length && is_digit(text.start[digits])) {
        digits++;
    }
    size_t word = digits;
    while (word < text.length && is_blank(text.start[word])) {
        word++;
    }
    *number = (struct piece){text.start, digits};
    *unit = (struct piece){text.start + word, text.length - word};
    for (size_t i = 0; i < unit->length; i++) {
        if (!is_letter(unit->start[i])) {
            return false;
        }
    }
    return digits > 0 && unit->length > 0;
}

static bool parse_interval(struct piece number, struct piece unit, struct schedule *schedule, struct error *err)
{
    if (!piece_is(unit, "second") && !piece_is(unit, "seconds")) {
        error_set(err, ERROR_CONFIG, "interval \"%s %s\": expected the unit \"seconds\"", piece_show(number).text,
                  piece_show(unit).text);
        return error_hint(err, "write \"[1-59] seconds\", or minutes as */5 * * * * and hours as 0 */2 * * *");
    }
    static const struct field interval = {"interval", 1, 59, 59, NULL, 0, "1-59 seconds"};
    struct cursor cursor = {.field = &interval, .whole = number, .at = number.start, .err = err};
    int seconds = 0;
    if (!take_value(&cursor, &seconds)) {
        return hint_forms(err);
    }
    *schedule = (struct schedule){.form = SCHEDULE_INTERVAL, .interval = seconds * USEC_PER_SEC};
    return true;
}

static bool check_characters(struct piece text, struct error *err)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.start[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7F) {
            error_set(err, ERROR_CONFIG,
                      "schedule \"%s\": a control character (byte %d) at position %zu, "
                      "expected printable text",
                      piece_show(text).text, byte, i + 1);
            return hint_forms(err);
        }
    }
    return true;
}

static bool parse_trimmed(struct piece text, struct schedule *schedule, struct error *err)
{
    struct piece number;
    struct piece unit;
    if (text.length > 0 && *text.start == '@') {
        const char *means;
        return schedule_parse_word(text, schedule, &means, err) &&
               (means == NULL || schedule_parse(means, schedule, err));
    }
    if (looks_like_interval(text, &number, &unit)) {
        return parse_interval(number, unit, schedule, err);
    }
    struct piece pieces[MOST_FIELDS];
    size_t count = split(text, pieces);
    if (count != MOST_FIELDS && count != MOST_FIELDS - 1) {
        error_set(err, ERROR_CONFIG,
                  "schedule \"%s\" has %zu fields, expected five (m h dom mon dow), or six with "
                  "seconds first",
                  piece_show(text).text, count);
        return hint_forms(err);
    }
    if (parse_cron(pieces, count == MOST_FIELDS, schedule, err)) {
        return true;
    }
    return error_prefix(err, "schedule \"%s\"", piece_show(text).text);
}

bool schedule_parse(const char *text, struct schedule *schedule, struct error *err)
{
    size_t length = strnlen(text, LONGEST_TEXT + 1);
    struct piece whole = piece_trimmed((struct piece){text, length});
    if (length > LONGEST_TEXT) {
        error_set(err, ERROR_CONFIG, "schedule \"%s\" is longer than %d bytes, expected less", piece_show(whole).text,
                  LONGEST_TEXT);
        return hint_forms(err);
    }
    return check_characters(whole, err) && parse_trimmed(whole, schedule, err);
}
