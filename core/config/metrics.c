/* SPDX-License-Identifier: PostgreSQL */
/* "metrics_jobs": a number, or names of jobs in which * stands for any text. */
#include <string.h>

#include "base/text.h"
#include "config/name_list.h"
#include "config/settings.h"

#define OWNER "the configuration"
#define NAME_MAX_LENGTH 255

static bool is_pattern(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= NAME_MAX_LENGTH && utf8_valid(text, length);
}

static const struct name_list names = {"metrics_jobs", is_pattern, "the name of a job",
                                       "write [\"nightly-*\", \"report\"]"};

void metrics_jobs_read(struct reader *reader, const config_setting_t *setting)
{
    static const struct whole bounds = {0, METRICS_JOBS_MOST, METRICS_JOBS_DEFAULT};
    struct config_metrics_jobs *chosen = &reader->config->metrics_jobs;
    if (config_setting_is_number(setting)) {
        chosen->most = setting_whole(reader, config_setting_parent(setting), names.key, OWNER, bounds);
        return;
    }
    chosen->names = name_list_read(reader, setting, &names, OWNER, &chosen->name_count);
    chosen->most = chosen->name_count > 0 ? METRICS_JOBS_MOST : 0;
}
