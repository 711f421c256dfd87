/* SPDX-License-Identifier: PostgreSQL */
#include "model/run.h"

#include <string.h>

#include "base/memory.h"

static const char *const state_names[RUN_STATE_COUNT] = {
    [RUN_DUE] = "due",
    [RUN_CLAIMED] = "claimed",
    [RUN_RUNNING] = "running",
    [RUN_FINISHING] = "finishing",
    [RUN_RETRYING] = "retrying",
    [RUN_SUCCEEDED] = "succeeded",
    [RUN_FAILED] = "failed",
    [RUN_TIMED_OUT] = "timed_out",
    [RUN_CANCELLED] = "cancelled",
    [RUN_SKIPPED] = "skipped",
    [RUN_MISSED] = "missed",
    [RUN_LOST] = "lost",
};

static const char *const kind_names[RUN_KIND_COUNT] = {
    [RUN_SCHEDULE] = "schedule", [RUN_DEPENDENCY] = "dependency", [RUN_EVENT] = "event",       [RUN_CHANGE] = "change",
    [RUN_MANUAL] = "manual",     [RUN_INSTALL] = "install",       [RUN_BACKFILL] = "backfill",
};

const char *run_state_name(enum run_state state)
{
    return state_names[state];
}

bool run_state_parse(const char *name, enum run_state *state)
{
    for (size_t i = 0; i < COUNT_OF(state_names); i++) {
        if (strcmp(state_names[i], name) == 0) {
            *state = (enum run_state)i;
            return true;
        }
    }
    return false;
}

bool run_kind_moves(enum run_kind kind)
{
    return kind == RUN_SCHEDULE || kind == RUN_DEPENDENCY;
}

bool run_kind_asked(enum run_kind kind)
{
    return kind == RUN_MANUAL || kind == RUN_INSTALL || kind == RUN_BACKFILL;
}

const char *run_kind_name(enum run_kind kind)
{
    return kind_names[kind];
}
