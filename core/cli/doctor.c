/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/visit.h"
#include "ledger/migrate.h"
#include "cli/ledger_lists.h"
#include "report/problems.h"

static const struct output_column columns[] = {
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS}, {"ABOUT", "about", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},      {"FINDING", "finding", OUTPUT_FINDING, OUTPUT_ALWAYS},
    {"HINT", "hint", OUTPUT_FINDING, OUTPUT_ALWAYS},
};
enum { COLUMN_DATABASE, COLUMN_ABOUT, COLUMN_STATE, COLUMN_FINDING, COLUMN_HINT };

struct doctor {
    struct output_list *list;
    const struct catalog *catalog; /* NULL when the configuration has errors */
    struct visited visited;
    int status;
};

static void found(struct doctor *doctor, const char *database, const char *about, const char *state,
                  const char *finding, const char *hint)
{
    output_add_row(doctor->list);
    output_set(doctor->list, COLUMN_DATABASE, database);
    output_set(doctor->list, COLUMN_ABOUT, about);
    output_set(doctor->list, COLUMN_STATE, state);
    output_set(doctor->list, COLUMN_FINDING, finding);
    output_set(doctor->list, COLUMN_HINT, hint != NULL && hint[0] != '\0' ? hint : NULL);
}

static void warn(struct doctor *doctor, const char *database, const char *about, const char *finding, const char *hint)
{
    found(doctor, database, about, "warn", finding, hint);
    if (doctor->status == EXIT_OK) {
        doctor->status = EXIT_WARNINGS;
    }
}

static void failed(struct doctor *doctor, const char *database, const char *about, const struct error *err)
{
    found(doctor, database, about, "failed", err->message, err->hint);
    if (doctor->status == EXIT_OK || doctor->status == EXIT_WARNINGS) {
        doctor->status = (int)err->kind;
    }
}

/* Rows of about, state, finding, way out. $1: sessions that a leader may open here; those it has already are its own to
 * use. */
static const char findings_sql[] =
    "SELECT 'server', CASE WHEN current_setting('server_version_num')::int < 150000 THEN 'failed' ELSE 'ok' END,"
    "       format('PostgreSQL %s, up since %s', current_setting('server_version'), date_trunc('second', "
    "pg_postmaster_start_time())),"
    "       CASE WHEN current_setting('server_version_num')::int < 150000 THEN '15 is the oldest that works' END"
    " UNION ALL"
    " SELECT 'role', CASE WHEN r.rolsuper THEN 'warn' ELSE 'ok' END,"
    "        format('%s%s', current_user, CASE WHEN r.rolsuper THEN ' is a superuser' END),"
    "        CASE WHEN r.rolsuper THEN 'pgchime needs none: pgchime init --sql prints a role that has what it needs' "
    "END"
    "   FROM pg_roles r WHERE r.rolname = current_user"
    " UNION ALL"
    " SELECT 'sessions', CASE WHEN c.free < $1::int THEN 'warn' ELSE 'ok' END,"
    "        format('%s are free, of which a leader may need %s', greatest(c.free, 0), $1::int),"
    "        CASE WHEN c.free < $1::int THEN 'raise max_connections (or the limit of the role or database), or lower "
    "pool_size' END"
    "   FROM (SELECT least(current_setting('max_connections')::int - "
    "current_setting('superuser_reserved_connections')::int"
    "                      - (SELECT count(*) FROM pg_stat_activity a WHERE a.backend_type = 'client backend'"
    "                         AND a.application_name NOT LIKE 'pgchime %'),"
    "                      nullif(r.rolconnlimit, -1), nullif(d.datconnlimit, -1)) AS free"
    "           FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()) c"
    " UNION ALL"
    " SELECT 'role', 'warn', o.* FROM (" MIGRATE_OWNERS_SQL ") o";

static const char leader_sql[] =
    "SELECT 'leader', 'ok', format('%s leads since %s as epoch %s, last heard of %s ms ago%s', s.instance, "
    "date_trunc('second', s.since), s.epoch,"
    "       (extract(epoch FROM s.heartbeat_age) * 1000)::bigint, ', on timeline ' || s.timeline), NULL"
    "  FROM chime.leader_status s WHERE s.alive"
    " UNION ALL"
    " SELECT 'followers', 'ok', CASE WHEN s.followers = '{}' THEN 'none: nobody takes over when the leader goes'"
    "                           ELSE array_to_string(s.followers, ', ') END, NULL"
    "   FROM chime.leader_status s WHERE s.alive"
    " UNION ALL"
    " SELECT 'leader', 'warn', p.* FROM (" LEADER_PROBLEMS_SQL ") p"
    " UNION ALL"
    " SELECT 'events', 'warn', w.* FROM " WATCH_PROBLEMS_SQL " w";

static const char work_sql[] = "SELECT 'plugin', 'warn', p.message, p.way_out FROM " PLUGIN_PROBLEMS_SQL " p"
                               " UNION ALL"
                               " (SELECT 'plugin', 'ok', format('plugin %s is dormant: %s', name, reason),"
                               "         'it wakes by itself once that is there'"
                               "    FROM chime.plugin WHERE state = 'dormant' ORDER BY name)"
                               " UNION ALL"
                               " SELECT 'job', 'warn', f.* FROM (" JOB_PROBLEMS_SQL ") f"
                               " UNION ALL"
                               " SELECT 'clock', 'warn', c.* FROM " CURSOR_PROBLEMS_SQL " c";

static const char kept_sql[] = "SELECT 'view', 'warn', w.* FROM " WRONG_PROBLEMS_SQL " w"
                               " UNION ALL"
                               " SELECT 'view', 'warn', v.* FROM " VIEW_PROBLEMS_SQL " v"
                               " UNION ALL"
                               " SELECT 'view', 'warn', k.* FROM " KEPT_PROBLEMS_SQL " k"
                               " UNION ALL"
                               " SELECT 'ledger', 'warn', l.* FROM " LEDGER_PROBLEMS_SQL " l"
                               " UNION ALL"
                               " SELECT 'alert', 'warn', a.* FROM " ALERT_PROBLEMS_SQL " a";

/* Others beside the daemon: who reads the ledger as a whole, as subscribers and backups do, and whose names definitions
 * may find. */
static const char others_sql[] =
    "SELECT 'publication', 'warn', format('publication %I sends all tables, schema chime among them', p.pubname),"
    "       format('this leaves schema chime out: CREATE PUBLICATION %I FOR TABLES IN SCHEMA %s', p.pubname || '_data',"
    "              (SELECT string_agg(quote_ident(n.nspname), ', ' ORDER BY n.nspname) FROM pg_namespace n"
    "                WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('chime', 'cron', 'information_schema')))"
    "  FROM pg_publication p WHERE p.puballtables"
    " UNION ALL"
    " SELECT 'trust', 'ok', format('%s: %s could put code there, which views that reach it are refused for', i.place, "
    "i.roles),"
    "        format('code in a definition runs as %I, which owns the ledger, and so as each role that the daemon logs "
    "in as: keep it to roles that you trust (REVOKE CREATE ON SCHEMA), or name these in trusted_owners', "
    "current_user)"
    "   FROM chime.possible_injectors() AS i"
    " UNION ALL"
    " SELECT 'policies', 'warn', format('%I.%I holds rows of %s, whose policies hide some of them', v.view_schema, "
    "v.relation, c.oid::regclass),"
    "        format('who may read the view sees them all: let only those read %I.%I who may see all of %s', "
    "v.view_schema,"
    "               v.relation, c.oid::regclass)"
    "   FROM chime.view v CROSS JOIN LATERAL chime.tables_read(chime.live_of(v)) AS t (oid)"
    "   JOIN pg_class c ON c.oid = t.oid WHERE c.relrowsecurity"
    " UNION ALL"
    " SELECT 'backup', 'ok', format('pg_dump as %s stops at row-level security of schema chime', r.rolname),"
    "        format('pg_dump --enable-row-security has all rows; or: ALTER ROLE %I BYPASSRLS', r.rolname)"
    "   FROM pg_roles r WHERE r.rolcanlogin AND NOT r.rolsuper AND NOT r.rolbypassrls AND r.rolname <> current_user"
    "    AND pg_has_role(r.oid, 'pg_read_all_data', 'USAGE')";

/* Who writes to sources of keyed views without a mark, or may fail to; what a refresh in full may need. */
static const char writers_sql[] =
    "WITH sources AS (SELECT DISTINCT o.source_id, to_regclass(format('%I.%I', o.source_schema, o.source_table)) AS "
    "relation"
    "                   FROM chime.source o JOIN chime.view_source USING (source_id)),"
    "     settings AS (SELECT s.setrole, c.setting FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS c "
    "(setting)"
    "                   WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = "
    "current_database())))"
    "SELECT 'writers', 'warn', format('%s has session_replication_role = replica: what it writes to sources of views "
    "leaves no mark',"
    "       CASE WHEN w.setrole = 0 THEN 'a database' ELSE format('role %I', w.setrole::regrole) END),"
    "       'let the session that needs it set it, and refresh the views afterwards: pgchime refresh --full VIEW'"
    "  FROM settings w WHERE w.setting = 'session_replication_role=replica' AND EXISTS (SELECT FROM sources)"
    " UNION ALL"
    " SELECT 'writers', 'warn', format('trigger %I of %s fires where a subscription writes: what it writes to sources "
    "of views leaves no mark',"
    "                                  t.tgname, t.tgrelid::regclass),"
    "        'where it writes to one, let that table''s owner run for each of its triggers chime_capture_...: "
    "ALTER TABLE ... ENABLE ALWAYS TRIGGER ...'"
    "   FROM pg_trigger t WHERE t.tgenabled IN ('R', 'A') AND NOT t.tgisinternal AND t.tgname NOT LIKE "
    "'%chime\\_capture\\_%'"
    "    AND EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srrelid = t.tgrelid)"
    "    AND EXISTS (SELECT FROM sources s JOIN pg_trigger c ON c.tgrelid = s.relation AND c.tgname LIKE "
    "'%chime\\_capture\\_%' AND c.tgenabled <> 'A')"
    " UNION ALL"
    " SELECT 'writers', 'warn', format('role %I may write to %s and has %s: a statement of it that changes more than "
    "that fails (53400)',"
    "                                  s.setrole::regrole, string_agg(o.relation::text, ', ' ORDER BY "
    "o.relation::text), s.setting),"
    "        'capture keeps the rows that a statement changed: raise the limit, or give the views of these tables "
    "mode full'"
    "   FROM settings s JOIN sources o ON has_table_privilege(s.setrole, o.relation, 'INSERT, UPDATE, DELETE')"
    "  WHERE s.setrole <> 0 AND s.setting LIKE 'temp\\_file\\_limit=%' AND s.setting <> 'temp_file_limit=-1' "
    "GROUP BY s.setrole, s.setting"
    " UNION ALL"
    " SELECT 'view', 'warn', format('a refresh of %s in full may write %s to temporary files, and the temp_file_limit "
    "of %I is %s', n.view,"
    "                               pg_size_pretty(n.bytes), current_user, current_setting('temp_file_limit')),"
    "        format('let a superuser run: ALTER ROLE %I SET temp_file_limit = %L', current_user, pg_size_pretty(2 * "
    "n.bytes))"
    "   FROM (SELECT format('%I.%I', v.view_schema, v.relation) AS view, sum(pg_table_size(t.oid))::bigint AS bytes"
    "           FROM chime.view v CROSS JOIN LATERAL (SELECT s.relation AS oid FROM chime.view_source x JOIN sources "
    "s USING (source_id)"
    "                                                  WHERE (x.view_schema, x.relation) = (v.view_schema, v.relation)"
    "                                                 UNION SELECT to_regclass(format('%I.%I', v.view_schema, "
    "v.relation))) AS t"
    "          GROUP BY 1) AS n"
    "  WHERE pg_size_bytes(current_setting('temp_file_limit')) BETWEEN 0 AND n.bytes";

/* Jobs that SQL made. $1: role_sessions. */
static const char jobs_sql[] =
    "SELECT 'sessions', CASE WHEN r.open < $1::int THEN 'ok' ELSE 'warn' END,"
    "       format('%s of %s for the %s roles that own jobs are open', r.open, $1::int, r.roles),"
    "       CASE WHEN r.open >= $1::int THEN 'roles wait for one another: raise role_sessions, and max_connections "
    "with it' END"
    "  FROM (SELECT (SELECT count(*) FROM pg_stat_activity a WHERE a.application_name = 'pgchime run'"
    "                AND NOT (a.usename = current_user AND a.datname = current_database()) AND a.datname IN ("
    "                 SELECT coalesce(j.database, current_database()) FROM chime.job j"
    "                 WHERE j.origin = 'sql' AND j.removed_at IS NULL)) AS open,"
    "               (SELECT count(DISTINCT j.owner) FROM chime.job j WHERE j.origin = 'sql' AND j.removed_at IS NULL"
    "                AND j.owner <> current_user) AS roles) AS r WHERE r.roles > 0"
    " UNION ALL "
    "SELECT 'jobs', 'warn', format('%s jobs made by SQL belong to %s, as whom the daemon works: what they run may do "
    "all "
    "that it may', count(*), current_user), 'give them to another role, and that role LOGIN'"
    "  FROM chime.job j WHERE j.origin = 'sql' AND j.removed_at IS NULL AND j.owner = current_user HAVING count(*) > 0"
    " UNION ALL"
    " SELECT 'jobs', 'warn', format('%s jobs belong to roles that are not there: %s', count(*), "
    "string_agg(DISTINCT j.owner::text, ', ')), 'make the roles again and resume the jobs, or unschedule them'"
    "  FROM chime.job j WHERE j.origin = 'sql' AND j.removed_at IS NULL"
    "   AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = j.owner) HAVING count(*) > 0";

/* Schema cron in the place of the extension pg_cron. $1: the database's time zone. */
static const char cron_sql[] =
    "SELECT 'pg_cron', 'warn', format('%s asks whether the extension pg_cron is installed, and then makes no jobs', "
    "q.place), 'let it ask for this instead, which is true of both: ' || $$" CRON_GUARD "$$"
    "  FROM pg_namespace n CROSS JOIN LATERAL chime.pg_cron_questions() AS q WHERE n.nspname = 'cron'"
    "   AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron')"
    " UNION ALL"
    " SELECT 'pg_cron', 'warn', format('cron.timezone is %s, which was pg_cron''s setting; jobs run in %s', s.zone, "
    "$1::text),"
    "        format('set timezone = \"%s\" for this database in pgchime.conf, or take cron.timezone out', s.zone)"
    "   FROM pg_namespace n, (SELECT nullif(current_setting('cron.timezone', true), '')) AS s (zone)"
    "  WHERE n.nspname = 'cron' AND s.zone <> $1::text"
    "    AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron')";

static bool add_findings(struct doctor *doctor, const struct visit *visit, const char *sql,
                         const char *const *parameters, size_t count, struct error *err)
{
    struct pg_rows rows;
    if (!pg_client_query(visit->client, sql, parameters, count, &rows, err)) {
        return false;
    }
    for (size_t i = 0; i < rows.count; i++) {
        const char *about = pg_rows_value(&rows, i, 0);
        const char *state = pg_rows_value(&rows, i, 1);
        const char *finding = pg_rows_value(&rows, i, 2);
        const char *hint = pg_rows_value(&rows, i, 3);
        if (state[0] == 'w') {
            warn(doctor, visit->database->name, about, finding, hint);
        } else if (state[0] == 'o') {
            found(doctor, visit->database->name, about, state, finding, hint);
        } else {
            struct error problem;
            error_set(&problem, ERROR_REFUSED, "%s", finding);
            error_hint(&problem, "%s", hint);
            failed(doctor, visit->database->name, about, &problem);
        }
    }
    pg_rows_finish(&rows);
    return true;
}

static bool look_at_due_jobs(struct doctor *doctor, struct visit *visit, struct error *err)
{
    struct due_jobs due;
    struct error problem;
    if (!due_jobs_read(visit, &due, err)) {
        return false;
    }
    if (due_jobs_are_late(&due, &problem)) {
        warn(doctor, visit->database->name, "job", problem.message, problem.hint);
    }
    due_jobs_finish(&due);
    return true;
}

/* A daemon that leads goes by what it has read last; this is what it would read now. */
static bool compare_configuration(struct doctor *doctor, const struct visit *visit, struct error *err)
{
    struct pg_rows rows;
    char own[17];
    if (doctor->catalog == NULL) {
        warn(doctor, visit->database->name, "configuration",
             "it has errors, so it cannot be compared with the leader's", "pgchime check names them");
        return true;
    }
    catalog_fingerprint(doctor->catalog, visit->database->name, own);
    const char *const parameters[] = {own};
    if (!pg_client_query(visit->client, "SELECT s.configuration = $1 FROM chime.leader_status s WHERE s.alive",
                         parameters, COUNT_OF(parameters), &rows, err)) {
        return false;
    }
    if (rows.count == 1 && pg_rows_value(&rows, 0, 0)[0] == 't') {
        found(doctor, visit->database->name, "configuration", "ok", "the leader goes by this one", NULL);
    } else if (rows.count == 1) {
        warn(doctor, visit->database->name, "configuration", "the leader goes by another one than this",
             "pgchime reload brings it there; where the leader is on another machine, bring both to the same first");
    }
    pg_rows_finish(&rows);
    return true;
}

/* The leader's own session, its watch's, one to install on, and those of runs. */
static bool look_at_server(struct doctor *doctor, const struct visit *visit, struct error *err)
{
    char sessions[16];
    snprintf(sessions, sizeof(sessions), "%d", visit->database->pool_size + 3);
    const char *const parameters[] = {sessions};
    return add_findings(doctor, visit, findings_sql, parameters, COUNT_OF(parameters), err);
}

static bool look_at_jobs(struct doctor *doctor, const struct visit *visit, struct error *err)
{
    char sessions[16];
    snprintf(sessions, sizeof(sessions), "%d", visit->database->role_sessions);
    const char *const parameters[] = {sessions};
    return add_findings(doctor, visit, jobs_sql, parameters, COUNT_OF(parameters), err);
}

static void look_at(struct doctor *doctor, const struct config_database *database)
{
    struct visit visit;
    struct error err = {0};
    bool open = visit_open(&visit, database, &err);
    struct error problem = err;
    if (visit.client == NULL) {
        failed(doctor, database->name, "connection", &err);
    } else if (!look_at_server(doctor, &visit, &err)) {
        failed(doctor, database->name, "server", &err);
    } else if (!open) {
        failed(doctor, database->name, "schema", &problem);
    } else if (!add_findings(doctor, &visit, leader_sql, &database->name, 1, &err) ||
               !look_at_jobs(doctor, &visit, &err) || !compare_configuration(doctor, &visit, &err)) {
        failed(doctor, database->name, "leader", &err);
    } else if (!visit_is_first(&visit, &doctor->visited, &err)) {
        failed(doctor, database->name, "database", &err);
    } else if (!add_findings(doctor, &visit, work_sql, NULL, 0, &err) ||
               !add_findings(doctor, &visit, kept_sql, NULL, 0, &err) || !look_at_due_jobs(doctor, &visit, &err) ||
               !add_findings(doctor, &visit, others_sql, NULL, 0, &err) ||
               !add_findings(doctor, &visit, cron_sql, &database->timezone, 1, &err) ||
               !add_findings(doctor, &visit, writers_sql, NULL, 0, &err)) {
        failed(doctor, database->name, "plugin", &err);
    }
    visit_close(&visit);
}

/* What is refused reaches no database: files of the configuration, and of plugins. */
static void look_at_files(struct doctor *doctor, const struct report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct finding *finding = &report->findings[i];
        char *line = finding_line(finding);
        struct error err;
        error_set(&err, ERROR_CONFIG, "%s", line);
        error_hint(&err, "%s", finding->hint != NULL ? finding->hint : "");
        failed(doctor, NULL, finding_is_of_plugin(finding, NULL) ? "plugin" : "configuration", &err);
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
    struct doctor doctor = {.list = output_create("findings", columns, COUNT_OF(columns)), .catalog = loaded.catalog};
    for (size_t i = 0; i < config->database_count; i++) {
        if (database_is_wanted(invocation, &config->databases[i])) {
            look_at(&doctor, &config->databases[i]);
        }
    }
    look_at_files(&doctor, &loaded.report);
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
    .details = "A pooler in between and a standby are refused by their names. Exit status 8 when there are warnings "
               "only, else that of "
               "the\nfirst failure: 4 when a database cannot be reached, 6 when it is refused, 3 when a plugin or "
               "the configuration is.",
    .run = doctor_run,
};
