/* SPDX-License-Identifier: PostgreSQL */
/* Who owns sources, or may CREATE in their schema, tries to have code run as the daemon's role: trust.sql lays it out,
 * and each case is what the daemon would do next. Nothing of it may ever run as pgchime. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/init_role.h"
#include "support/cluster/psql.h"
#include "support/cluster/session.h"
#include "support/daemon/commands.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define AS_DAEMON "SET SESSION AUTHORIZATION pgchime; "
#define AS_MALLORY "SET SESSION AUTHORIZATION mallory; "
#define AS_DBA "; RESET SESSION AUTHORIZATION"

/* The last reads a table as long as there is one of that name. */
static const char conditions[] =
    "alerts: { by-view: { condition = \"SELECT true, region AS subject FROM public.deliveries\"; };\n"
    " by-operator: { condition = \"SELECT amount OPERATOR(public./) parts > 0 FROM public.orders\"; };\n"
    " by-index: { condition = \"SELECT count(*) > 0 FROM public.indexed\"; };\n"
    " plain: { condition = \"SELECT true, region AS subject FROM public.watched\"; };\n"
    " condition-broken: { hold = \"0s\"; }; };";

static void start(void)
{
    cluster = cluster_create(NULL);
    site = site_create(cluster, "postgres", 4);
    cluster_execute(cluster, "CREATE ROLE mallory LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO mallory;"
                             " GRANT CREATE ON DATABASE postgres TO mallory;"
                             " CREATE SEQUENCE loot; GRANT ALL ON SEQUENCE loot TO PUBLIC;"
                             " CREATE FOREIGN DATA WRAPPER none; CREATE SERVER nowhere FOREIGN DATA WRAPPER none;"
                             " GRANT USAGE ON FOREIGN SERVER nowhere TO mallory");
    init_role_make(cluster, "pgchime", "postgres");
    char *log = files_path("%s/trust.log", cluster_directory(cluster));
    char *conninfo = cluster_conninfo_as(cluster, "mallory", "postgres");
    process_must_run((const char *const[]){psql_program(), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", conninfo, "-f",
                                           PGCHIME_SOURCE_DIR "/tests/security/trust.sql", NULL},
                     log);
    free(conninfo);
    free(log);
    cluster_execute(cluster,
                    "CREATE FUNCTION size_of(text) RETURNS integer LANGUAGE sql IMMUTABLE RETURN length($1);"
                    " CREATE FUNCTION own.size_of(text) RETURNS integer LANGUAGE sql IMMUTABLE RETURN length($1);"
                    " CREATE FUNCTION together(text, text) RETURNS text LANGUAGE sql IMMUTABLE RETURN $1 || $2;"
                    " CREATE OPERATOR public.+ (LEFTARG = text, RIGHTARG = text, FUNCTION = together);"
                    " CREATE DOMAIN pairs AS pair[]; CREATE TYPE holder AS (pairs pairs);"
                    " CREATE DOMAIN paired AS pair; CREATE TYPE lister AS (pairs paired[])");
    site_use_role(site, "pgchime");
    site_file(site, "alerts", conditions);
    served = site_lead(site);
    cluster_execute(
        cluster,
        "CREATE SCHEMA try; GRANT USAGE ON SCHEMA try TO pgchime;"
        " CREATE FUNCTION try.install(p_relation name, p_definition text, p_sources jsonb, p_revisit text, p_rejected "
        "text)"
        " RETURNS text LANGUAGE plpgsql AS $$ DECLARE v_hint text; BEGIN"
        " PERFORM chime.install_view('test', 'analytics', 'public', p_relation, p_definition, '{region}', p_relation ||"
        " '_pk', '{region}', 'auto', '{}', p_revisit, p_rejected, '[]', '');"
        " PERFORM chime.install_keys('analytics', 'public', p_relation, p_sources);"
        " PERFORM chime.refresh(p_relation); RETURN 'refreshed';"
        " EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;"
        " RETURN SQLERRM || '; ' || v_hint; END $$;"
        " CREATE FUNCTION try.refresh(p_view text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM chime.refresh(p_view); RETURN 'refreshed'; EXCEPTION WHEN OTHERS THEN RETURN SQLERRM; END "
        "$$;"
        " CREATE FUNCTION try.outlook(p_view text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
        " RETURN (SELECT total FROM chime.backfill_outlook(p_view, NULL, NULL)) || ' groups'; EXCEPTION WHEN OTHERS "
        "THEN"
        " RETURN SQLERRM; END $$;"
        " CREATE FUNCTION try.differ(p_view text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
        " RETURN (SELECT count(line) FROM chime.differences(p_view)) || ' lines'; EXCEPTION WHEN OTHERS THEN"
        " RETURN SQLERRM; END $$;"
        " CREATE FUNCTION try.look(p_rule text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
        " RETURN chime.evaluate_condition(p_rule)::text; EXCEPTION WHEN OTHERS THEN RETURN SQLERRM; END $$;" AS_DAEMON
        "SELECT chime.install_schema('analytics'), chime.record_plugin('test', '1', '', 'analytics', 'public',"
        " 'installed', NULL, '{}')" AS_DBA);
}

static void as_mallory(const char *statements)
{
    char *sql = files_path(AS_MALLORY "%s" AS_DBA, statements);
    cluster_execute(cluster, sql);
    free(sql);
}

static void expect_no_loot(const char *what)
{
    if (cluster_integer(cluster, "SELECT is_called::int FROM loot") != 0) {
        cluster_execute(cluster, "SELECT setval('loot', 1, false)");
        support_fail("%s ran as pgchime", what);
    }
}

/* What the installation, and if that succeeds a refresh, says. */
static void expect_install(const char *relation, const char *definition, const char *sources, const char *rejected,
                           const char *said)
{
    char *sql = files_path("SELECT try.install('%s', $q$%s$q$, '%s', NULL, %s)", relation, definition, sources,
                           rejected == NULL ? "NULL" : rejected);
    cluster_execute(cluster, AS_DAEMON);
    char *found = cluster_value(cluster, sql);
    cluster_execute(cluster, "RESET SESSION AUTHORIZATION");
    expect_no_loot(definition);
    if (strstr(found, said) == NULL)
        support_fail("%s: \"%s\" is not in \"%s\"", definition, said, found);
    free(found);
    free(sql);
}

static void expect(const char *function, const char *what, const char *said)
{
    char *sql = files_path("SELECT try.%s('%s')", function, what);
    cluster_execute(cluster, AS_DAEMON);
    char *found = cluster_value(cluster, sql);
    cluster_execute(cluster, "RESET SESSION AUTHORIZATION");
    expect_no_loot(what);
    if (strstr(found, said) == NULL)
        support_fail("%s: \"%s\" is not in \"%s\"", what, said, found);
    free(found);
    free(sql);
}

static void expect_refresh(const char *view, const char *said)
{
    expect("refresh", view, said);
}

#define UNTRUSTED " as pgchime, and its owner mallory is not trusted; if you trust mallory with all that pgchime may do"

static const struct {
    const char *definition;
    const char *said;
} refused[] = {
    {"SELECT region, sum(amount / parts) AS n FROM orders GROUP BY 1",
     "function public.share(numeric,integer)" UNTRUSTED},
    {"SELECT region, count(region) AS n FROM orders GROUP BY 1", "aggregate public.count(pg_catalog.text)" UNTRUSTED},
    {"SELECT upper(mood) AS region, count(*) AS n FROM moody GROUP BY 1",
     "function public.words(public.mood)" UNTRUSTED},
    {"SELECT 'x' AS region, code FROM moody", "function public.truth(integer)" UNTRUSTED},
    {"SELECT 'x' AS region, count(*) AS n FROM moody WHERE jsonb_build_object('mood', mood) IS NOT NULL",
     "function public.words(public.mood)" UNTRUSTED},
    {"SELECT 'x' AS region, count(*) AS n FROM moods WHERE to_jsonb(list) IS NOT NULL",
     "function public.words(public.mood)" UNTRUSTED},
    {"SELECT 'x' AS region, count(*) AS n FROM moods WHERE to_jsonb(temper) IS NOT NULL",
     "function public.words(public.mood)" UNTRUSTED},
    {"SELECT 'x' AS region, count(*) AS n FROM moods WHERE to_jsonb(tempers) IS NOT NULL",
     "function public.words(public.mood)" UNTRUSTED},
    {"SELECT 'x' AS region, count(*) AS n FROM moods WHERE to_jsonb(swing) IS NOT NULL",
     "function public.words(public.mood)" UNTRUSTED},
    {"SELECT 'x' AS region, count(*) AS n FROM moods WHERE to_jsonb(swings) IS NOT NULL",
     "function public.words(public.mood)" UNTRUSTED},
    {"SELECT 'x' AS region, count(*) AS n FROM plain WHERE jsonb_populate_record(NULL::moody, '{\"code\": 1}') IS NOT "
     "NULL",
     "function public.truth(integer)" UNTRUSTED},
    {"SELECT 'x' AS region, count(*) AS n FROM deliveries", "function public.truth(integer)" UNTRUSTED},
    {"SELECT 'x' AS region, count(*) AS n FROM barred", "function public.truth(integer)" UNTRUSTED},
    {"SELECT region, count(*) AS n FROM innocent GROUP BY 1", "view public.innocent" UNTRUSTED},
    {"SELECT region, count(*) AS n FROM indexed GROUP BY 1", "function public.one()" UNTRUSTED},
    {"SELECT region, count(*) AS n FROM partly GROUP BY 1", "function public.one()" UNTRUSTED},
    {"SELECT region, count(*) AS n FROM parent GROUP BY 1", "function public.one()" UNTRUSTED},
    {"SELECT region, count(*) AS n FROM parts GROUP BY 1", "function public.one()" UNTRUSTED},
    {"SELECT region, count(*) AS n FROM part GROUP BY 1", "function public.one()" UNTRUSTED}, /* its parent's key */
    {"SELECT region, count(*) AS n FROM counted GROUP BY 1", "function public.one()" UNTRUSTED},
    {"SELECT region, count(*) AS n FROM distant_parent GROUP BY 1", "foreign table public.distant" UNTRUSTED},
    {"SELECT region, count(*) AS n FROM secret GROUP BY 1", "row-level security policy"},
    {"SELECT region, count(*) AS n FROM armed GROUP BY 1", "refreshed"},
};

START_TEST(a_definition_that_reaches_code_of_others_is_refused)
{
    expect_install("tried", refused[_i].definition, "[]", NULL, refused[_i].said);
    cluster_execute(
        cluster,
        "DELETE FROM chime.view; DROP TABLE IF EXISTS analytics.tried; DROP VIEW IF EXISTS analytics.tried__live");
}
END_TEST

/* What its owner does to a table afterwards stops the view before anything of that is planned. */
static const char *const changes[] = {
    "CREATE INDEX changed ON plain ((id + one()))",
    "CREATE INDEX changed ON plain (region) WHERE id > one()",
    "CREATE STATISTICS changed ON (id + one()), region FROM plain",
    "CREATE TABLE changed (CHECK (id > one())) INHERITS (plain)",
    "ALTER TABLE plain ADD CONSTRAINT changed CHECK (id + one() > 0)",
};
static const char *const mended[] = {
    "DROP INDEX changed",
    "DROP INDEX changed",
    "DROP STATISTICS changed",
    "DROP TABLE changed",
    "ALTER TABLE plain DROP CONSTRAINT changed",
};

START_TEST(a_table_that_changes_stops_its_view)
{
    expect_install("kept", "SELECT region, count(*) AS n FROM plain GROUP BY 1",
                   "[{\"table\": \"plain\", \"columns\": [\"id\", \"region\"]}]", NULL, "refreshed");
    char *change = files_path(AS_MALLORY "%s" AS_DBA, changes[_i]);
    cluster_execute(cluster, change);
    expect_refresh("kept", "function public.one() as pgchime, and its owner mallory is not trusted");
    char *mend = files_path(AS_MALLORY "%s" AS_DBA, mended[_i]);
    cluster_execute(cluster, mend);
    expect_refresh("kept", "refreshed");
    free(change);
    free(mend);
}
END_TEST

/* Whether an index finds one group is asked of the planner. */
START_TEST(a_backfill_is_vetted_before_it_is_planned)
{
    expect_install("kept", "SELECT region, count(*) AS n FROM plain GROUP BY 1",
                   "[{\"table\": \"plain\", \"columns\": [\"id\", \"region\"]}]", NULL, "refreshed");
    as_mallory("CREATE INDEX plain_region ON plain (region)");
    expect("outlook", "kept", "2 groups");
    as_mallory("CREATE INDEX changed ON plain ((id + one()))");
    expect("outlook", "kept", "function public.one() as pgchime, and its owner mallory is not trusted");
    as_mallory("DROP INDEX changed");
    expect("outlook", "kept", "2 groups");
    as_mallory("DROP INDEX plain_region");
}
END_TEST

/* to_jsonb() takes the cast of a type to json, whoever made it. */
START_TEST(a_cast_of_a_column_of_a_view_is_not_run)
{
    as_mallory("CREATE TYPE tone AS ENUM ('low', 'high'); CREATE TABLE tones (id integer PRIMARY KEY, region tone);"
               " INSERT INTO tones VALUES (1, 'low'); GRANT SELECT, TRIGGER ON tones TO pgchime");
    expect_install("toned", "SELECT region, count(*) AS n FROM tones GROUP BY 1", "[]", NULL, "refreshed");
    cluster_execute(cluster, "UPDATE analytics.toned SET n = 9");
    as_mallory("CREATE FUNCTION as_json(tone) RETURNS json LANGUAGE plpgsql IMMUTABLE AS"
               " $$ BEGIN RETURN to_json(public.took(1)); END $$;"
               " CREATE CAST (tone AS json) WITH FUNCTION as_json(tone)");
    expect("differ", "toned", "function public.as_json(public.tone) as pgchime, and its owner mallory is not trusted");
    as_mallory("DROP CAST (tone AS json)");
    expect("differ", "toned", "2 lines");
}
END_TEST

/* rejected is parsed at each refresh that does everything: by names, which are another's to give. */
START_TEST(a_relation_that_takes_a_name_is_not_run)
{
    expect_install("counts", "SELECT region, count(*) AS n FROM named GROUP BY 1", "[]", "'SELECT count(*) FROM named'",
                   "refreshed");
    cluster_execute(cluster,
                    AS_MALLORY "ALTER TABLE named RENAME TO named_before; CREATE VIEW named AS SELECT id, region FROM"
                               " named_before WHERE truth(1); GRANT SELECT ON named TO pgchime" AS_DBA);
    expect_refresh("counts", "is not trusted");
    cluster_execute(cluster, AS_MALLORY "DROP VIEW named; ALTER TABLE named_before RENAME TO named" AS_DBA);
    expect_refresh("counts", "refreshed");
}
END_TEST

/* A function of the administrator's is trusted until it is given away; upkeep finds that, and a refresh then asks. */
START_TEST(what_is_given_away_is_trusted_no_longer)
{
    cluster_execute(cluster, "CREATE FUNCTION given(integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN $1");
    expect_install("gifts", "SELECT region, sum(given(id)) AS n FROM plain GROUP BY 1", "[]", NULL, "refreshed");
    cluster_execute(cluster, "ALTER FUNCTION given(integer) OWNER TO mallory;" AS_MALLORY
                             "CREATE OR REPLACE FUNCTION given(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS"
                             " $$ BEGIN RETURN public.took($1); END $$" AS_DBA);
    WAIT_SQL(cluster, "SELECT vetted IS NULL FROM chime.view WHERE relation = 'gifts'", "t", 60);
    cluster_execute(cluster, "SELECT setval('loot', 1, false)");
    expect_refresh("gifts", "function public.given(integer) as pgchime, and its owner mallory is not trusted");
    cluster_execute(cluster, AS_DAEMON "SELECT chime.trust_owners('{mallory}')" AS_DBA);
    cluster_execute(cluster, AS_DAEMON);
    EXPECT_SQL(cluster, "SELECT try.refresh('gifts')", "refreshed");
    cluster_execute(cluster, "SELECT chime.trust_owners('{}')" AS_DBA "; SELECT setval('loot', 1, false)");
}
END_TEST

static void view_beside(const char *text);

/* A text that names relations only is not parsed by upkeep as long as they are what they were; what they reach is
 * looked at all the same. */
START_TEST(what_a_text_reads_is_looked_at_though_the_text_is_not_parsed)
{
    cluster_execute(cluster, "CREATE FUNCTION lent(integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN $1;"
                             " CREATE INDEX noted_lent ON noted (lent(id))");
    view_beside("SELECT id FROM public.noted");
    cluster_execute(cluster, "CREATE FUNCTION try.stop() RETURNS event_trigger LANGUAGE plpgsql AS"
                             " $$ BEGIN RAISE EXCEPTION 'parsed'; END $$");
    cluster_execute(cluster, "BEGIN; CREATE EVENT TRIGGER stop ON ddl_command_start WHEN TAG IN ('CREATE VIEW')"
                             " EXECUTE FUNCTION try.stop();" AS_DAEMON);
    EXPECT_SQL(cluster, "SELECT chime.note_vetted('analytics', 'worded')", NULL);
    cluster_execute(cluster, "UPDATE chime.view SET rejected_query = rejected_query || ' ', vetted = NULL");
    EXPECT_SQL(cluster, "SELECT chime.note_vetted('analytics', 'worded')", "parsed");
    cluster_execute(cluster, "ROLLBACK" AS_DBA "; ALTER FUNCTION lent(integer) OWNER TO mallory");
    WAIT_SQL(cluster, "SELECT vetted IS NULL FROM chime.view WHERE relation = 'worded'", "t", 60);
    expect_refresh("worded", "function public.lent(integer) as pgchime, and its owner mallory is not trusted");
    cluster_execute(cluster, "DROP INDEX noted_lent; DROP FUNCTION lent(integer)");
    view_beside("SELECT public.size_of(word) FROM public.noted");
    cluster_execute(cluster, "BEGIN; CREATE EVENT TRIGGER stop ON ddl_command_start WHEN TAG IN ('CREATE VIEW')"
                             " EXECUTE FUNCTION try.stop();" AS_DAEMON);
    EXPECT_SQL(cluster, "SELECT chime.note_vetted('analytics', 'worded')", "parsed");
    cluster_execute(cluster, "ROLLBACK" AS_DBA);
}
END_TEST

START_TEST(who_could_put_code_there_is_named)
{
    expect_install("kept", "SELECT region, count(*) AS n FROM plain GROUP BY 1", "[]", NULL, "refreshed");
    cluster_execute(cluster, AS_DAEMON);
    EXPECT_SQL(cluster,
               "SELECT string_agg(place || ': ' || roles, '; ' ORDER BY place) FROM chime.possible_injectors()",
               "schema public: mallory; tables that views read: mallory");
    cluster_execute(cluster, "RESET SESSION AUTHORIZATION");
    const char *const doctor[] = {"doctor", "-o", "json", "--config", site_config(site), NULL};
    char *output = NULL;
    daemon_run(doctor, &output, NULL);
    ck_assert_msg(strstr(output, "schema public: mallory could put code there") != NULL, "%s", output);
    ck_assert_msg(strstr(output, "code in a definition runs as pgchime, which owns the ledger") != NULL, "%s", output);
    free(output);
}
END_TEST

/* A condition runs as the daemon's role, too. Those of a leader that looks: */
START_TEST(a_condition_that_reaches_code_of_others_is_not_run)
{
    WAIT_SQL(cluster,
             "SELECT string_agg(subject || ': ' || substring(summary FROM 'would run .* as pgchime, and its owner .*'),"
             " '; ' ORDER BY subject) FROM chime.alerts WHERE rule = 'condition-broken'",
             "by-index: would run function public.one() as pgchime, and its owner mallory is not trusted;"
             " by-operator: would run function public.share(numeric,integer) as pgchime, and its owner mallory is not "
             "trusted;"
             " by-view: would run function public.truth(integer) as pgchime, and its owner mallory is not trusted",
             60);
    expect_no_loot("a condition");
}
END_TEST

/* And what is done to one after it was vetted. */
START_TEST(a_condition_is_vetted_anew_where_it_would_run_something_else)
{
    expect("look", "plain", "\"north\"");
    EXPECT_SQL(cluster, "SELECT named::text FROM chime.alert_rule WHERE name = 'plain'", "{public.watched}");
    cluster_execute(cluster, AS_MALLORY "CREATE INDEX watched_one ON watched ((id + one()))" AS_DBA);
    expect("look", "plain", "function public.one() as pgchime, and its owner mallory is not trusted");
    cluster_execute(cluster, AS_MALLORY "DROP INDEX watched_one" AS_DBA);
    expect("look", "plain", "\"north\"");
    cluster_execute(cluster,
                    AS_MALLORY "ALTER TABLE watched RENAME TO watched_before; CREATE VIEW watched AS SELECT id,"
                               " region FROM watched_before WHERE truth(1); GRANT SELECT ON watched TO "
                               "pgchime" AS_DBA);
    expect("look", "plain", "is not trusted");
    cluster_execute(cluster, AS_MALLORY "DROP VIEW watched; ALTER TABLE watched_before RENAME TO watched" AS_DBA);
    expect("look", "plain", "\"north\"");

    cluster_execute(cluster,
                    "UPDATE chime.alert_rule SET condition = 'SELECT public.least_of(id) > 0 FROM public.watched'"
                    " WHERE name = 'plain'; UPDATE chime.alert_rule SET vetted = NULL;"
                    " CREATE FUNCTION least_of(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE RETURN $1");
    expect("look", "plain", "\"plain\"");
    cluster_execute(cluster,
                    AS_MALLORY "CREATE FUNCTION least_of(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS"
                               " $$ BEGIN RETURN public.took($1); END $$" AS_DBA);
    expect("look", "plain", "function public.least_of(integer) as pgchime, and its owner mallory is not trusted");
}
END_TEST

/* Also once more: a leader writes rules again that somebody changed, every ten seconds. */
static void condition_of(const char *text)
{
    char *sql = files_path("UPDATE chime.alert_rule SET condition = $c$%s$c$, vetted = NULL"
                           " WHERE name = 'plain' AND condition IS DISTINCT FROM $c$%s$c$",
                           text, text);
    cluster_execute(cluster, sql);
    free(sql);
}

/* What comes after the look at a condition, and before it is written down what that saw, is found by the next look. */
START_TEST(what_changes_while_a_condition_is_vetted_is_not_taken_for_vetted)
{
    PGconn *admin = cluster_connect(cluster, "postgres");
    PGconn *look = cluster_connect(cluster, "postgres");

    condition_of("SELECT true, region AS subject FROM public.watched");
    expect("look", "plain", "\"north\"");
    cluster_execute(
        cluster, "UPDATE chime.alert_rule SET vetted = NULL;"
                 " CREATE FUNCTION try.pause() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
                 " IF current_setting('try.pause', true) = 'on' THEN PERFORM pg_advisory_xact_lock(18); END IF; END $$;"
                 " CREATE EVENT TRIGGER pause ON sql_drop WHEN TAG IN ('DROP VIEW') EXECUTE FUNCTION try.pause()");
    session_execute(admin, "SELECT pg_advisory_lock(18)");
    session_execute(look, AS_DAEMON "SET try.pause = 'on'");
    session_send(look, "SELECT try.look('plain')");
    session_await_blocked(cluster, look);
    as_mallory("CREATE TABLE ready_now (); GRANT SELECT ON ready_now TO pgchime;"
               " CREATE FUNCTION later() RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
               " RETURN CASE WHEN EXISTS (SELECT FROM public.ready_now) THEN public.took(1) ELSE 1 END; END $$;"
               " CREATE INDEX watched_later ON watched ((id + later()))");
    session_execute(admin, "SELECT pg_advisory_unlock(18)");
    session_await(look);
    PQfinish(admin);
    PQfinish(look);
    as_mallory("INSERT INTO ready_now DEFAULT VALUES");
    PGconn *next = cluster_connect(cluster, "postgres"); /* the others keep what the index was when they read it */
    session_execute(next, AS_DAEMON);
    PGresult *said = PQexec(next, "SELECT try.look('plain')");
    ck_assert_msg(strstr(PQgetvalue(said, 0, 0),
                         "function public.later() as pgchime, and its owner mallory is not trusted") != NULL,
                  "%s", PQgetvalue(said, 0, 0));
    PQclear(said);
    PQfinish(next);
    as_mallory("DROP INDEX watched_later");
    cluster_execute(cluster, "DROP EVENT TRIGGER pause");
}
END_TEST

/* What its owner, or who may CREATE in its schema, does so that names mean something else in a text that is parsed at
 * each use. */
static const struct {
    const char *text; /* a condition, and what is counted beside a view */
    const char *change;
    const char *mend;
    const char *said;
} renamed[] = {
    {"SELECT public.size_of(word) > 0 FROM public.noted",
     "CREATE FUNCTION size_of(varchar) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.took(1); "
     "END $$",
     "DROP FUNCTION size_of(varchar)", "function public.size_of(character varying)"},
    {"SELECT word OPERATOR(public.+) word <> '' FROM public.noted",
     "CREATE OPERATOR + (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = joined)",
     "DROP OPERATOR + (varchar, varchar)", "function public.joined(character varying,character varying)"},
    {"SELECT public.size_of(word) > 0 FROM public.noted", "ALTER TABLE noted ALTER word TYPE short",
     "ALTER TABLE noted ALTER word TYPE varchar", "function public.size_of(public.short)"},
    {"SELECT public.size_of(word) > 0 FROM public.noted",
     "ALTER TABLE noted RENAME word TO before; ALTER TABLE noted RENAME day TO word",
     "ALTER TABLE noted RENAME word TO day; ALTER TABLE noted RENAME before TO word",
     "function public.size_of(pg_catalog.date)"},
    {"SELECT 'calm'::public.kind IS NOT NULL FROM public.noted",
     "DROP TYPE kind; CREATE DOMAIN kind AS text CHECK (one() = 1)",
     "DROP DOMAIN kind; CREATE TYPE kind AS ENUM ('calm')", "function public.one()"},
    {"SELECT own.size_of(word) > 0 FROM public.noted",
     "ALTER SCHEMA own RENAME TO own_before; ALTER SCHEMA own_next RENAME TO own",
     "ALTER SCHEMA own RENAME TO own_next; ALTER SCHEMA own_before RENAME TO own",
     "function own.size_of(character varying)"},
    {"SELECT jsonb_populate_record(NULL::public.pair, '{\"id\": 1}') IS NOT NULL FROM public.noted",
     "ALTER TYPE pair ALTER ATTRIBUTE id TYPE code", "ALTER TYPE pair ALTER ATTRIBUTE id TYPE integer",
     "function public.truth(integer)"},
    {"SELECT jsonb_populate_record(NULL::public.holder, '{\"pairs\": [{\"id\": 1}]}') IS NOT NULL FROM public.noted",
     "ALTER TYPE pair ALTER ATTRIBUTE id TYPE code", "ALTER TYPE pair ALTER ATTRIBUTE id TYPE integer",
     "function public.truth(integer)"},
    {"SELECT jsonb_populate_record(NULL::public.lister, '{\"pairs\": [{\"id\": 1}]}') IS NOT NULL FROM public.noted",
     "ALTER TYPE pair ALTER ATTRIBUTE id TYPE code", "ALTER TYPE pair ALTER ATTRIBUTE id TYPE integer",
     "function public.truth(integer)"},
    {"SELECT jsonb_build_object('tone', tone) IS NOT NULL FROM public.toned",
     "CREATE FUNCTION tone_json(tint) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN "
     "to_json(public.took(1)); END $$; CREATE CAST (tint AS json) WITH FUNCTION tone_json(tint)",
     "DROP CAST (tint AS json); DROP FUNCTION tone_json(tint)", "function public.tone_json(public.tint)"},
    {"SELECT to_jsonb(t) IS NOT NULL FROM public.toned AS t",
     "CREATE FUNCTION tone_json(tint) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN "
     "to_json(public.took(1)); END $$; CREATE CAST (tint AS json) WITH FUNCTION tone_json(tint)",
     "DROP CAST (tint AS json); DROP FUNCTION tone_json(tint)", "function public.tone_json(public.tint)"},
    /* This one names no function, operator or type that is not PostgreSQL's. */
    {"SELECT length(word) > 0 FROM public.noted",
     "RESET SESSION AUTHORIZATION; GRANT CREATE ON SCHEMA pg_catalog TO mallory; " AS_MALLORY
     "CREATE FUNCTION pg_catalog.length(varchar) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN "
     "public.took(1); END $$",
     "DROP FUNCTION pg_catalog.length(varchar); RESET SESSION AUTHORIZATION; REVOKE CREATE ON SCHEMA pg_catalog FROM "
     "mallory",
     "function pg_catalog.length(character varying)"},
};

static void view_beside(const char *text)
{
    char *rejected = files_path("$r$SELECT count(*) FROM (%s) AS q$r$", text);
    cluster_execute(
        cluster,
        "DELETE FROM chime.view; DROP TABLE IF EXISTS analytics.worded; DROP VIEW IF EXISTS analytics.worded__live");
    expect_install("worded", "SELECT region, count(*) AS n FROM plain GROUP BY 1", "[]", rejected, "refreshed");
    free(rejected);
}

/* Upkeep would find it within ten seconds; the look and the refresh are before that. */
START_TEST(a_text_finds_nothing_that_fits_better_later)
{
    condition_of(renamed[_i].text);
    view_beside(renamed[_i].text);
    expect("look", "plain", "\"plain\"");
    as_mallory(renamed[_i].change);
    condition_of(renamed[_i].text);
    expect("look", "plain", renamed[_i].said);
    expect_refresh("worded", renamed[_i].said);
    as_mallory(renamed[_i].mend);
    condition_of(renamed[_i].text);
    expect("look", "plain", "\"plain\"");
    expect_refresh("worded", "refreshed");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trust");
    TCase *cases = tcase_create("trust");

    tcase_add_unchecked_fixture(cases, start, served_tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, a_definition_that_reaches_code_of_others_is_refused, 0,
                        sizeof(refused) / sizeof(refused[0]));
    tcase_add_loop_test(cases, a_table_that_changes_stops_its_view, 0, sizeof(changes) / sizeof(changes[0]));
    tcase_add_test(cases, a_backfill_is_vetted_before_it_is_planned);
    tcase_add_test(cases, a_cast_of_a_column_of_a_view_is_not_run);
    tcase_add_test(cases, a_relation_that_takes_a_name_is_not_run);
    tcase_add_test(cases, what_is_given_away_is_trusted_no_longer);
    tcase_add_test(cases, what_a_text_reads_is_looked_at_though_the_text_is_not_parsed);
    tcase_add_test(cases, who_could_put_code_there_is_named);
    tcase_add_test(cases, a_condition_that_reaches_code_of_others_is_not_run);
    tcase_add_test(cases, a_condition_is_vetted_anew_where_it_would_run_something_else);
    tcase_add_test(cases, what_changes_while_a_condition_is_vetted_is_not_taken_for_vetted);
    tcase_add_loop_test(cases, a_text_finds_nothing_that_fits_better_later, 0, sizeof(renamed) / sizeof(renamed[0]));
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
