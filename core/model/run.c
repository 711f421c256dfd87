/* SPDX-License-Identifier: PostgreSQL */
#include "model/run.h"

#include <string.h>

#include "base/memory.h"

const struct run_transition run_transitions[] = {
    {RUN_DUE, RUN_EVENT_CLAIM, RUN_CLAIMED, "a free session took it and the claim was committed"},
    {RUN_DUE, RUN_EVENT_REFUSE, RUN_DUE, "the claim found another cursor, version or leader: the ledger decides anew"},
    {RUN_DUE, RUN_EVENT_SKIP, RUN_SKIPPED, "a policy decided against it"},
    {RUN_DUE, RUN_EVENT_MISS, RUN_MISSED, "nothing led when it was due and catch-up leaves it"},
    {RUN_CLAIMED, RUN_EVENT_START, RUN_RUNNING, "its text went out"},
    {RUN_CLAIMED, RUN_EVENT_END, RUN_FINISHING, "it ended before its text went out"},
    {RUN_CLAIMED, RUN_EVENT_LOSE, RUN_LOST, "its session is gone and nobody can say whether its text went out"},
    {RUN_RUNNING, RUN_EVENT_END, RUN_FINISHING, "the attempt ended with a known outcome"},
    {RUN_RUNNING, RUN_EVENT_LOSE, RUN_LOST, "its session is gone without an answer"},
    {RUN_FINISHING, RUN_EVENT_RETRY, RUN_RETRYING, "the attempt failed in a way that another may mend"},
    {RUN_FINISHING, RUN_EVENT_RECORD, RUN_SUCCEEDED, "the final state was committed"},
    {RUN_FINISHING, RUN_EVENT_LOSE, RUN_LOST, "the session is gone and the ledger does not tell the outcome"},
    {RUN_RETRYING, RUN_EVENT_RECLAIM, RUN_CLAIMED, "the back-off is over and a free session took it"},
    {RUN_RETRYING, RUN_EVENT_RECORD, RUN_SUCCEEDED, "the wait was given up and the last outcome committed"},
};
const size_t run_transition_count = COUNT_OF(run_transitions);

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
    [RUN_SCHEDULE] = "schedule", [RUN_DEPENDENCY] = "dependency", [RUN_EVENT] = "event",
    [RUN_CHANGE] = "change",     [RUN_MANUAL] = "manual",         [RUN_INSTALL] = "install",
};

bool run_may(enum run_state from, enum run_event event)
{
    for (size_t i = 0; i < run_transition_count; i++) {
        if (run_transitions[i].from == from && run_transitions[i].event == event) {
            return true;
        }
    }
    return false;
}

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
    return kind == RUN_MANUAL || kind == RUN_INSTALL;
}

const char *run_kind_name(enum run_kind kind)
{
    return kind_names[kind];
}
