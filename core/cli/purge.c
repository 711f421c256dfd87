/* SPDX-License-Identifier: PostgreSQL */
#include "cli/purge.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

static const struct output_column columns[] = {
    {"ACTION", "action", OUTPUT_STATE, OUTPUT_ALWAYS}, {"KIND", "kind", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"OBJECT", "object", OUTPUT_TEXT, OUTPUT_ALWAYS},  {"OWNER", "owner", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SQL", "statement", OUTPUT_TEXT, OUTPUT_ALWAYS},  {"WHY", "reason", OUTPUT_TEXT, OUTPUT_ALWAYS},
};
enum { COLUMN_ACTION, COLUMN_KIND, COLUMN_OBJECT, COLUMN_OWNER, COLUMN_STATEMENT };

/* The survey is one statement in several parts, for the sake of compilers that count.
 *
 * What was replaced goes with what it needs, also another plugin's. A source goes when no view of another plugin reads
 * it. A trigger on somebody else's table is its owner's to drop; until then its function stays and does nothing
 * (chime.silence_source). */
static const char sources_sql[] =
    "WITH ended AS MATERIALIZED ("
    "  SELECT s.source_id, chime.capture_functions(s.source_id) || to_regproc('chime.room_until_' || s.source_id)::oid"
    "           AS functions, to_regclass('chime.change_' || s.source_id)::oid AS log FROM chime.source s"
    "   WHERE NOT EXISTS (SELECT FROM chime.view_source o JOIN chime.view v USING (view_schema, relation)"
    "                      WHERE o.source_id = s.source_id AND v.plugin <> $1)"
    "), routines AS MATERIALIZED ("
    "  SELECT chime.routine(f.signature)::oid AS oid, NULL AS stays FROM chime.plugin_function f WHERE f.plugin = $1"
    "  UNION ALL"
    "  SELECT p.oid, NULL FROM chime.view v JOIN pg_proc p"
    "     ON p.proname ~ ('^(keyed|watched|now|kept)_' || v.view_id || '$')"
    "     AND p.pronamespace = 'chime'::regnamespace WHERE v.plugin = $1"
    "  UNION ALL"
    "  SELECT f, (SELECT 'does nothing, and goes after the triggers that call it' FROM pg_trigger t"
    "                       JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgfoid = f"
    "                        AND NOT pg_has_role(current_user, c.relowner, 'USAGE') LIMIT 1)"
    "    FROM ended e CROSS JOIN unnest(e.functions) AS f"
    "  UNION ALL"
    "  SELECT p.oid, (SELECT 'does nothing, and goes after the triggers that call it' FROM pg_trigger t"
    "                   JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgfoid = p.oid"
    "                    AND NOT pg_has_role(current_user, c.relowner, 'USAGE') LIMIT 1)"
    "    FROM chime.plugin_channel n CROSS JOIN unnest(n.routines) AS r (signature)"
    "    JOIN pg_proc p ON p.oid = to_regprocedure(r.signature) WHERE n.plugin = $1"
    "), own AS MATERIALIZED ("
    "  SELECT chime.kept_of(v)::oid AS oid FROM chime.view v WHERE v.plugin = $1"
    "  UNION ALL"
    "  SELECT chime.live_of(v) FROM chime.view v WHERE v.plugin = $1"
    "  UNION ALL"
    "  SELECT chime.now_of(v) FROM chime.view v WHERE v.plugin = $1"
    "  UNION ALL"
    "  SELECT chime.replaced_of(r) FROM chime.replaced r JOIN chime.view v USING (view_schema, relation)"
    "   WHERE v.plugin = $1"
    "  UNION ALL"
    "  SELECT chime.plain_of(s) FROM chime.plain_view s WHERE s.plugin = $1"
    "  UNION ALL"
    "  SELECT log FROM ended"
    "  UNION ALL"
    "  SELECT i.inhrelid FROM ended e JOIN pg_inherits i ON i.inhparent = e.log"
    "), named AS MATERIALIZED ("
    "  SELECT to_regclass(format('%I.%I', v.view_schema, r.name))::oid AS oid FROM"
    "   (SELECT plugin, view_schema, relation::text, relation || '__live' FROM chime.view"
    "    UNION ALL SELECT plugin, view_schema, relation, NULL FROM chime.plain_view) AS v (plugin, view_schema, kept, "
    "live)"
    "   CROSS JOIN LATERAL unnest(ARRAY[v.kept, v.live]) AS r (name) WHERE v.plugin = $1 AND r.name IS NOT NULL"
    "), relations AS MATERIALIZED ("
    "  SELECT oid FROM own"
    "  UNION ALL"
    "  SELECT unnest(chime.replaced_needing(ARRAY(SELECT oid FROM own WHERE oid IS NOT NULL)))"
    ")";

static const char made_sql[] =
    ", made AS MATERIALIZED ("
    "  SELECT 'pg_proc'::regclass::oid AS class, p.oid, p.proowner AS owner,"
    "         CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind, p.oid::regprocedure::text AS "
    "object,"
    "         f.stays FROM routines f JOIN pg_proc p USING (oid)"
    "  UNION ALL"
    "  SELECT 'pg_trigger'::regclass, t.oid, c.relowner, 'trigger', format('%I ON %s', t.tgname, t.tgrelid::regclass), "
    "NULL"
    "    FROM routines f JOIN pg_trigger t ON t.tgfoid = f.oid AND NOT t.tgisinternal"
    "    JOIN pg_class c ON c.oid = t.tgrelid"
    "  UNION ALL"
    "  SELECT 'pg_class'::regclass, c.oid, c.relowner,"
    "         CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'"
    "         ELSE 'table' END, c.oid::regclass::text, NULL FROM relations r JOIN pg_class c USING (oid)"
    "), dropped AS ("
    "  SELECT * FROM made WHERE stays IS NULL AND pg_has_role(current_user, owner, 'USAGE')"
    ")";

/* What needs a relation may do so by its row type. */
static const char blocking_sql[] =
    ", needed AS MATERIALIZED ("
    "  SELECT class, oid, object, class AS of_class, oid AS of_oid FROM dropped"
    "  UNION ALL"
    "  SELECT 'pg_type'::regclass, t.oid, d.object, d.class, d.oid FROM dropped d JOIN pg_class c ON c.oid = d.oid"
    "    JOIN pg_type t ON t.oid = c.reltype OR (t.typelem = c.reltype AND c.reltype <> 0)"
    "   WHERE d.class = 'pg_class'::regclass"
    "), needs AS MATERIALIZED ("
    "  SELECT CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END AS class,"
    "         coalesce(w.ev_class, d.objid) AS oid, CASE WHEN w.oid IS NULL THEN d.objsubid ELSE 0 END AS sub, "
    "n.object,"
    "         n.of_class, n.of_oid"
    "    FROM needed n JOIN pg_depend d ON d.refclassid = n.class AND d.refobjid = n.oid AND d.deptype = 'n'"
    "    LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid"
    "   WHERE coalesce(w.ev_class, d.objid) <> n.of_oid"
    "), dependents AS ("
    "  SELECT class, oid, sub, string_agg(DISTINCT object, ', ') AS needs FROM needs GROUP BY 1, 2, 3"
    "), blocking AS ("
    "  SELECT b.*, i.type AS kind, i.identity AS object, coalesce(c.relowner, p.proowner) AS owner, x.conname,"
    "         c.oid::regclass AS relation, c.relkind, l.attname, a.oid IS NOT NULL AS is_default,"
    "         coalesce(v.plugin, f.plugin, s.plugin) AS plugin"
    "    FROM dependents b CROSS JOIN LATERAL pg_identify_object(b.class, b.oid, b.sub) AS i"
    "    LEFT JOIN pg_proc p ON b.class = 'pg_proc'::regclass AND p.oid = b.oid"
    "    LEFT JOIN pg_constraint x ON b.class = 'pg_constraint'::regclass AND x.oid = b.oid AND x.conrelid <> 0"
    "    LEFT JOIN pg_trigger g ON b.class = 'pg_trigger'::regclass AND g.oid = b.oid"
    "    LEFT JOIN pg_attrdef a ON b.class = 'pg_attrdef'::regclass AND a.oid = b.oid"
    "    LEFT JOIN pg_class c ON c.oid = coalesce(x.conrelid, g.tgrelid, a.adrelid,"
    "                                             CASE b.class WHEN 'pg_class'::regclass THEN b.oid END)"
    "    LEFT JOIN pg_attribute l ON l.attrelid = c.oid AND l.attnum = coalesce(a.adnum, nullif(b.sub, 0))"
    "    LEFT JOIN chime.view v ON b.class = 'pg_class'::regclass"
    "          AND c.oid IN (chime.kept_of(v), chime.live_of(v), chime.now_of(v))"
    "    LEFT JOIN chime.plain_view s ON b.class = 'pg_class'::regclass AND c.oid = chime.plain_of(s)"
    "    LEFT JOIN chime.plugin_function f ON chime.routine(f.signature) = p.oid"
    "   WHERE NOT EXISTS (SELECT FROM dropped m WHERE m.class = b.class AND m.oid = b.oid)"
    ")";

/* How many go before each: the longest way to it from what nothing needs. Two that need each other end it nowhere. */
static const char order_sql[] =
    ", ways AS ("
    "  WITH RECURSIVE way AS ("
    "    SELECT class, oid, 0 AS length FROM dropped"
    "    UNION"
    "    SELECT n.of_class, n.of_oid, w.length + 1 FROM way w JOIN needs n USING (class, oid) WHERE w.length < 100)"
    "  SELECT class, oid, max(length) AS length FROM way GROUP BY 1, 2"
    ") ";

/* Nobody is told to drop a table for the sake of a column of it, or of what it inherits. */
static const char lines_sql[] =
    "SELECT action, kind, object, owner, statement, reason FROM ("
    "  SELECT 0 AS place, 0 AS length, 'block' AS action, kind, object, pg_get_userbyid(owner)::text AS owner,"
    "         CASE WHEN plugin IS NOT NULL THEN format('-- pgchime plugins purge %s', plugin)"
    "              WHEN conname IS NOT NULL THEN format('ALTER TABLE %s DROP CONSTRAINT %I', relation, conname)"
    "              WHEN is_default THEN format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', relation, attname)"
    "              WHEN attname IS NOT NULL THEN format('ALTER TABLE %s DROP COLUMN %I', relation, attname)"
    "              WHEN relkind = 'r' AND kind = 'table' THEN format('ALTER TABLE %s NO INHERIT %s', relation, needs)"
    "              ELSE format('DROP %s %s', upper(kind), object) END AS statement,"
    "         coalesce('plugin ' || plugin || ' made it, and it ', '') || 'needs ' || needs AS reason FROM blocking"
    "  UNION ALL"
    "  SELECT 0, 0, 'block', i.type, i.identity, pg_get_userbyid(c.relowner)::text,"
    "         format('ALTER TABLE %s RENAME TO ...', i.identity), 'has the name of what pgchime made, and is not that'"
    "    FROM named n JOIN pg_class c ON c.oid = n.oid"
    "    CROSS JOIN LATERAL pg_identify_object('pg_class'::regclass, c.oid, 0) AS i"
    "   WHERE n.oid NOT IN (SELECT oid FROM own WHERE oid IS NOT NULL)"
    "  UNION ALL"
    "  SELECT 0, 0, 'block', d.kind, d.object, pg_get_userbyid(d.owner)::text,"
    "         format('ALTER TABLE %s RENAME TO ...', d.object), a.reason"
    "    FROM chime.added_to_any(ARRAY(SELECT oid FROM dropped WHERE class = 'pg_class'::regclass)) AS a"
    "    JOIN dropped d ON d.class = 'pg_class'::regclass AND d.oid = a.oid"
    "  UNION ALL"
    "  SELECT CASE kind WHEN 'trigger' THEN 1 ELSE 2 END, coalesce(w.length, 0),"
    "         CASE WHEN stays IS NULL AND pg_has_role(current_user, owner, 'USAGE') THEN 'drop' ELSE 'keep' END, kind,"
    "         object, pg_get_userbyid(owner), format('DROP %s %s', upper(kind), object),"
    "         CASE WHEN NOT pg_has_role(current_user, owner, 'USAGE') THEN 'belongs to ' || pg_get_userbyid(owner)"
    "              ELSE stays END FROM made LEFT JOIN ways w USING (class, oid)"
    "  UNION ALL"
    "  SELECT 3, 0, 'drop', 'job', j.name, j.owner::text, format('DELETE FROM chime.job WHERE job_id = %s', j.job_id),"
    "         'with its history' FROM chime.job j WHERE j.plugin = $1 AND j.origin = 'plugin'"
    ") AS all_of_it ORDER BY place, length, object";

static bool is_action(const struct purge_list *list, size_t row, const char *action)
{
    return strcmp(pg_rows_value(&list->rows, row, COLUMN_ACTION), action) == 0;
}

enum purge_action purge_action(const struct purge_list *list, size_t row)
{
    return is_action(list, row, "drop") ? PURGE_DROP : is_action(list, row, "keep") ? PURGE_KEEP : PURGE_BLOCK;
}

bool purge_survey(struct visit *visit, const char *plugin, struct purge_list *list, struct error *err)
{
    *list = (struct purge_list){0};
    char *sql = xasprintf("%s%s%s%s%s", sources_sql, made_sql, blocking_sql, order_sql, lines_sql);
    bool ok = pg_client_query(visit->client, sql, &plugin, 1, &list->rows, err);
    free(sql);
    if (!ok) {
        return false;
    }
    list->count = list->rows.count;
    for (size_t row = 0; row < list->count; row++) {
        list->drops += purge_action(list, row) == PURGE_DROP;
        list->blocks += purge_action(list, row) == PURGE_BLOCK;
    }
    return true;
}

void purge_list_finish(struct purge_list *list)
{
    pg_rows_finish(&list->rows);
}

struct output_list *purge_output(const struct purge_list *list)
{
    struct output_list *output = output_create("objects", columns, COUNT_OF(columns));
    for (size_t row = 0; row < list->count; row++) {
        output_add_row(output);
        for (size_t column = 0; column < COUNT_OF(columns); column++) {
            output_set(output, column, pg_rows_value(&list->rows, row, column));
        }
    }
    return output;
}

/* --- the transaction ---------------------------------------------------------------------------------------------- */

static bool run(struct visit *visit, const char *sql, struct error *err)
{
    return pg_client_query(visit->client, sql, NULL, 0, NULL, err);
}

static bool same_list(const struct purge_list *left, const struct purge_list *right)
{
    if (left->count != right->count) {
        return false;
    }
    for (size_t i = 0; i < left->count * COUNT_OF(columns); i++) {
        if (!text_same(left->rows.values[i], right->rows.values[i])) {
            return false;
        }
    }
    return true;
}

/* With the plugin's row locked, so that nobody installs it meanwhile, and what it keeps, so that nobody adds a column
 * to it. */
static bool check_unchanged(struct visit *visit, const char *plugin, const struct purge_list *shown, struct error *err)
{
    struct purge_list now;
    static const char lock[] = "SELECT FROM chime.plugin WHERE name = $1 FOR UPDATE";
    static const char hold[] =
        "SELECT chime.hold_columns(ARRAY(SELECT chime.kept_of(v)::oid FROM chime.view v WHERE v.plugin = $1))";
    if (!pg_client_query(visit->client, lock, &plugin, 1, NULL, err) ||
        !pg_client_query(visit->client, hold, &plugin, 1, NULL, err) || !purge_survey(visit, plugin, &now, err)) {
        return false;
    }
    bool same = same_list(shown, &now);
    purge_list_finish(&now);
    if (!same) {
        error_set(err, ERROR_REFUSED, "what plugin \"%s\" has there changed meanwhile: nothing was dropped", plugin);
        error_hint(err, "look again: pgchime plugins purge %s --dry-run", plugin);
    }
    return same;
}

static bool is_kind(const struct purge_list *list, size_t row, const char *kind)
{
    return strcmp(pg_rows_value(&list->rows, row, COLUMN_KIND), kind) == 0;
}

static bool drop_listed(struct visit *visit, const struct purge_list *list, bool triggers, struct error *err)
{
    bool ok = true;
    for (size_t row = 0; row < list->count && ok; row++) {
        if (purge_action(list, row) == PURGE_DROP && is_kind(list, row, "trigger") == triggers &&
            !is_kind(list, row, "job")) {
            ok = run(visit, pg_rows_value(&list->rows, row, COLUMN_STATEMENT), err);
        }
    }
    return ok;
}

/* A table whose trigger is to go cannot be written or read while that is waited for: not for long. */
static bool drop_objects(struct visit *visit, const char *plugin, const struct purge_list *list, struct error *err)
{
    static const char silence[] =
        "SELECT chime.silence_source(s.source_id) FROM chime.source s"
        " WHERE NOT EXISTS (SELECT FROM chime.view_source o JOIN chime.view v USING (view_schema, relation)"
        "                    WHERE o.source_id = s.source_id AND v.plugin <> $1)";
    return run(visit, "SET LOCAL lock_timeout = '1s'", err) &&
           pg_client_query(visit->client, silence, &plugin, 1, NULL, err) &&
           pg_client_query(visit->client, "SELECT chime.silence_channels($1)", &plugin, 1, NULL, err) &&
           drop_listed(visit, list, true, err) && run(visit, "SET LOCAL lock_timeout = '10s'", err) &&
           drop_listed(visit, list, false, err);
}

/* What refers to others goes by their ON DELETE CASCADE; the history has no such reference. Each has the parameter. */
static bool delete_rows(struct visit *visit, const char *plugin, struct error *err)
{
#define OF_ITS_JOBS "job_id IN (SELECT job_id FROM chime.job WHERE plugin = $1 AND origin = 'plugin')"
    static const char *const statements[] = {
        "DELETE FROM chime.plugin_function WHERE plugin = $1",
        "DELETE FROM chime.plugin_channel WHERE plugin = $1",
        "DELETE FROM chime.plain_view WHERE plugin = $1",
        "DELETE FROM chime.view WHERE plugin = $1",
        "DELETE FROM chime.replaced WHERE $1::text IS NOT NULL AND to_regclass('chime.' || name) IS NULL",
        "DELETE FROM chime.source s WHERE $1::text IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM chime.view_source v WHERE v.source_id = s.source_id)",
        "DELETE FROM chime.run_history WHERE " OF_ITS_JOBS,
        "DELETE FROM chime.attempt WHERE " OF_ITS_JOBS,
        "DELETE FROM chime.missed WHERE " OF_ITS_JOBS,
        "DELETE FROM chime.job WHERE plugin = $1 AND origin = 'plugin'",
        "DELETE FROM chime.plugin WHERE name = $1",
    };
#undef OF_ITS_JOBS
    bool ok = true;
    for (size_t i = 0; i < COUNT_OF(statements) && ok; i++) {
        ok = pg_client_query(visit->client, statements[i], &plugin, 1, NULL, err);
    }
    return ok;
}

bool purge_perform(struct visit *visit, const char *plugin, const struct purge_list *shown, struct error *err)
{
    if (run(visit, "BEGIN", err) && run(visit, "SET LOCAL lock_timeout = '10s'", err) &&
        check_unchanged(visit, plugin, shown, err) && drop_objects(visit, plugin, shown, err) &&
        delete_rows(visit, plugin, err) && run(visit, "COMMIT", err)) {
        return true;
    }
    if (!run(visit, "ROLLBACK", NULL)) {
        visit_close(visit); /* which rolls back as well */
    }
    return false;
}
