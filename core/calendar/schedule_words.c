/* SPDX-License-Identifier: PostgreSQL */
/* The forms of a schedule that start with '@'. */
#include <string.h>

#include "calendar/schedule_text.h"

#define SHORTEST_DURATION USEC_PER_SEC
#define LONGEST_DURATION_TEXT 40

struct word {
    const char *name;
    const char *means; /* the fields it stands for; NULL for one of these: */
    bool (*parse)(const char *name, struct piece rest, struct schedule *schedule, struct error *err);
};

static bool parse_duration(const char *name, struct piece text, duration *length, struct error *err)
{
    char copy[LONGEST_DURATION_TEXT + 1] = "";
    if (text.length <= LONGEST_DURATION_TEXT) {
        memcpy(copy, text.start, text.length);
    }
    if (duration_parse(copy, length, NULL) && *length >= SHORTEST_DURATION) {
        return true;
    }
    error_set(err, ERROR_CONFIG, "duration \"%s\": expected one from 1s to 36500d", piece_show(text).text);
    return error_hint(err, "write a whole number and one unit, as in %s 90s, 15m, 2h or 1d", name);
}

static bool parse_every(const char *name, struct piece rest, struct schedule *schedule, struct error *err)
{
    duration length = 0;
    if (!parse_duration(name, rest, &length, err)) {
        return false;
    }
    *schedule = (struct schedule){.form = SCHEDULE_INTERVAL, .interval = length};
    return true;
}

static bool parse_after(const char *name, struct piece rest, struct schedule *schedule, struct error *err)
{
    duration length = 0;
    if (!parse_duration(name, rest, &length, err)) {
        return false;
    }
    *schedule = (struct schedule){.form = SCHEDULE_DELAY, .interval = length};
    return true;
}

static bool parse_at(const char *name, struct piece rest, struct schedule *schedule, struct error *err)
{
    (void)name;
    return schedule_parse_time(rest, schedule, err);
}

static bool parse_reboot(const char *name, struct piece rest, struct schedule *schedule, struct error *err)
{
    if (rest.length > 0) {
        error_set(err, ERROR_CONFIG, "\"%s\" after %s, expected nothing", piece_show(rest).text, name);
        return error_hint(err, "write %s alone", name);
    }
    *schedule = (struct schedule){.form = SCHEDULE_REBOOT};
    return true;
}

static const struct word words[] = {
    {"@hourly", "0 * * * *", NULL},   {"@daily", "0 0 * * *", NULL},   {"@midnight", "0 0 * * *", NULL},
    {"@weekly", "0 0 * * 0", NULL},   {"@monthly", "0 0 1 * *", NULL}, {"@yearly", "0 0 1 1 *", NULL},
    {"@annually", "0 0 1 1 *", NULL}, {"@every", NULL, parse_every},   {"@after", NULL, parse_after},
    {"@at", NULL, parse_at},          {"@reboot", NULL, parse_reboot}, {"@restart", NULL, parse_reboot},
};

static const struct word *find_word(struct piece name)
{
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (piece_is(name, words[i].name)) {
            return &words[i];
        }
    }
    return NULL;
}

static struct piece first_word(struct piece text)
{
    size_t length = 0;
    while (length < text.length && !is_blank(text.start[length])) {
        length++;
    }
    return (struct piece){text.start, length};
}

static bool refuse_word(struct piece text, struct error *err)
{
    error_set(err, ERROR_CONFIG,
              "schedule \"%s\": expected one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually, "
              "@reboot, @restart, or @every, @after or @at with its time",
              piece_show(text).text);
    return hint_forms(err);
}

bool schedule_parse_word(struct piece text, struct schedule *schedule, const char **means, struct error *err)
{
    struct piece name = first_word(text);
    struct piece rest = piece_trimmed((struct piece){piece_end(name), text.length - name.length});
    const struct word *word = find_word(name);
    if (word == NULL || (word->means != NULL && rest.length > 0)) {
        return refuse_word(text, err);
    }
    if (memcmp(name.start, word->name, name.length) != 0) {
        refuse_word(text, err);
        return error_hint(err, "write it in lower case: %s", word->name);
    }
    *means = word->means;
    return word->means != NULL || word->parse(word->name, rest, schedule, err) ||
           error_prefix(err, "schedule \"%s\"", piece_show(text).text);
}
