/* SPDX-License-Identifier: PostgreSQL */
/* Which roles the daemon may log in as, and which are there: what the ledger is told of it, and what it says. Early:
 * each login is judged anew by roles.c and pg/session.c. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "daemon/lead_state.h"
#include "ledger/logins.h"
#include "pg/conninfo.h"

/* --- what stands in the way --------------------------------------------------------------------------------------- */

static void free_problems(struct role_problem *problems, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(problems[i].owner);
        free(problems[i].problem);
    }
    free(problems);
}

static const struct role_problem *find_problem(const struct role_problem *problems, size_t count, const char *owner)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(problems[i].owner, owner) == 0) {
            return &problems[i];
        }
    }
    return NULL;
}

const char *roles_problem(const struct lead *lead, const char *owner)
{
    const struct role_problem *found = owner != NULL
                                           ? find_problem(lead->roles.problems, lead->roles.problem_count, owner)
                                           : NULL;
    return found != NULL ? found->problem : NULL;
}

void roles_forget_problems(struct roles *roles)
{
    free_problems(roles->problems, roles->problem_count);
    roles->problems = NULL;
    roles->problem_count = 0;
}

/* True: it says something else than before. */
static bool take_problems(struct roles *roles, const struct pg_reply *reply)
{
    size_t count = 0;
    struct role_problem *problems = xcalloc(logins_count(reply) + 1, sizeof(*problems));
    bool changed = false;
    for (size_t i = 0; i < logins_count(reply); i++) {
        struct login login = logins_read(reply, i);
        if (login.problem != NULL && find_problem(problems, count, login.role) == NULL) {
            const struct role_problem *known = find_problem(roles->problems, roles->problem_count, login.role);
            changed = changed || known == NULL || strcmp(known->problem, login.problem) != 0;
            problems[count++] = (struct role_problem){xstrdup(login.role), xstrdup(login.problem)};
        }
    }
    changed = changed || count != roles->problem_count;
    roles_forget_problems(roles);
    roles->problems = problems;
    roles->problem_count = count;
    return changed;
}

/* --- sessions ----------------------------------------------------------------------------------------------------- */

/* What a role that was dropped left open must not go on working for it, nor what is open of one that got powers
 * since. */
static void follow(struct lead *lead, const struct login *login)
{
    for (size_t i = 1; i < lead->roles.count; i++) {
        struct role_sessions *sessions = lead->roles.items[i];
        if (text_same(sessions->role, login->role)) {
            sessions->dropped = !login->exists;
            sessions->leaving = sessions->leaving || (login->problem != NULL && pool_open_count(sessions->pool) > 0);
            if (sessions->dropped || sessions->leaving) {
                pool_close_idle(sessions->pool);
            }
        }
    }
}

/* Whoever has no job any more needs no sessions. */
static void let_jobless_go(struct lead *lead)
{
    for (size_t i = 1; i < lead->roles.count; i++) {
        struct role_sessions *sessions = lead->roles.items[i];
        if (!sessions->leaving && !scheduler_has_owner(lead->scheduler, sessions->role, sessions->target)) {
            sessions->leaving = true;
            dispatch_soon(lead);
        }
    }
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

static void looked(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    lead->roles.asked = false;
    if (lead_refused(lead, reply, "the roles of jobs could not be looked for")) {
        return;
    }
    for (size_t i = 0; i < logins_count(reply); i++) {
        struct login login = logins_read(reply, i);
        follow(lead, &login);
    }
    if (take_problems(&lead->roles, reply) && lead->roles.changed != NULL) {
        lead->roles.changed(lead);
    }
    dispatch_soon(lead);
    if (lead->roles.again) {
        roles_check(lead);
    }
}

void roles_check(struct lead *lead)
{
    let_jobless_go(lead);
    size_t count = scheduler_owner_count(lead->scheduler);
    const char **owners = xcalloc(count + 1, sizeof(*owners));
    size_t asked = 0;
    for (size_t i = 0; i < count; i++) {
        owners[asked] = scheduler_owner(lead->scheduler, i);
        asked += owners[asked] != NULL;
    }
    lead->roles.again = lead->roles.asked;
    if (!lead->roles.asked && (asked > 0 || lead->roles.problem_count > 0)) {
        lead->roles.asked = true;
        logins_ask(&lead->ledger, owners, asked, looked, lead);
    }
    free(owners);
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

static void told(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "what pgchime.conf says of roles could not be written");
}

void roles_tell(struct lead *lead)
{
    const struct config *config = lead->snapshot->config;
    struct login *logins = xcalloc(config->role_count + 1, sizeof(*logins));
    for (size_t i = 0; i < config->role_count; i++) {
        const struct config_role *role = &config->roles[i];
        logins[i] = (struct login){.role = role->name,
                                   .user = role->conninfo != NULL ? conninfo_user(role->conninfo) : NULL,
                                   .rule = role->login,
                                   .max_jobs = role->max_jobs};
    }
    logins_write(&lead->ledger, logins, config->role_count, told, lead);
    roles_check(lead); /* by what was written */
    for (size_t i = 0; i < config->role_count; i++) {
        free(logins[i].user);
    }
    free(logins);
}
