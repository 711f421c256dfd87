/* SPDX-License-Identifier: PostgreSQL */
#include "report/job_options.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "model/options.h"

static void put_option(struct buffer *list, const char *between, const char *name, const char *value)
{
    buffer_printf(list, "%s%s = %s", list->length > 0 ? between : "", name, value);
}

void job_options_put(const char *stored, bool refresh, const char *timezone, struct buffer *chosen,
                     struct buffer *standard)
{
    struct job_options defaults;
    json_t *values = json_loads(stored, 0, NULL);
    options_defaults(&defaults, refresh);
    defaults.timezone = timezone;
    for (size_t i = 0; options_name(i) != NULL; i++) {
        const char *name = options_name(i);
        const char *value = json_string_value(json_object_get(values, name));
        char *usual = options_value_text(&defaults, name);
        if (value != NULL && strcmp(value, usual) == 0) {
            put_option(standard, ", ", name, value);
        } else if (value != NULL) {
            put_option(chosen, "\n", name, value);
        }
        free(usual);
    }
    json_decref(values);
}

static void set_stored(struct job_options *options, const json_t *values, const char *name)
{
    struct error err;
    const char *value = json_string_value(json_object_get(values, name));
    if (value != NULL && !options_set(options, name, value, &err)) {
        log_debug("option %s of a job: %s", name, err.message); /* of another version: the default stands */
    }
}

bool job_options_refuse_retry(const char *stored, bool refresh, int attempt, const char *sqlstate)
{
    struct job_options options;
    json_t *values = json_loads(stored, 0, NULL);
    options_defaults(&options, refresh);
    set_stored(&options, values, "max_attempts");
    set_stored(&options, values, "retry_on");
    json_decref(values);
    return attempt < options.max_attempts && !options_retries(&options, sqlstate);
}
