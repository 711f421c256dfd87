/* SPDX-License-Identifier: PostgreSQL */
/* Each statement gives rows of id (finding_kinds.h), state, subject, finding, way out. */
#include "report/finding_list.h"

#include <stdio.h>

#include "base/memory.h"
#include "ledger/migrate.h"
#include "report/finding_kinds.h"
#include "report/problems.h"

static const struct output_column columns[] = {
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS}, {"ID", "id", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"ABOUT", "about", OUTPUT_TEXT, OUTPUT_VERTICAL},     {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"SUBJECT", "subject", OUTPUT_TEXT, OUTPUT_VERTICAL}, {"FINDING", "finding", OUTPUT_FINDING, OUTPUT_ALWAYS},
    {"WHY", "why", OUTPUT_FINDING, OUTPUT_WIDER},         {"HINT", "hint", OUTPUT_FINDING, OUTPUT_ALWAYS},
};
enum {
    COLUMN_DATABASE,
    COLUMN_ID,
    COLUMN_ABOUT,
    COLUMN_STATE,
    COLUMN_SUBJECT,
    COLUMN_FINDING,
    COLUMN_WHY,
    COLUMN_HINT
};

static const char *const states[] = {"ok", "warn", "failed"};

/* $1: sessions that a leader may open here; those it has already are its own to use. */
static const char server_sql[] =
    "SELECT 'server', CASE WHEN current_setting('server_version_num')::int < 150000 THEN 'failed' ELSE 'ok' END,"
    "       NULL, format('PostgreSQL %s, up since %s', current_setting('server_version'), date_trunc('second', "
    "pg_postmaster_start_time())),"
    "       CASE WHEN current_setting('server_version_num')::int < 150000 THEN '15 is the oldest that works' END"
    " UNION ALL"
    " SELECT 'daemon-role', CASE WHEN r.rolsuper THEN 'warn' ELSE 'ok' END,"
    "        current_user, format('%s%s', current_user, CASE WHEN r.rolsuper THEN ' is a superuser' END),"
    "        CASE WHEN r.rolsuper THEN 'pgchime needs none: pgchime init --sql prints a role that has what it needs' "
    "END"
    "   FROM pg_roles r WHERE r.rolname = current_user"
    " UNION ALL"
    " SELECT 'sessions-free', CASE WHEN c.free < $1::int THEN 'warn' ELSE 'ok' END,"
    "        NULL, format('%s are free or pgchime''s own, and a leader may need %s', greatest(c.free, 0), $1::int),"
    "        CASE WHEN c.free < $1::int THEN 'raise max_connections (or the limit of the role or database), or lower "
    "pool_size' END"
    "   FROM (SELECT least(current_setting('max_connections')::int - "
    "current_setting('superuser_reserved_connections')::int"
    "                      - (SELECT count(*) FROM pg_stat_activity a WHERE a.backend_type = 'client backend'"
    "                         AND a.application_name NOT LIKE 'pgchime %'),"
    "                      nullif(r.rolconnlimit, -1), nullif(d.datconnlimit, -1)) AS free"
    "           FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()) c"
    " UNION ALL"
    " SELECT 'ledger-owner', 'warn', NULL, o.* FROM (" MIGRATE_OWNERS_SQL ") o";

static const char leader_sql[] =
    "SELECT 'leader', 'ok', s.instance, format('%s leads since %s as epoch %s, last heard of %s ms ago%s', s.instance, "
    "date_trunc('second', s.since), s.epoch,"
    "       (extract(epoch FROM s.heartbeat_age) * 1000)::bigint, ', on timeline ' || s.timeline), NULL"
    "  FROM chime.leader_status s WHERE s.alive"
    " UNION ALL"
    " SELECT 'followers', 'ok', NULL, CASE WHEN s.followers = '{}' THEN 'none: nobody takes over when the leader goes'"
    "                           ELSE array_to_string(s.followers, ', ') END, NULL"
    "   FROM chime.leader_status s WHERE s.alive"
    " UNION ALL"
    " SELECT p.id, 'warn', p.subject, p.message, p.way_out FROM (" LEADER_PROBLEMS_SQL ") p"
    " UNION ALL"
    " SELECT w.id, 'warn', w.subject, w.message, w.way_out FROM " WATCH_PROBLEMS_SQL " w";

#define PROBLEMS(sql) "SELECT p.id, 'warn', p.subject, p.message, p.way_out FROM (" sql ") AS p"

#define ALSO " UNION ALL "

/* clang-format off */
static const char work_sql[] =
    PROBLEMS(PLUGIN_PROBLEMS_SQL) ALSO
    "(SELECT 'plugin-dormant', 'ok', name, format('plugin %s is dormant: %s', name, reason),"
    "        'it wakes by itself once that is there'"
    "   FROM chime.plugin WHERE state = 'dormant' ORDER BY name)" ALSO
    PROBLEMS(JOB_PROBLEMS_SQL) ALSO
    PROBLEMS(CURSOR_PROBLEMS_SQL) ALSO
    "SELECT j.* FROM chime.job_findings() AS j";

static const char kept_sql[] =
    PROBLEMS(WRONG_PROBLEMS_SQL) ALSO
    PROBLEMS(VIEW_PROBLEMS_SQL) ALSO
    PROBLEMS(KEPT_PROBLEMS_SQL) ALSO
    PROBLEMS(LEDGER_PROBLEMS_SQL) ALSO
    PROBLEMS(ALERT_PROBLEMS_SQL) ALSO
    "SELECT l.* FROM chime.ledger_findings() AS l";
/* clang-format on */

/* $1: what this program's time zone data says, as chime.zone_findings() takes it. */
static const char zones_sql[] = "SELECT z.* FROM chime.zone_findings($1::jsonb) AS z";

/* Others beside the daemon: who reads the ledger as a whole, as subscribers and backups do, and whose names definitions
 * may find. */
static const char others_sql[] =
    "SELECT 'publication', 'warn', p.pubname::text, format('publication %I sends all tables, schema chime among them', "
    "p.pubname),"
    "       format('this leaves schema chime out: CREATE PUBLICATION %I FOR TABLES IN SCHEMA %s', p.pubname || '_data',"
    "              (SELECT string_agg(quote_ident(n.nspname), ', ' ORDER BY n.nspname) FROM pg_namespace n"
    "                WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('chime', 'cron', 'information_schema')))"
    "  FROM pg_publication p WHERE p.puballtables"
    " UNION ALL"
    " SELECT 'trust', 'ok', NULL, format('%s: %s could put code there, which views that reach it are refused for', "
    "i.place, "
    "i.roles),"
    "        format('code in a definition runs as %I, which owns the ledger, and so as each role that the daemon logs "
    "in as: keep it to roles that you trust (REVOKE CREATE ON SCHEMA), or name these in trusted_owners', "
    "current_user)"
    "   FROM chime.possible_injectors() AS i"
    " UNION ALL"
    " SELECT 'policies', 'warn', v.view_schema || '.' || v.relation, format('%I.%I holds rows of %s, whose policies "
    "hide some of them', v.view_schema, "
    "v.relation, c.oid::regclass),"
    "        format('who may read the view sees them all: let only those read %I.%I who may see all of %s', "
    "v.view_schema,"
    "               v.relation, c.oid::regclass)"
    "   FROM chime.view v CROSS JOIN LATERAL chime.tables_read(chime.live_of(v)) AS t (oid)"
    "   JOIN pg_class c ON c.oid = t.oid WHERE c.relrowsecurity"
    " UNION ALL"
    " SELECT 'backup', 'ok', r.rolname::text, format('pg_dump as %s stops at row-level security of schema chime', "
    "r.rolname),"
    "        format('pg_dump --enable-row-security has all rows; or: ALTER ROLE %I BYPASSRLS', r.rolname)"
    "   FROM pg_roles r WHERE r.rolcanlogin AND NOT r.rolsuper AND NOT r.rolbypassrls AND r.rolname <> current_user"
    "    AND pg_has_role(r.oid, 'pg_read_all_data', 'USAGE')";

/* Who writes to sources of keyed views without a mark, or may fail to; what a refresh in full may need. Names are
 * looked up in the catalog: to_regclass is for who has USAGE on the schema. */
static const char writers_sql[] =
    "WITH sources AS (SELECT DISTINCT o.source_id, c.oid::regclass AS relation"
    "                   FROM chime.source o JOIN chime.view_source USING (source_id)"
    "                   LEFT JOIN pg_class c ON c.relname = o.source_table AND c.relnamespace ="
    "                     (SELECT n.oid FROM pg_namespace n WHERE n.nspname = o.source_schema)),"
    "     settings AS (SELECT s.setrole, c.setting FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS c "
    "(setting)"
    "                   WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = "
    "current_database())))"
    "SELECT 'writers-replica', 'warn', NULL, format('%s has session_replication_role = replica: what it writes to "
    "sources of views "
    "leaves no mark',"
    "       CASE WHEN w.setrole = 0 THEN 'a database' ELSE format('role %I', w.setrole::regrole) END),"
    "       'let the session that needs it set it, and refresh the views afterwards: pgchime refresh --full VIEW'"
    "  FROM settings w WHERE w.setting = 'session_replication_role=replica' AND EXISTS (SELECT FROM sources)"
    " UNION ALL"
    " SELECT 'writers-subscription', 'warn', t.tgrelid::regclass::text, format('trigger %I of %s fires where a "
    "subscription writes: what it writes to sources "
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
    " SELECT 'writers-temp-limit', 'warn', s.setrole::regrole::text, format('role %I may write to %s and has %s: a "
    "statement of it that changes more than "
    "that fails (53400)',"
    "                                  s.setrole::regrole, string_agg(o.relation::text, ', ' ORDER BY "
    "o.relation::text), s.setting),"
    "        'capture keeps the rows that a statement changed: raise the limit, or give the views of these tables "
    "mode full'"
    "   FROM settings s JOIN sources o ON has_table_privilege(s.setrole, o.relation, 'INSERT, UPDATE, DELETE')"
    "  WHERE s.setrole <> 0 AND s.setting LIKE 'temp\\_file\\_limit=%' AND s.setting <> 'temp_file_limit=-1' "
    "GROUP BY s.setrole, s.setting"
    " UNION ALL"
    " SELECT 'refresh-temp-limit', 'warn', n.view, format('a refresh of %s in full may write %s to temporary files, "
    "and the temp_file_limit "
    "of %I is %s', n.view,"
    "                               pg_size_pretty(n.bytes), current_user, current_setting('temp_file_limit')),"
    "        format('let a superuser run: ALTER ROLE %I SET temp_file_limit = %L', current_user, pg_size_pretty(2 * "
    "n.bytes))"
    "   FROM (SELECT format('%I.%I', v.view_schema, v.relation) AS view, sum(pg_table_size(t.oid))::bigint AS bytes"
    "           FROM chime.view v CROSS JOIN LATERAL (SELECT s.relation AS oid FROM chime.view_source x JOIN sources "
    "s USING (source_id)"
    "                                                  WHERE (x.view_schema, x.relation) = (v.view_schema, v.relation)"
    "                                                 UNION SELECT c.oid FROM pg_class c WHERE c.relname = v.relation"
    "                                                  AND c.relnamespace = (SELECT m.oid FROM pg_namespace m WHERE "
    "m.nspname = v.view_schema)) AS t"
    "          GROUP BY 1) AS n"
    "  WHERE pg_size_bytes(current_setting('temp_file_limit')) BETWEEN 0 AND n.bytes";

/* Jobs that SQL made. $1: role_sessions. */
static const char owners_sql[] =
    "SELECT 'role-sessions', CASE WHEN r.open < $1::int THEN 'ok' ELSE 'warn' END,"
    "       NULL, format('%s of %s for the %s roles that own jobs are open', r.open, $1::int, r.roles),"
    "       CASE WHEN r.open >= $1::int THEN 'roles wait for one another: raise role_sessions, and max_connections "
    "with it' END"
    "  FROM (SELECT (SELECT count(*) FROM pg_stat_activity a WHERE a.application_name = 'pgchime run'"
    "                AND NOT (a.usename = current_user AND a.datname = current_database()) AND a.datname IN ("
    "                 SELECT coalesce(j.database, current_database()) FROM chime.job j"
    "                 WHERE j.origin = 'sql' AND j.removed_at IS NULL)) AS open,"
    "               (SELECT count(DISTINCT j.owner) FROM chime.job j WHERE j.origin = 'sql' AND j.removed_at IS NULL"
    "                AND j.owner <> current_user) AS roles) AS r WHERE r.roles > 0"
    " UNION ALL "
    "SELECT 'jobs-of-the-daemon', 'warn', NULL, format('%s jobs made by SQL belong to %s, as whom the daemon works: "
    "what they run may do "
    "all "
    "that it may', count(*), current_user), 'give them to another role, and that role LOGIN'"
    "  FROM chime.job j WHERE j.origin = 'sql' AND j.removed_at IS NULL AND j.owner = current_user AND j.views = '{}'"
    "  HAVING count(*) > 0"
    " UNION ALL"
    " SELECT 'jobs-of-nobody', 'warn', NULL, format('%s jobs belong to roles that are not there: %s', count(*), "
    "string_agg(DISTINCT j.owner::text, ', ')), 'make the roles again and resume the jobs, or unschedule them'"
    "  FROM chime.job j WHERE j.origin = 'sql' AND j.removed_at IS NULL"
    "   AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = j.owner) HAVING count(*) > 0";

/* Schema cron in the place of the extension pg_cron. $1: the database's time zone. */
static const char cron_sql[] =
    "SELECT 'pg-cron-guard', 'warn', q.place, format('%s asks whether the extension pg_cron is installed, and then "
    "makes no jobs', "
    "q.place), 'let it ask for this instead, which is true of both: ' || $$" CRON_GUARD "$$"
    "  FROM pg_namespace n CROSS JOIN LATERAL chime.pg_cron_questions() AS q WHERE n.nspname = 'cron'"
    "   AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron')"
    " UNION ALL"
    " SELECT 'pg-cron-zone', 'warn', NULL, format('cron.timezone is %s, which was pg_cron''s setting; jobs run in %s', "
    "s.zone, "
    "$1::text),"
    "        format('set timezone = \"%s\" for this database in pgchime.conf, or take cron.timezone out', s.zone)"
    "   FROM pg_namespace n, (SELECT nullif(chime.readable_setting('cron.timezone'), '')) AS s (zone)"
    "  WHERE n.nspname = 'cron' AND s.zone <> $1::text"
    "    AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron')";

/* A daemon that leads goes by what it has read last; $1 is what it would read now. */
static const char configuration_sql[] =
    "SELECT 'configuration', CASE WHEN c.same THEN 'ok' ELSE 'warn' END,"
    "       NULL, CASE WHEN c.same THEN 'the leader goes by this one' ELSE 'the leader goes by another one than this' "
    "END,"
    "       CASE WHEN NOT c.same THEN 'pgchime reload brings it there; where the leader is on another machine, "
    "bring both to the same first' END"
    "  FROM (SELECT s.configuration IS NOT DISTINCT FROM $1::text AS same FROM chime.leader_status s WHERE s.alive) c";

static const char *const sessions[][QUESTION_PARAMETERS_MAX] = {{"10"}, {NULL}};
static const char *const databases[][QUESTION_PARAMETERS_MAX] = {{"main"}, {NULL}};
static const char *const fingerprints[][QUESTION_PARAMETERS_MAX] = {{"0123456789abcdef"}, {NULL}};
static const char *const zones[][QUESTION_PARAMETERS_MAX] = {{"UTC"}, {NULL}};
const struct report_statement server_findings_statement = {"server_findings", server_sql, 1, sessions};
const struct report_statement leader_findings_statement = {"leader_findings", leader_sql, 1, databases};
const struct report_statement owner_findings_statement = {"owner_findings", owners_sql, 1, sessions};
const struct report_statement configuration_findings_statement = {"configuration_findings", configuration_sql, 1,
                                                                  fingerprints};
static const char *const zone_data[][QUESTION_PARAMETERS_MAX] = {
    {"[[\"Europe/Berlin\", \"2026-03-29T01:00:00Z\", 7200000000]]"}, {NULL}};
const struct report_statement zone_findings_statement = {"zone_findings", zones_sql, 1, zone_data};
const struct report_statement work_findings_statement = {"work_findings", work_sql, 0, NULL};
const struct report_statement kept_findings_statement = {"kept_findings", kept_sql, 0, NULL};
const struct report_statement others_findings_statement = {"others_findings", others_sql, 0, NULL};
const struct report_statement cron_findings_statement = {"cron_findings", cron_sql, 1, zones};
const struct report_statement writers_findings_statement = {"writers_findings", writers_sql, 0, NULL};

struct output_list *finding_list_create(void)
{
    return output_create("findings", columns, COUNT_OF(columns));
}

/* A leader's sessions: its own, its watch's, one to install on, and those of runs. */
void finding_list_ask(struct question *question, enum report_id id, const struct config_database *database,
                      const struct catalog *catalog)
{
    *question = (struct question){.id = id, .parameters = {question->number}};
    if (id == REPORT_SERVER_FINDINGS) {
        snprintf(question->number, sizeof(question->number), "%d", database->pool_size + 3);
    } else if (id == REPORT_OWNER_FINDINGS) {
        snprintf(question->number, sizeof(question->number), "%d", database->role_sessions);
    } else if (id == REPORT_CONFIGURATION_FINDINGS) {
        catalog_fingerprint(catalog, database->name, question->number);
    } else {
        question->parameters[0] = id == REPORT_CRON_FINDINGS ? database->timezone : database->name;
    }
}

enum finding_state finding_list_take(struct output_list *list, const struct pg_rows *rows,
                                     const struct config_database *database)
{
    enum finding_state worst = FINDING_OK;
    for (size_t i = 0; i < rows->count; i++) {
        const char *word = pg_rows_value(rows, i, 1);
        enum finding_state state = word[0] == 'o' ? FINDING_OK : word[0] == 'w' ? FINDING_WARN : FINDING_FAILED;
        finding_list_add(list, database->name, pg_rows_value(rows, i, 0), state, pg_rows_value(rows, i, 2),
                         pg_rows_value(rows, i, 3), pg_rows_value(rows, i, 4));
        worst = state > worst ? state : worst;
    }
    return worst;
}

void finding_list_add(struct output_list *list, const char *database, const char *id, enum finding_state state,
                      const char *subject, const char *finding, const char *hint)
{
    const struct finding_kind *kind = finding_kind_of(id);
    output_add_row(list);
    output_set(list, COLUMN_DATABASE, database);
    output_set(list, COLUMN_ID, id);
    output_set(list, COLUMN_ABOUT, kind->about);
    output_set(list, COLUMN_STATE, states[state]);
    output_set(list, COLUMN_SUBJECT, subject != NULL && subject[0] != '\0' ? subject : NULL);
    output_set(list, COLUMN_FINDING, finding);
    output_set(list, COLUMN_WHY, kind->why);
    output_set(list, COLUMN_HINT, hint != NULL && hint[0] != '\0' ? hint : NULL);
}
