/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/visit.h"
#include "report/clock_findings.h"
#include "report/due_jobs.h"
#include "report/due_work.h"
#include "report/finding_list.h"

struct doctor {
    const struct invocation *invocation;
    struct output_list *list;
    const struct catalog *catalog; /* NULL when the configuration has errors */
    struct visited visited;
    int status;
};

/* Exit statuses: the first failure's, else that of warnings. */
static void note_state(struct doctor *doctor, enum finding_state state, enum error_kind kind)
{
    if (state == FINDING_FAILED && (doctor->status == EXIT_OK || doctor->status == EXIT_WARNINGS)) {
        doctor->status = (int)kind;
    } else if (state == FINDING_WARN && doctor->status == EXIT_OK) {
        doctor->status = EXIT_WARNINGS;
    }
}

static void warn(struct doctor *doctor, const char *database, const char *id, const char *subject, const char *finding,
                 const char *hint)
{
    finding_list_add(doctor->list, database, id, FINDING_WARN, subject, finding, hint);
    note_state(doctor, FINDING_WARN, ERROR_NONE);
}

static void note_warning(struct doctor *doctor, bool warns)
{
    note_state(doctor, warns ? FINDING_WARN : FINDING_OK, ERROR_NONE);
}

static void failed(struct doctor *doctor, const char *database, const char *id, const struct error *err)
{
    finding_list_add(doctor->list, database, id, FINDING_FAILED, NULL, err->message, err->hint);
    note_state(doctor, FINDING_FAILED, err->kind);
}

static bool add_findings(struct doctor *doctor, struct visit *visit, enum report_id id, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    finding_list_ask(&question, id, visit->database, doctor->catalog);
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    note_state(doctor, finding_list_take(doctor->list, &rows, visit->database), ERROR_REFUSED);
    pg_rows_finish(&rows);
    return true;
}

static void check_due_jobs(struct doctor *doctor, const struct config_database *database,
                           const struct pg_rows *calendars)
{
    struct due_jobs due;
    struct error problem;
    due_jobs_take(&due, calendars, database);
    if (due_jobs_are_late(&due, &problem)) {
        warn(doctor, database->name, "job-late", due.latest, problem.message, problem.hint);
    }
    due_jobs_finish(&due);
}

static bool check_zones(struct doctor *doctor, struct visit *visit, const struct pg_rows *calendars, struct error *err)
{
    struct pg_rows rows;
    char *zones = zone_data_of(calendars, visit->database, clock_wall());
    struct question question = {.id = REPORT_ZONE_FINDINGS, .parameters = {zones}};
    bool good = visit_ask(visit, &question, &rows, err);
    if (good) {
        note_state(doctor, finding_list_take(doctor->list, &rows, visit->database), ERROR_REFUSED);
        pg_rows_finish(&rows);
    }
    free(zones);
    return good;
}

static bool check_calendars(struct doctor *doctor, struct visit *visit, struct error *err)
{
    struct question question;
    struct pg_rows calendars;
    calendars_ask(&question);
    if (!visit_ask(visit, &question, &calendars, err)) {
        return false;
    }
    check_due_jobs(doctor, visit->database, &calendars);
    bool good = check_zones(doctor, visit, &calendars, err);
    pg_rows_finish(&calendars);
    return good;
}

static bool check_due_work(struct doctor *doctor, struct visit *visit, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    due_work_ask(&question);
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    note_warning(doctor, due_work_take(doctor->list, &rows, visit->database));
    pg_rows_finish(&rows);
    return true;
}

static bool check_clock(struct doctor *doctor, struct visit *visit, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    server_clock_ask(&question);
    instant asked = clock_wall();
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    note_warning(doctor, server_clock_take(doctor->list, &rows, visit->database->name, asked, clock_wall()));
    pg_rows_finish(&rows);
    return true;
}

static void check_heartbeat(struct doctor *doctor, const struct config_database *database)
{
    if (database->heartbeat == NULL) {
        finding_list_add(doctor->list, database->name, "heartbeat", FINDING_OK, NULL,
                         "no heartbeat is sent: nobody is told when no daemon runs",
                         "heartbeat = { url_file = \"...\"; } of the database in pgchime.conf, for a service that "
                         "expects it");
    }
}

static bool compare_configuration(struct doctor *doctor, struct visit *visit, struct error *err)
{
    if (doctor->catalog == NULL) {
        warn(doctor, visit->database->name, "configuration", NULL,
             "it has errors, so it cannot be compared with the leader's", "pgchime check names them");
        return true;
    }
    return add_findings(doctor, visit, REPORT_CONFIGURATION_FINDINGS, err);
}

static bool check_leader(struct doctor *doctor, struct visit *visit, struct error *err)
{
    check_heartbeat(doctor, visit->database);
    return check_clock(doctor, visit, err) && add_findings(doctor, visit, REPORT_LEADER_FINDINGS, err) &&
           add_findings(doctor, visit, REPORT_OWNER_FINDINGS, err) && compare_configuration(doctor, visit, err);
}

static bool check_work(struct doctor *doctor, struct visit *visit, struct error *err)
{
    return add_findings(doctor, visit, REPORT_WORK_FINDINGS, err) &&
           add_findings(doctor, visit, REPORT_KEPT_FINDINGS, err) && check_calendars(doctor, visit, err) &&
           check_due_work(doctor, visit, err) && add_findings(doctor, visit, REPORT_OTHERS_FINDINGS, err) &&
           add_findings(doctor, visit, REPORT_CRON_FINDINGS, err) &&
           add_findings(doctor, visit, REPORT_WRITERS_FINDINGS, err);
}

static void check_database(struct doctor *doctor, const struct config_database *database)
{
    struct visit visit;
    struct error err = {0};
    bool open = visit_open(&visit, database, &err);
    struct error problem = err;
    if (visit.client == NULL) {
        failed(doctor, database->name, "connection", &err);
    } else if (!add_findings(doctor, &visit, REPORT_SERVER_FINDINGS, &err)) {
        failed(doctor, database->name, "server", &err);
    } else if (!open) {
        failed(doctor, database->name, "schema", &problem);
    } else if (!check_leader(doctor, &visit, &err)) {
        failed(doctor, database->name, "leader", &err);
    } else if (!visit_is_first(&visit, &doctor->visited, &err)) {
        failed(doctor, database->name, "database", &err);
    } else if (!check_work(doctor, &visit, &err)) {
        failed(doctor, database->name, "schema", &err);
    }
    if (visit.client != NULL) {
        visit_remark_standby(doctor->invocation, &visit);
    }
    visit_close(&visit);
}

/* What is refused reaches no database: files of the configuration, and of plugins. */
static void check_files(struct doctor *doctor, const struct report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct finding *finding = &report->findings[i];
        char *line = finding_line(finding);
        struct error err;
        error_set(&err, ERROR_CONFIG, "%s", line);
        error_hint(&err, "%s", finding->hint != NULL ? finding->hint : "");
        failed(doctor, NULL, finding_is_of_plugin(finding, NULL) ? "plugin-failed" : "configuration", &err);
        free(line);
    }
}

static int doctor_run(const struct invocation *invocation)
{
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    struct loaded loaded;
    load_all(invocation, &loaded);
    struct doctor doctor = {.invocation = invocation, .list = finding_list_create(), .catalog = loaded.catalog};
    for (size_t i = 0; i < config->database_count; i++) {
        if (database_is_wanted(invocation, &config->databases[i])) {
            check_database(&doctor, &config->databases[i]);
        }
    }
    check_files(&doctor, &loaded.report);
    output_print(&doctor.list, 1, &invocation->style, stdout);
    if (config->database_count == 0) {
        remark(invocation, "no database is configured in %s", config->file);
    }
    output_destroy(doctor.list);
    visited_finish(&doctor.visited);
    loaded_finish(&loaded);
    config_free(config);
    return doctor.status;
}

const struct command command_doctor = {
    .name = "doctor",
    .arguments = "",
    .summary = "connects, and says of each database what is well and what is not, with the way out",
    .details =
        "A pooler in between is refused by its name. Of a standby it says what that knows, and how old it is. Exit "
        "status 8\nwhen there are warnings only, else that of the first failure: 4 when a database cannot be reached, "
        "6 when it is refused, 3 when a plugin or "
        "the configuration is.",
    .run = doctor_run,
};
