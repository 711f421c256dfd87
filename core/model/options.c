/* SPDX-License-Identifier: PostgreSQL */
#include "model/options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/intern.h"
#include "base/text.h"
#include "model/option_names.h"
#include "model/option_table.h"

#define COLUMN_NAME_MAX 200

static void *member(struct job_options *options, const struct option *option)
{
    return (char *)options + option->offset;
}

static const void *member_const(const struct job_options *options, const struct option *option)
{
    return (const char *)options + option->offset;
}

static bool find_word(const char *word, const char *const *words, size_t count, int *index)
{
    for (size_t i = 0; i < count && words[i] != NULL; i++) {
        if (strcmp(words[i], word) == 0) {
            *index = (int)i;
            return true;
        }
    }
    return false;
}

static char *join_words(const char *const *words)
{
    struct buffer text = {0};
    for (size_t i = 0; i < MOST_WORDS && words[i] != NULL; i++) {
        buffer_puts(&text, i > 0 ? ", " : "");
        buffer_puts(&text, words[i]);
    }
    return buffer_take(&text);
}

static bool set_word(const struct option *option, const char *value, int *word, struct error *err)
{
    int reserved = 0;
    if (find_word(value, option->words, MOST_WORDS, word)) {
        return true;
    }
    if (find_word(value, option->reserved, MOST_WORDS, &reserved)) {
        error_set(err, ERROR_CONFIG, "%s \"%s\" is not available yet", option->name, value);
    } else {
        error_set(err, ERROR_CONFIG, "%s has no value \"%.100s\"", option->name, value);
    }
    char *choices = join_words(option->words);
    error_hint(err, "choose one of: %s", choices);
    free(choices);
    return false;
}

static bool outside(const struct option *option, const char *value, const char *low, const char *high,
                    struct error *err)
{
    return error_set(err, ERROR_CONFIG, "%s \"%.100s\" is outside %s to %s", option->name, value, low, high);
}

/* As duration_parse said it. */
static bool refuse_duration(const struct option *option, const struct error *parsed, struct error *err)
{
    error_set(err, ERROR_CONFIG, "%s: %s", option->name, parsed->message);
    return error_hint(err, "%s%s%s%s", parsed->hint, option->kind == OPTION_LIMIT ? "; or none" : "",
                      option->words[0] != NULL ? "; or " : "", option->words[0] != NULL ? option->words[0] : "");
}

static bool set_duration(const struct option *option, const char *value, duration *length, struct error *err)
{
    int word = 0;
    if (option->kind == OPTION_LIMIT && strcmp(value, "none") == 0) {
        *length = 0;
        return true;
    }
    if (find_word(value, option->words, MOST_WORDS, &word)) {
        *length = -1 - word;
        return true;
    }
    duration parsed = 0;
    struct error refusal;
    if (!duration_parse(value, &parsed, &refusal)) {
        return refuse_duration(option, &refusal, err);
    }
    if (option->kind == OPTION_LIMIT && parsed == 0) {
        error_set(err, ERROR_CONFIG, "%s \"%.100s\" is no time at all", option->name, value);
        return error_hint(err, "write none for no limit");
    }
    if (parsed < option->low || parsed > option->high) {
        char low[DURATION_TEXT_SIZE];
        char high[DURATION_TEXT_SIZE];
        return outside(option, value, duration_format(option->low, low), duration_format(option->high, high), err);
    }
    *length = parsed;
    return true;
}

static bool outside_count(const struct option *option, const char *value, struct error *err)
{
    char *low = xasprintf("%lld", (long long)option->low);
    char *high = xasprintf("%lld", (long long)option->high);
    outside(option, value, low, high, err);
    free(low);
    free(high);
    return false;
}

static bool set_count(const struct option *option, const char *value, int64_t *count, struct error *err)
{
    if (parse_int64(value, option->low, option->high, count)) {
        return true;
    }
    int64_t any = 0;
    if (parse_int64(value, INT64_MIN, INT64_MAX, &any)) {
        return outside_count(option, value, err);
    }
    return error_set(err, ERROR_CONFIG, "%s \"%.100s\" is not a whole number within %lld to %lld", option->name, value,
                     (long long)option->low, (long long)option->high);
}

#define FACTOR_UNIT 1000000
#define FACTOR_DECIMALS 6

/* Millionths as a whole number: exact, and no locale decides about the point. */
static bool parse_millionths(const char *text, int64_t *millionths)
{
    char digits[32] = "";
    size_t whole = strcspn(text, ".");
    const char *decimals = text[whole] == '.' ? text + whole + 1 : "0";
    size_t decimal_count = strlen(decimals);
    if (whole == 0 || whole > 9 || decimal_count == 0 || decimal_count > FACTOR_DECIMALS) {
        return false;
    }
    memcpy(digits, text, whole);
    memset(digits + whole, '0', FACTOR_DECIMALS);
    memcpy(digits + whole, decimals, decimal_count);
    return parse_int64(digits, 0, INT64_MAX, millionths);
}

static bool set_factor(const struct option *option, const char *value, double *factor, struct error *err)
{
    int64_t millionths = 0;
    if (!parse_millionths(value, &millionths)) {
        return error_set(err, ERROR_CONFIG, "%s \"%.100s\" is not a number of at most %d decimals", option->name, value,
                         FACTOR_DECIMALS);
    }
    if (millionths < option->low * FACTOR_UNIT || millionths > option->high * FACTOR_UNIT) {
        return outside_count(option, value, err);
    }
    *factor = (double)millionths / FACTOR_UNIT;
    return true;
}

static bool is_sqlstate_prefix(const char *text, size_t length)
{
    return length >= 2 && length <= 5 && strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") >= length;
}

static bool refuse_sqlstate(const char *text, size_t length, struct error *err)
{
    error_set(err, ERROR_CONFIG, "retry_on: \"%.*s\" is not an SQLSTATE", (int)(length < 100 ? length : 100), text);
    return error_hint(err, "write codes of 2 to 5 digits and capital letters: 08 for a class, 40001 for one error");
}

/* An empty list means: retry on nothing. */
static bool read_sqlstates(const char *value, struct buffer *list, struct error *err)
{
    size_t count = 0;
    const char *at = value + strspn(value, " ");
    while (*at != '\0') {
        size_t length = strcspn(at, ", ");
        if (!is_sqlstate_prefix(at, length)) {
            return refuse_sqlstate(at, length, err);
        }
        if (count++ == RETRY_ON_MAX) {
            return error_set(err, ERROR_CONFIG, "retry_on has more than %d SQLSTATEs", RETRY_ON_MAX);
        }
        buffer_puts(list, count > 1 ? "," : "");
        buffer_append(list, at, length);
        at += length;
        at += strspn(at, " ");
        if (*at == ',') {
            at++;
            at += strspn(at, " ");
            if (*at == '\0') {
                return refuse_sqlstate(at, 0, err);
            }
        } else if (*at != '\0') {
            return refuse_sqlstate(at, strcspn(at, ","), err);
        }
    }
    return true;
}

static bool set_sqlstates(const char *value, const char **sqlstates, struct error *err)
{
    struct buffer list = {0};
    bool read = read_sqlstates(value, &list, err);
    if (read) {
        *sqlstates = intern(buffer_text(&list));
    }
    buffer_finish(&list);
    return read;
}

static bool set_name(const struct option *option, const char *value, const char **name, struct error *err)
{
    if (!name_valid(value)) {
        error_set(err, ERROR_CONFIG, "%s \"%.100s\" is not a name", option->name, value);
        return error_hint(err, "a name has 1 to 63 letters, digits, \"_\" and \"-\"");
    }
    *name = intern(value);
    return true;
}

/* Only characters that are safe in a message and in a file's name: whether there is such a zone, the catalog finds
 * out. */
static bool zone_name_possible(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length <= ZONE_NAME_MAX &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == length;
}

static bool set_zone(const struct option *option, const char *value, const char **name, struct error *err)
{
    if (!zone_name_possible(value)) {
        error_set(err, ERROR_CONFIG, "%s \"%.100s\" cannot be the name of a time zone", option->name, value);
        return error_hint(err, "write a name such as Europe/Berlin, or UTC");
    }
    *name = intern(value);
    return true;
}

/* Whether there is such a column, the server finds out. */
static bool set_column(const struct option *option, const char *value, const char **name, struct error *err)
{
    const char *table = strchr(value, '.');
    if (strcmp(value, "none") == 0) {
        *name = NULL;
        return true;
    }
    if (table == NULL || strchr(table + 1, '.') == NULL || strlen(value) > COLUMN_NAME_MAX) {
        error_set(err, ERROR_CONFIG, "%s \"%.100s\" is not the name of a column", option->name, value);
        return error_hint(err, "write schema.table.column");
    }
    *name = intern(value);
    return true;
}

static bool set_value(struct job_options *options, const struct option *option, const char *value, struct error *err)
{
    switch (option->kind) {
    case OPTION_WORD:
        return set_word(option, value, member(options, option), err);
    case OPTION_DURATION:
    case OPTION_LIMIT:
        return set_duration(option, value, member(options, option), err);
    case OPTION_COUNT:
        return set_count(option, value, member(options, option), err);
    case OPTION_FACTOR:
        return set_factor(option, value, member(options, option), err);
    case OPTION_NAME:
        return set_name(option, value, member(options, option), err);
    case OPTION_COLUMN:
        return set_column(option, value, member(options, option), err);
    case OPTION_ZONE:
        return set_zone(option, value, member(options, option), err);
    case OPTION_SQLSTATES:
        break;
    }
    return set_sqlstates(value, member(options, option), err);
}

bool options_set(struct job_options *options, const char *name, const char *value, struct error *err)
{
    const struct option *option = option_find(name);
    if (option == NULL) {
        return option_name_refuse(name, err);
    }
    if (!set_value(options, option, value, err)) {
        return false;
    }
    options->set |= option_bit(option);
    return true;
}

void options_defaults(struct job_options *options, bool refresh)
{
    *options = (struct job_options){
        .overlap_policy = OVERLAP_SKIP,
        .catchup = CATCHUP_LATEST,
        .catchup_window = 24 * USEC_PER_HOUR,
        .catchup_limit = 100,
        .attempt_timeout = USEC_PER_HOUR,
        .cancel_grace = 10 * USEC_PER_SEC,
        .lock_timeout = refresh ? 30 * USEC_PER_SEC : 0,
        .max_attempts = 3,
        .backoff = {.initial = 5 * USEC_PER_SEC,
                    .coefficient = 2,
                    .max = refresh ? USEC_PER_HOUR : 10 * USEC_PER_MINUTE,
                    .jitter = 0.2},
        .retry_on = intern("08,53,57P0,40001,40P01,55P03"),
        .trigger_rule = TRIGGER_ALL_SUCCESS,
        .priority = 5,
        .pool = intern(POOL_DEFAULT),
        .suspend_after_failures = refresh ? 0 : 10, /* a view that is refreshed no more is wrong for good */
        .delivery = refresh ? DELIVERY_TRANSACTIONAL : DELIVERY_AT_MOST_ONCE,
    };
}

static size_t member_size(const struct option *option)
{
    switch (option->kind) {
    case OPTION_WORD:
        return sizeof(int);
    case OPTION_DURATION:
    case OPTION_LIMIT:
    case OPTION_COUNT:
        return sizeof(int64_t);
    case OPTION_FACTOR:
        return sizeof(double);
    case OPTION_SQLSTATES:
    case OPTION_NAME:
    case OPTION_COLUMN:
    case OPTION_ZONE:
        break;
    }
    return sizeof(const char *);
}

void options_inherit(struct job_options *options, const struct job_options *lower)
{
    const struct option *option;
    for (size_t i = 0; (option = option_at(i)) != NULL; i++) {
        if ((options->set & option_bit(option)) == 0) {
            memcpy(member(options, option), member_const(lower, option), member_size(option));
        }
    }
    options->set |= lower->set;
}

bool options_gives(const struct job_options *options, const char *name)
{
    const struct option *option = option_find(name);
    return option != NULL && (options->set & option_bit(option)) != 0;
}

static char *duration_text(const struct option *option, duration length)
{
    char text[DURATION_TEXT_SIZE];
    if (length < 0) {
        return xstrdup(option->words[-1 - length]);
    }
    return xstrdup(length == 0 && option->kind == OPTION_LIMIT ? "none" : duration_format(length, text));
}

static char *factor_text(double factor)
{
    int64_t millionths = (int64_t)(factor * FACTOR_UNIT + 0.5);
    char *text = xasprintf("%lld.%06d", (long long)(millionths / FACTOR_UNIT), (int)(millionths % FACTOR_UNIT));
    size_t length = strlen(text);
    while (text[length - 1] == '0') {
        length--;
    }
    text[text[length - 1] == '.' ? length - 1 : length] = '\0';
    return text;
}

char *options_value_text(const struct job_options *options, const char *name)
{
    const struct option *option = option_find(name);
    if (option == NULL) {
        return NULL;
    }
    const void *value = member_const(options, option);
    switch (option->kind) {
    case OPTION_WORD:
        return xstrdup(option->words[*(const int *)value]);
    case OPTION_DURATION:
    case OPTION_LIMIT:
        return duration_text(option, *(const duration *)value);
    case OPTION_COUNT:
        return xasprintf("%lld", (long long)*(const int64_t *)value);
    case OPTION_FACTOR:
        return factor_text(*(const double *)value);
    case OPTION_SQLSTATES:
        return xstrdup(options->retry_on != NULL ? options->retry_on : "");
    case OPTION_NAME:
        return xstrdup(*(const char *const *)value);
    case OPTION_COLUMN:
        return xstrdup(*(const char *const *)value != NULL ? *(const char *const *)value : "none");
    case OPTION_ZONE:
        break;
    }
    return xstrdup(*(const char *const *)value != NULL ? *(const char *const *)value : "UTC");
}

bool options_retries(const struct job_options *options, const char *sqlstate)
{
    const char *at = options->retry_on != NULL ? options->retry_on : "";
    while (*at != '\0') {
        size_t length = strcspn(at, ",");
        if (strncmp(at, sqlstate, length) == 0) {
            return true;
        }
        at += length;
        at += *at == ',' ? 1 : 0;
    }
    return false;
}
