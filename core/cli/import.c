/* SPDX-License-Identifier: PostgreSQL */
/* `import pg_cron`: jobs of the extension become ours, or go back. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/import_handover.h"
#include "cli/load.h"
#include "cli/plugin_command.h"

#define PATIENCE (60 * USEC_PER_SEC)

struct importing {
    const struct invocation *invocation;
    const struct config_database *database;
    struct visit visit;
    struct import_source source;
    struct import_plan plan;
    struct zones *zones;
    duration patience;
    int status;
};

/* --- the command line --------------------------------------------------------------------------------------------- */

static bool check_words(const struct invocation *invocation, struct error *err)
{
    if (strcmp(invocation->arguments[0], "pg_cron") != 0) {
        error_set(err, ERROR_USAGE, "jobs of \"%s\" cannot be imported", invocation->arguments[0]);
        return error_hint(err, "write: pgchime import pg_cron, or pgchime import crontab FILE");
    }
    if (invocation_has(invocation, "from") && invocation_has(invocation, "dump")) {
        error_set(err, ERROR_USAGE, "--from and --dump exclude each other");
        return error_hint(err, "jobs come from one place at a time");
    }
    return true;
}

/* --- what there is ------------------------------------------------------------------------------------------------ */

static bool open_source(struct importing *importing, struct error *err)
{
    const struct invocation *invocation = importing->invocation;
    const char *dump = invocation_option(invocation, "dump");
    struct import_source *source = &importing->source;
    if (dump != NULL) {
        return import_source_read_dump(source, dump, err);
    }
    return import_source_open(source, &importing->visit, invocation_option(invocation, "from"), err);
}

/* The zone of the source's schedules: --timezone says it where the source does not. */
static bool choose_zone(struct importing *importing, struct error *err)
{
    struct import_source *source = &importing->source;
    const char *said = invocation_option(importing->invocation, "timezone");
    if (source->client != NULL && source->zone != NULL && said != NULL) {
        error_set(err, ERROR_USAGE, "--timezone is not needed: the server says that its zone is %s", source->zone);
        return error_hint(err, "leave it away");
    }
    if (said != NULL) {
        source->zone = said;
    } else if (source->zone == NULL) {
        error_set(err, ERROR_REFUSED, "the role of --from may not read cron.timezone");
        return error_hint(err, "GRANT pg_read_all_settings to it, or say the zone with --timezone");
    }
    return true;
}

static bool find_zone(struct importing *importing, struct error *err)
{
    const struct zone *zone;
    if (!zones_find(importing->zones, importing->source.zone, &zone, err)) {
        err->kind = ERROR_USAGE;
        return error_prefix(err, importing->source.client != NULL ? "cron.timezone" : "--timezone");
    }
    importing->plan.zone = zone_is_utc(zone) ? NULL : zone;
    importing->plan.names_zone = strcmp(importing->plan.zone != NULL ? zone_name(importing->plan.zone) : "UTC",
                                        importing->database->timezone) != 0;
    return true;
}

static bool prepare(struct importing *importing, struct error *err)
{
    const char *answers = invocation_option(importing->invocation, "meaning");
    if (!visit_open(&importing->visit, importing->database, err) || !open_source(importing, err) ||
        !choose_zone(importing, err) || !find_zone(importing, err)) {
        return false;
    }
    importing->plan.invocation = importing->invocation;
    importing->plan.source = &importing->source;
    importing->plan.ours = importing->source.here ? importing->source.client : importing->visit.client;
    importing->plan.answers = answers;
    return answers == NULL || import_answers_check(answers, &importing->source, err);
}

/* --- doing it ----------------------------------------------------------------------------------------------------- */

static void say_what_is_left(const struct importing *importing)
{
    const struct import_plan *plan = &importing->plan;
    size_t asked = import_plan_count(plan, IMPORT_ASK, IMPORT_ASK);
    size_t blocked = import_plan_count(plan, IMPORT_BLOCK, IMPORT_TWICE);
    if (asked > 0) {
        remark(importing->invocation,
               "%zu left out: WHY says what differs; answer with --meaning JOB=OURS or JOB=THEIRS", asked);
    }
    if (blocked > 0) {
        remark(importing->invocation, "%zu left out: WHY says what stands in the way", blocked);
    }
}

static int verdict(const struct importing *importing, int status)
{
    bool left = import_plan_count(&importing->plan, IMPORT_ASK, IMPORT_TWICE) > 0;
    return status == EXIT_OK && left ? (int)EXIT_WARNINGS : status;
}

static bool confirm(const struct importing *importing, size_t count, struct error *err)
{
    bool back = invocation_has(importing->invocation, "rollback");
    char *question = xasprintf(back ? "Give %zu job%s back to pg_cron?" : "Take over %zu job%s?", count,
                               count == 1 ? "" : "s");
    bool confirmed = plugin_command_confirm(importing->invocation, "nothing was done", question, err);
    free(question);
    return confirmed;
}

static void say_nothing(const struct importing *importing)
{
    bool back = invocation_has(importing->invocation, "rollback");
    remark(importing->invocation,
           back ? "nothing to give back: no job of this pg_cron was imported" : "nothing to import");
}

/* Jobs that came bring their zone along; those that are made later have the database's. */
static void say_zone(const struct importing *importing)
{
    const struct config_database *database = importing->database;
    if (importing->plan.names_zone && !invocation_has(importing->invocation, "rollback")) {
        const char *zone = importing->plan.zone != NULL ? zone_name(importing->plan.zone) : "UTC";
        remark(importing->invocation,
               "jobs that are made later run in %s, those of pg_cron ran in %s: timezone = \"%s\" in pgchime.conf, "
               "database \"%s\", goes on as pg_cron did",
               database->timezone, zone, zone, database->name);
    }
}

static void say_dump(const struct importing *importing)
{
    if (importing->source.client == NULL && !invocation_has(importing->invocation, "rollback")) {
        remark(importing->invocation,
               "a dump stops nothing: where its server still runs, these jobs run there as well, until "
               "UPDATE cron.job SET active = false");
    }
}

static bool perform(struct importing *importing, struct error *err)
{
    size_t count = import_plan_count(&importing->plan, IMPORT_TAKE, IMPORT_RETURN);
    say_what_is_left(importing);
    if (count == 0) {
        say_nothing(importing);
        return true;
    }
    say_dump(importing);
    say_zone(importing);
    if (invocation_has(importing->invocation, "dry-run")) {
        return true;
    }
    if (!import_source_check_rights(&importing->source, err) || !confirm(importing, count, err)) {
        return false;
    }
    importing->status = import_hand_over(&importing->plan, importing->patience);
    return true;
}

static bool may_ask(const struct importing *importing)
{
    return !invocation_has(importing->invocation, "yes") && !invocation_has(importing->invocation, "dry-run") &&
           isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static bool plan(struct importing *importing, struct error *err)
{
    if (invocation_has(importing->invocation, "rollback")) {
        return import_plan_make_back(&importing->plan, err);
    }
    return import_plan_make(&importing->plan, err) && (!may_ask(importing) || import_plan_ask(&importing->plan, err));
}

static int import_there(struct importing *importing)
{
    struct error err;
    importing->zones = zones_create();
    bool good = prepare(importing, &err) && plan(importing, &err);
    if (good) {
        import_plan_print(&importing->plan);
        good = perform(importing, &err);
    }
    if (!good) {
        error_prefix(&err, "database \"%s\"", importing->database->name);
    }
    int status = good ? verdict(importing, importing->status) : fail(&err);
    import_source_close(&importing->source);
    visit_close(&importing->visit);
    zones_destroy(importing->zones);
    return status;
}

static int import_run(const struct invocation *invocation)
{
    struct importing importing = {.invocation = invocation, .patience = PATIENCE};
    struct error err;
    int status;
    if (!check_words(invocation, &err) || !invocation_duration(invocation, "wait", &importing.patience, &err)) {
        return fail(&err);
    }
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    importing.database = database_for_jobs(invocation, config, &err);
    status = importing.database != NULL ? import_there(&importing) : fail(&err);
    config_free(config);
    return status;
}

const struct command command_import = {
    .name = "import",
    .arguments = "pg_cron",
    .least = 1,
    .most = 1,
    .summary = "takes over the jobs of the extension pg_cron, or gives them back",
    .details =
        "Shows each job, what becomes of it and why. Then pg_cron's is deactivated and ours begins at the same "
        "instant, "
        "so\n"
        "that no time runs twice or is left out; what was killed in between goes on with the same command. A schedule "
        "that\n"
        "means another thing here is asked about at a terminal; elsewhere --meaning answers, JOB=OURS or JOB=THEIRS "
        "with\n"
        "commas, or all=OURS. Jobs without an answer, and those that keep running, are left out: exit status 8.\n"
        "docs/moving-from-pg_cron.md.",
    .options = {{"from", "CONNINFO", "the database that has pg_cron (default: the database itself)"},
                {"dump", "FILE", "jobs in a plain dump of it"},
                {"timezone", "ZONE",
                 "what cron.timezone is there, where a dump or a role without rights cannot say (default: UTC)"},
                {"meaning", "ANSWERS", "what is meant where it differs: 3=theirs,7=ours"},
                {"wait", "DURATION", "for a run that goes on, each (default: 60s)"},
                {"rollback", NULL, "give the jobs back to pg_cron"},
                {"dry-run", NULL, "show what would be done"},
                {"yes", NULL, "do not ask"}},
    .run = import_run,
};
