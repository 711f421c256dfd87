/* SPDX-License-Identifier: PostgreSQL */
#include "model/job.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/shared_options.h"

/* A job is one block, with its lists and its texts. There may be many thousands. Measured with `at` NULL, then
 * filled. */
struct packing {
    char *at;
    size_t size;
};

static void *pack(struct packing *packing, const void *bytes, size_t size, size_t alignment)
{
    packing->size = (packing->size + alignment - 1) / alignment * alignment;
    char *place = packing->at != NULL ? packing->at + packing->size : NULL;
    packing->size += size;
    if (place != NULL && size > 0) {
        memcpy(place, bytes, size);
    }
    return place;
}

static const char *pack_text(struct packing *packing, const char *text)
{
    return text != NULL ? pack(packing, text, strlen(text) + 1, 1) : NULL;
}

static const char *const *pack_texts(struct packing *packing, const char *const *texts, size_t count)
{
    const char **copies = pack(packing, texts, count * sizeof(*copies), sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        const char *copy = pack_text(packing, texts[i]);
        if (copies != NULL) {
            copies[i] = copy;
        }
    }
    return copies;
}

static const struct job_setting *pack_settings(struct packing *packing, const struct job_setting *settings,
                                               size_t count)
{
    struct job_setting *copies = pack(packing, settings, count * sizeof(*copies), sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        struct job_setting copy = {pack_text(packing, settings[i].name), pack_text(packing, settings[i].value)};
        if (copies != NULL) {
            copies[i] = copy;
        }
    }
    return copies;
}

static struct job *pack_job(struct packing *packing, const struct job *job)
{
    struct job copy = *job;
    struct job *place = pack(packing, job, sizeof(*job), _Alignof(struct job));
    copy.name = pack_text(packing, job->name);
    copy.database = pack_text(packing, job->database);
    copy.owner = pack_text(packing, job->owner);
    copy.target = pack_text(packing, job->target);
    copy.plugin = pack_text(packing, job->plugin);
    copy.file = pack_text(packing, job->file);
    copy.ping_file = pack_text(packing, job->ping_file);
    copy.schedule_text = pack_text(packing, job->schedule_text);
    copy.command = pack_text(packing, job->command);
    copy.views = pack_texts(packing, job->views, job->view_count);
    copy.after = pack_texts(packing, job->after, job->after_count);
    copy.on = pack_texts(packing, job->on, job->on_count);
    copy.settings = pack_settings(packing, job->settings, job->setting_count);
    if (place != NULL) {
        *place = copy;
    }
    return place;
}

static const struct job *make(const struct job *draft)
{
    struct packing packing = {0};
    pack_job(&packing, draft);
    packing = (struct packing){.at = xmalloc(packing.size)};
    struct job *job = pack_job(&packing, draft);
    zone_hold(job->schedule.zone);
    job->options = shared_options_hold(draft->options);
    job->holders = 1;
    return job;
}

const struct job *job_hold(const struct job *job)
{
    if (job->holders == 0) {
        return make(job);
    }
    ((struct job *)job)->holders++;
    return job;
}

void job_drop(const struct job *job)
{
    if (job == NULL) {
        return;
    }
    if (job->holders == 0) {
        fatal("job %s is a draft, which nobody holds", job->name);
    }
    if (--((struct job *)job)->holders == 0) {
        zone_drop(job->schedule.zone);
        shared_options_drop(job->options);
        free((struct job *)job);
    }
}

bool job_is_join(const struct job *job)
{
    return job->schedule.form == SCHEDULE_NONE && job->after_count > 0;
}

bool job_is_driven(const struct job *job)
{
    return job->schedule_text[0] != '\0' || job->after_count > 0 || job->on_count > 0 || job->options->target_lag != 0;
}

bool channel_name_valid(const char *name)
{
    size_t length = strlen(name);
    return length >= 1 && length <= CHANNEL_NAME_SIZE && utf8_valid(name, length);
}

const char *job_origin_name(enum job_origin origin)
{
    return origin == JOB_FROM_PLUGIN ? "plugin" : origin == JOB_FROM_CONFIG ? "config" : "sql";
}

const char *job_work_name(enum job_work work)
{
    return work == JOB_REFRESH ? "refresh" : "command";
}
