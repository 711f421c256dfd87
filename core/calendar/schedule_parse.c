/* Reading a schedule's text; finding slots is in schedule.c. */
#include "calendar/schedule.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define LONGEST_TEXT 1000
#define MOST_FIELDS 6
#define SHOWN_TEXT 200

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
    [DAY] = {"day of month", 1, 31, 31, NULL, 0, "1-31"},
    [MONTH] = {"month", 1, 12, 12, month_words, 1, "1-12 or jan-dec"},
    [WEEKDAY] = {"day of week", 0, 7, 7, weekday_words, 0, "0-7 or sun-sat"},
};

/* A piece of the schedule's text. */
struct piece {
    const char *start;
    size_t length;
};

static const char *end_of(struct piece piece)
{
    return piece.start + piece.length;
}

/* What a field's parser works on: the whole field for messages, and where it has come to. */
struct cursor {
    const struct field *field;
    struct piece whole;
    const char *at;
    struct error *err;
};

struct shown {
    char text[SHOWN_TEXT + 4];
};

/* The piece as a message may carry it: valid UTF-8 without control characters, of bounded length. */
static struct shown show(struct piece piece)
{
    struct shown shown;
    size_t used = 0;
    size_t at = 0;
    while (at < piece.length) {
        size_t length = utf8_length(piece.start + at, piece.length - at);
        bool plain = length > 1 || (length == 1 && piece.start[at] >= ' ' && piece.start[at] != 0x7F);
        size_t step = plain ? length : 1;
        if (used + step > SHOWN_TEXT - 3) {
            memcpy(shown.text + used, "...", 3);
            used += 3;
            break;
        }
        memcpy(shown.text + used, plain ? piece.start + at : "?", step);
        used += step;
        at += step;
    }
    shown.text[used] = '\0';
    return shown;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The character the cursor is at, whole. */
static struct piece character_at(const struct cursor *cursor)
{
    size_t length = utf8_length(cursor->at, (size_t)(end_of(cursor->whole) - cursor->at));
    return (struct piece){cursor->at, length > 0 ? length : 1};
}

static bool hint_forms(struct error *err)
{
    return error_hint(err, "write \"m h dom mon dow\" (15 3 * * mon), \"s m h dom mon dow\" (*/30 * * * * *), "
                           "\"N seconds\" with N 1-59, or @hourly, @daily, @weekly, @monthly, @yearly");
}

static bool refuse_later(const char *what, struct error *err)
{
    error_set(err, ERROR_CONFIG, "%s is not available yet: it comes with a later version", what);
    return hint_forms(err);
}

static bool refuse_field(const struct cursor *cursor, const char *problem)
{
    error_set(cursor->err, ERROR_CONFIG, "%s \"%s\": %s, expected %s", cursor->field->name, show(cursor->whole).text,
              problem, cursor->field->expected);
    return error_hint(cursor->err, "a field is *, a value, a range a-b, either of * and a-b with a step (*/5, "
                                   "10-50/10), or a list of these with commas");
}

static bool at_end(const struct cursor *cursor)
{
    return cursor->at == end_of(cursor->whole);
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
    snprintf(problem, sizeof(problem), "unknown name \"%s\"", show((struct piece){start, length}).text);
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
        snprintf(problem, sizeof(problem), "a value cannot start with \"%s\"", show(character_at(cursor)).text);
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
    char problem[64];
    snprintf(problem, sizeof(problem), "a step is a number from 1 to %d", cursor->field->high);
    if (at_end(cursor) || !is_digit(*cursor->at)) {
        return refuse_field(cursor, problem);
    }
    *step = take_number(cursor);
    return (*step >= 1 && *step <= cursor->field->high) || refuse_field(cursor, problem);
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

static bool parse_field(const struct field *field, struct piece whole, uint64_t *bits, struct error *err)
{
    struct cursor cursor = {.field = field, .whole = whole, .at = whole.start, .err = err};
    if (field == &fields[DAY] && memchr(whole.start, '$', whole.length) != NULL) {
        return refuse_later("the last day of the month ($)", err);
    }
    *bits = 0;
    do {
        if (!parse_item(&cursor, bits)) {
            return false;
        }
    } while (take(&cursor, ','));
    if (!at_end(&cursor)) {
        char problem[SHOWN_TEXT + 32];
        snprintf(problem, sizeof(problem), "\"%s\" does not belong there", show(character_at(&cursor)).text);
        return refuse_field(&cursor, problem);
    }
    return true;
}

/* How many pieces the text has; of more than MOST_FIELDS only these are kept. */
static size_t split(struct piece text, struct piece pieces[MOST_FIELDS])
{
    size_t count = 0;
    const char *at = text.start;
    while (at < end_of(text)) {
        const char *start = at;
        while (at < end_of(text) && !is_blank(*at)) {
            at++;
        }
        if (count < MOST_FIELDS) {
            pieces[count] = (struct piece){start, (size_t)(at - start)};
        }
        count++;
        while (at < end_of(text) && is_blank(*at)) {
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
    if (schedule->days_or_weekdays || (schedule->days & ((UINT64_C(1) << (longest + 1)) - 1)) != 0) {
        return true;
    }
    error_set(err, ERROR_CONFIG,
              "this schedule can never fire: day of month \"%s\" does not come in month \"%s\", expected a day of 1-%d",
              show(pieces[0]).text, show(pieces[1]).text, longest);
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
    const struct piece *dates = pieces + (has_seconds ? DAY : DAY - 1);
    struct schedule read = {
        .form = SCHEDULE_CRON,
        .seconds = bits[SECOND],
        .minutes = bits[MINUTE],
        .hours = (uint32_t)bits[HOUR],
        .days = (uint32_t)bits[DAY],
        .months = (uint32_t)bits[MONTH],
        .weekdays = (uint32_t)bits[WEEKDAY],
        .days_or_weekdays = *dates[0].start != '*' && *dates[2].start != '*',
        .has_seconds = has_seconds,
    };
    if (!check_possible(&read, dates, err)) {
        return false;
    }
    *schedule = read;
    return true;
}

static bool piece_is(struct piece piece, const char *word)
{
    return strlen(word) == piece.length && strncasecmp(piece.start, word, piece.length) == 0;
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
        error_set(err, ERROR_CONFIG, "interval \"%s %s\": expected the unit \"seconds\"", show(number).text,
                  show(unit).text);
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

struct shorthand {
    const char *name;
    const char *means; /* NULL: comes later */
};

static const struct shorthand shorthands[] = {
    {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@every", NULL},
    {"@after", NULL},          {"@reboot", NULL},        {"@restart", NULL},
};

static bool refuse_shorthand(struct piece text, const struct shorthand *near, struct error *err)
{
    error_set(err, ERROR_CONFIG,
              "schedule \"%s\": expected one of @hourly, @daily, @midnight, @weekly, @monthly, "
              "@yearly, @annually",
              show(text).text);
    return near != NULL ? error_hint(err, "write it in lower case: %s", near->name) : hint_forms(err);
}

static bool parse_shorthand(struct piece text, struct schedule *schedule, struct error *err)
{
    struct piece pieces[MOST_FIELDS];
    split(text, pieces);
    const struct shorthand *near = NULL;
    for (size_t i = 0; i < COUNT_OF(shorthands); i++) {
        const struct shorthand *candidate = &shorthands[i];
        if (!piece_is(pieces[0], candidate->name)) {
            continue;
        }
        near = candidate;
        if (strncmp(pieces[0].start, candidate->name, pieces[0].length) != 0) {
            break;
        }
        if (candidate->means == NULL) {
            return refuse_later(candidate->name, err);
        }
        if (pieces[0].length == text.length) {
            return schedule_parse(candidate->means, schedule, err);
        }
        near = NULL;
        break;
    }
    return refuse_shorthand(text, near, err);
}

static bool check_characters(struct piece text, struct error *err)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.start[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7F) {
            error_set(err, ERROR_CONFIG,
                      "schedule \"%s\": a control character (byte %d) at position %zu, "
                      "expected printable text",
                      show(text).text, byte, i + 1);
            return hint_forms(err);
        }
    }
    return true;
}

static struct piece trimmed(const char *text, size_t length)
{
    while (length > 0 && is_blank(text[0])) {
        text++;
        length--;
    }
    while (length > 0 && is_blank(text[length - 1])) {
        length--;
    }
    return (struct piece){text, length};
}

static bool parse_trimmed(struct piece text, struct schedule *schedule, struct error *err)
{
    struct piece number;
    struct piece unit;
    if (text.length > 0 && *text.start == '@') {
        return parse_shorthand(text, schedule, err);
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
                  show(text).text, count);
        return hint_forms(err);
    }
    if (parse_cron(pieces, count == MOST_FIELDS, schedule, err)) {
        return true;
    }
    return error_prefix(err, "schedule \"%s\"", show(text).text);
}

bool schedule_parse(const char *text, struct schedule *schedule, struct error *err)
{
    size_t length = strnlen(text, LONGEST_TEXT + 1);
    struct piece whole = trimmed(text, length);
    if (length > LONGEST_TEXT) {
        error_set(err, ERROR_CONFIG, "schedule \"%s\" is longer than %d bytes, expected less", show(whole).text,
                  LONGEST_TEXT);
        return hint_forms(err);
    }
    return check_characters(whole, err) && parse_trimmed(whole, schedule, err);
}
