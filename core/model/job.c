#include "model/job.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"

struct owned_job {
    struct job job; /* first: a copy is known by it */
    struct arena *arena;
};

static const char *const *copy_texts(struct arena *arena, const char *const *texts, size_t count)
{
    const char **copies = arena_alloc(arena, (count + 1) * sizeof *copies);
    for (size_t i = 0; i < count; i++) {
        copies[i] = arena_strdup(arena, texts[i]);
    }
    return copies;
}

struct job *job_copy(const struct job *job)
{
    struct arena *arena = arena_create();
    struct owned_job *owned = arena_alloc(arena, sizeof *owned);
    *owned = (struct owned_job){*job, arena};
    owned->job.name = arena_strdup(arena, job->name);
    owned->job.database = arena_strdup(arena, job->database);
    owned->job.plugin = arena_strdup(arena, job->plugin);
    owned->job.file = arena_strdup(arena, job->file);
    owned->job.schedule_text = arena_strdup(arena, job->schedule_text);
    owned->job.command = arena_strdup(arena, job->command);
    owned->job.views = copy_texts(arena, job->views, job->view_count);
    owned->job.after = copy_texts(arena, job->after, job->after_count);
    owned->job.on = copy_texts(arena, job->on, job->on_count);
    owned->job.schedule.zone = NULL;
    return &owned->job;
}

void job_free(struct job *copy)
{
    if (copy != NULL) {
        arena_destroy(((struct owned_job *)(void *)copy)->arena);
    }
}

bool job_is_join(const struct job *job)
{
    return job->schedule.form == SCHEDULE_NONE && job->after_count > 0;
}

bool job_is_driven(const struct job *job)
{
    return job->schedule_text[0] != '\0' || job->after_count > 0 || job->on_count > 0 || job->options.target_lag > 0;
}

bool channel_name_valid(const char *name)
{
    size_t length = strlen(name);
    return length >= 1 && length <= CHANNEL_NAME_SIZE && utf8_valid(name, length);
}

const char *job_origin_name(enum job_origin origin)
{
    return origin == JOB_FROM_PLUGIN ? "plugin" : "config";
}

const char *job_work_name(enum job_work work)
{
    return work == JOB_REFRESH ? "refresh" : "command";
}
