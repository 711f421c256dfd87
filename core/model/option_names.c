/* SPDX-License-Identifier: PostgreSQL */
#include "model/option_names.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "model/options.h"

#define NAMES_MAX 64 /* of options, names kept for later, and what a caller adds */

/* A later version will know them. */
static const char *const reserved_names[] = {"throttle"};

/* What other schedulers call these things. */
static const struct {
    const char *written;
    const char *meant;
} synonyms[] = {
    {"attempts", "max_attempts"},
    {"catch_up", "catchup"},
    {"channel", "on"},
    {"channels", "on"},
    {"cron", "schedule"},
    {"db", "database"},
    {"dbname", "database"},
    {"deadline", "starting_deadline"},
    {"depends", "after"},
    {"depends_on", "after"},
    {"freshness", "target_lag"},
    {"lag", "target_lag"},
    {"listen", "on"},
    {"max_lag", "target_lag"},
    {"notify", "on"},
    {"overlap", "overlap_policy"},
    {"query", "command"},
    {"retries", "max_attempts"},
    {"retry", "max_attempts"},
    {"sql", "command"},
    {"statement_timeout", "attempt_timeout"},
    {"time_zone", "timezone"},
    {"timeout", "attempt_timeout"},
    {"tz", "timezone"},
    {"upstream", "after"},
    {"upstreams", "after"},
};

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool options_reserves(const char *name)
{
    return is_among(name, reserved_names, COUNT_OF(reserved_names));
}

static size_t collect(const char **names, const char *const *others, size_t other_count)
{
    size_t count = 0;
    for (size_t i = 0; options_name(i) != NULL && count < NAMES_MAX; i++) {
        names[count++] = options_name(i);
    }
    for (size_t i = 0; i < COUNT_OF(reserved_names) && count < NAMES_MAX; i++) {
        names[count++] = reserved_names[i];
    }
    for (size_t i = 0; i < other_count && count < NAMES_MAX; i++) {
        names[count++] = others[i];
    }
    return count;
}

const char *options_suggest(const char *name, const char *const *others, size_t other_count)
{
    const char *names[NAMES_MAX];
    size_t count = collect(names, others, other_count);
    for (size_t i = 0; i < COUNT_OF(synonyms); i++) {
        if (strcmp(synonyms[i].written, name) == 0 && is_among(synonyms[i].meant, names, count)) {
            return synonyms[i].meant;
        }
    }
    return nearest_word(name, names, count);
}

bool option_name_refuse(const char *name, struct error *err)
{
    if (options_reserves(name)) {
        error_set(err, ERROR_CONFIG, "option \"%s\" is not available yet", name);
        return error_hint(err, "its name is kept for a later version: remove it");
    }
    error_set(err, ERROR_CONFIG, "unknown option \"%.100s\"", name);
    if (strcmp(name, "backoff") == 0) {
        return error_hint(err, "backoff is a group of initial, coefficient, max and jitter");
    }
    const char *meant = options_suggest(name, NULL, 0);
    return meant != NULL && error_hint(err, "did you mean \"%s\"?", meant);
}
