/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/follower.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

void follower_begin(struct follower *follower, const char *database)
{
    *follower = (struct follower){.database = database, .free_since = INSTANT_NONE};
}

void follower_forget(struct follower *follower)
{
    follower->announced = false;
    follower->waits[0] = '\0';
    follower->seen = (struct leader_lock){0};
    follower->free_since = INSTANT_NONE;
}

void follower_tell_leader(struct follower *follower, const struct leader_lock *lock, const char *configuration)
{
    follower->free_since = INSTANT_NONE;
    if (strcmp(follower->leader, lock->instance) != 0) {
        log_info("database %s: %s leads; following", follower->database, lock->instance);
        snprintf(follower->leader, sizeof(follower->leader), "%s", lock->instance);
    }
    if (strcmp(configuration, lock->configuration) == 0) {
        follower->differs[0] = '\0';
    } else if (strcmp(follower->differs, lock->configuration) != 0) {
        log_warning(
            "database %s: the configuration of %s, who leads, is not this one: a takeover would change what runs",
            follower->database, lock->instance);
        snprintf(follower->differs, sizeof(follower->differs), "%s", lock->configuration);
    }
}

bool follower_is_silent(struct follower *follower, const struct leader_lock *lock)
{
    const struct leader_lock *before = &follower->seen;
    if (lock->sign[0] == '\0' || strcmp(lock->sign, before->sign) != 0 || strcmp(lock->token, before->token) != 0) {
        follower->sign_since = clock_boot();
    }
    return clock_boot() - follower->sign_since > FOLLOWER_SILENCE_MAX;
}

void follower_note_waits(struct follower *follower, const struct leader_lock *lock)
{
    if (lock->waits[0] != '\0' && strcmp(lock->waits, follower->waits) != 0) {
        log_warning("database %s: %s", follower->database, lock->waits);
    }
    snprintf(follower->waits, sizeof(follower->waits), "%s", lock->waits);
}

duration follower_free_for(struct follower *follower)
{
    instant now = clock_boot();
    if (follower->free_since == INSTANT_NONE) {
        follower->free_since = now;
    }
    return now - follower->free_since;
}
