/* SPDX-License-Identifier: PostgreSQL */
/* `import crontab`: lines that call psql become jobs. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/crontab_plan.h"
#include "cli/load.h"
#include "cli/machine_zone.h"
#include "cli/plugin_command.h"
#include "config/source.h"

#define FILE_LIMIT (1u << 20)

/* --- the file ----------------------------------------------------------------------------------------------------- */

static bool read_input(struct arena *arena, const char **text, struct error *err)
{
    struct buffer bytes = {0};
    char part[4096];
    size_t length;
    while (bytes.length <= FILE_LIMIT && (length = fread(part, 1, sizeof(part), stdin)) > 0) {
        buffer_append(&bytes, part, length);
    }
    int failure = ferror(stdin) != 0 ? errno : 0;
    bool good = failure == 0 && bytes.length <= FILE_LIMIT && memchr(buffer_text(&bytes), '\0', bytes.length) == NULL &&
                utf8_valid(buffer_text(&bytes), bytes.length);
    if (failure != 0) {
        error_set(err, ERROR_USAGE, "cannot read the standard input: %s", strerror(failure));
    } else if (!good) {
        error_set(err, ERROR_USAGE, "the input is no crontab: it is not UTF-8, or longer than 1 MB");
    }
    if (!good) {
        error_hint(err, "crontab -l | pgchime import crontab -");
    }
    *text = good ? arena_strdup(arena, buffer_text(&bytes)) : NULL;
    buffer_finish(&bytes);
    return good;
}

static bool read_file(const char *file, struct arena *arena, const char **text, struct error *err)
{
    struct source_text source;
    struct report report;
    if (strcmp(file, "-") == 0) {
        return read_input(arena, text, err);
    }
    report_init(&report);
    bool read = source_read(file, NULL, &source, &report);
    if (read) {
        *text = arena_strdup(arena, source.text);
        free(source.text);
    } else {
        error_set(err, ERROR_USAGE, "%s: %s", file, report.findings[0].message);
        error_hint(err, "name a crontab, or - for the standard input: crontab -l | pgchime import crontab -");
    }
    report_finish(&report);
    return read;
}

/* --- the command line --------------------------------------------------------------------------------------------- */

static bool open_database(const struct invocation *invocation, const struct config *config, struct visit *visit,
                          struct error *err)
{
    const struct config_database *database = database_for_jobs(invocation, config, err);
    return database != NULL && visit_open(visit, database, err);
}

static bool find_user(struct crontab_plan *plan, struct error *err)
{
    const struct invocation *invocation = plan->invocation;
    if (invocation_has(invocation, "system") && invocation_has(invocation, "user")) {
        error_set(err, ERROR_USAGE, "--user is for a crontab without a column of users");
        return error_hint(err, "leave one of --system and --user away");
    }
    if (invocation_has(invocation, "system")) {
        return true;
    }
    const struct passwd *self = getpwuid(getuid());
    plan->user = invocation_has(invocation, "user") ? invocation_option(invocation, "user")
                 : self != NULL                     ? arena_strdup(plan->arena, self->pw_name)
                                                    : NULL;
    if (plan->user != NULL) {
        return true;
    }
    error_set(err, ERROR_USAGE, "the user who runs this has no name on this machine");
    return error_hint(err, "say whose crontab it is: --user NAME");
}

static bool find_zone(struct crontab_plan *plan, struct error *err)
{
    const struct zone *zone;
    if (!invocation_has(plan->invocation, "timezone")) {
        plan->zone = machine_zone("/etc", plan->zones, plan->arena, err);
        return plan->zone != NULL;
    }
    plan->zone = invocation_option(plan->invocation, "timezone");
    if (!zones_find(plan->zones, plan->zone, &zone, err)) {
        err->kind = ERROR_USAGE;
        return error_prefix(err, "--timezone");
    }
    return true;
}

static bool prepare(struct crontab_plan *plan, struct error *err)
{
    const struct invocation *invocation = plan->invocation;
    const char *text;
    if (!find_user(plan, err) || !find_zone(plan, err) ||
        !read_file(invocation->arguments[0], plan->arena, &text, err)) {
        return false;
    }
    plan->hosts = invocation_option(invocation, "host");
    plan->active = !invocation_has(invocation, "inactive");
    return crontab_read(&plan->crontab, text, invocation_has(invocation, "system"), plan->user, err);
}

/* --- what else is in the file ------------------------------------------------------------------------------------- */

struct remark_on_setting {
    const char *name;
    const char *text; /* NULL: it is understood, or of no account to psql */
};

static const struct remark_on_setting remarks[] = {
    {"CRON_TZ", NULL},
    {"HOME", NULL},
    {"PGHOST", NULL},
    {"PGPORT", NULL},
    {"PGUSER", NULL},
    {"PGDATABASE", NULL},
    {"SHELL", NULL},
    {"PATH", NULL},
    {"LOGNAME", NULL},
    {"MAILTO", "nobody is mailed: pgchime status and pgchime runs --state failed tell of failures"},
    {"TZ", "cron's times do not follow it, nor does psql: CRON_TZ, or --timezone"},
    {"PGPASSWORD", "no password is taken along: a role's jobs log in as docs/sql-jobs.md says"},
    {"PGPASSFILE", "no file of passwords is taken along: write it to the role in pgchime.conf (roles)"},
};

static void remark_on(const struct invocation *invocation, const struct crontab_setting *setting)
{
    for (size_t i = 0; i < COUNT_OF(remarks); i++) {
        if (strcmp(remarks[i].name, setting->name) == 0) {
            if (remarks[i].text != NULL && setting->value[0] != '\0') {
                remark(invocation, "line %d, %s: %s", setting->line, setting->name, remarks[i].text);
            }
            return;
        }
    }
    remark(invocation, "line %d, %s: it is not taken along", setting->line, setting->name);
}

/* --- doing it ----------------------------------------------------------------------------------------------------- */

static void say_lines(const struct crontab_plan *plan)
{
    size_t count;
    const char *lines = crontab_plan_lines(plan, crontab_step_is_double, &count);
    if (count > 0) {
        remark(plan->invocation, "cron goes on running line%s %s: take %s out of the crontab, or both run",
               count == 1 ? "" : "s", lines, count == 1 ? "it" : "them");
    }
    lines = crontab_plan_lines(plan, crontab_step_is_single, &count);
    if (count > 0) {
        remark(plan->invocation,
               count == 1 ? "only cron runs line %s: its job is not active; switch it on as you take the line out of "
                            "the crontab"
                          : "only cron runs lines %s: their jobs are not active; switch them on as you take the lines "
                            "out of the crontab",
               lines);
    }
}

static bool is_left(const struct crontab_step *step)
{
    return step->action == CRONTAB_LEAVE;
}

static void say_left(const struct crontab_plan *plan)
{
    size_t left;
    const char *lines = crontab_plan_lines(plan, is_left, &left);
    size_t blocked = crontab_plan_count(plan, CRONTAB_BLOCK);
    if (left > 0) {
        remark(plan->invocation, "not imported: line%s %s", left == 1 ? "" : "s", lines);
    }
    if (blocked > 0) {
        remark(plan->invocation, "%zu left out: WHY says what stands in the way", blocked);
    }
}

/* One that fails holds up no other. */
static int make_jobs(const struct crontab_plan *plan)
{
    int status = EXIT_OK;
    for (size_t i = 0; i < plan->count; i++) {
        struct crontab_step *step = &plan->steps[i];
        struct error err;
        if (step->action != CRONTAB_COPY) {
            continue;
        }
        const char *job_id = crontab_plan_do(plan, step, &err);
        if (job_id == NULL) {
            error_prefix(&err, "line %d", step->entry->line);
            status = fail(&err);
        } else {
            remark(plan->invocation, "line %d is job %s%s", step->entry->line, job_id,
                   plan->active ? "" : ", not active");
        }
    }
    return status;
}

static bool perform(const struct crontab_plan *plan, int *status, struct error *err)
{
    size_t count = crontab_plan_count(plan, CRONTAB_COPY);
    say_left(plan);
    if (count == 0) {
        remark(plan->invocation, "nothing to import");
        say_lines(plan);
        return true;
    }
    if (!invocation_has(plan->invocation, "dry-run")) {
        char *question = xasprintf("Make %zu job%s?", count, count == 1 ? "" : "s");
        bool confirmed = plugin_command_confirm(plan->invocation, "nothing was done", question, err);
        free(question);
        if (!confirmed) {
            return false;
        }
        *status = make_jobs(plan);
    }
    say_lines(plan);
    return true;
}

static bool import_there(struct crontab_plan *plan, int *status, struct error *err)
{
    if (!crontab_plan_make(plan, err)) {
        return false;
    }
    crontab_plan_print(plan);
    for (size_t i = 0; i < plan->crontab.setting_count; i++) {
        remark_on(plan->invocation, &plan->crontab.settings[i]);
    }
    bool good = perform(plan, status, err);
    if (*status == EXIT_OK && crontab_plan_count(plan, CRONTAB_BLOCK) > 0) {
        *status = EXIT_WARNINGS;
    }
    return good;
}

static int import_crontab_run(const struct invocation *invocation)
{
    struct visit visit = {0};
    struct crontab_plan plan = {.invocation = invocation, .visit = &visit};
    struct error err;
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    plan.arena = arena_create();
    plan.zones = zones_create();
    status = EXIT_OK;
    if (!prepare(&plan, &err) || !open_database(invocation, config, &visit, &err) ||
        !import_there(&plan, &status, &err)) {
        status = fail(&err);
    }
    visit_close(&visit);
    crontab_finish(&plan.crontab);
    zones_destroy(plan.zones);
    arena_destroy(plan.arena);
    config_free(config);
    return status;
}

const struct command command_import_crontab = {
    .name = "import crontab",
    .arguments = "FILE",
    .least = 1,
    .most = 1,
    .summary = "makes jobs of the lines of a crontab that call psql",
    .details = "FILE is a crontab, or - for the standard input. Shows what becomes of each line and why. Lines that "
               "call psql with "
               "SQL\n"
               "(-c, -f, or %) become jobs of the role and database that they connect to; no shell is used, and what "
               "would need one "
               "is\nleft out. Cron is not told: take the lines out of the crontab. Exit status 8 when a line that "
               "calls psql was left "
               "out.\n"
               "docs/moving-from-pg_cron.md.",
    .options = {{"system", NULL, "it has a column of users, as /etc/crontab and /etc/cron.d"},
                {"user", "NAME", "whose it is (default: yours)"},
                {"as-role", "ROLES", "also make jobs of these roles, with commas, of lines that connect as them"},
                {"timezone", "ZONE", "of cron (default: this machine's); CRON_TZ in the file wins"},
                {"host", "NAMES", "further names of the server in the file, NAME or NAME:PORT, with commas"},
                {"inactive", NULL, "make the jobs, and switch them on later"},
                {"dry-run", NULL, "show what would be done"},
                {"yes", NULL, "do not ask"}},
    .run = import_crontab_run,
};
