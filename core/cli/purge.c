#include "cli/purge.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const struct output_column columns[] = {
    {"ACTION", "action", OUTPUT_STATE, OUTPUT_ALWAYS}, {"KIND", "kind", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"OBJECT", "object", OUTPUT_TEXT, OUTPUT_ALWAYS},  {"OWNER", "owner", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SQL", "statement", OUTPUT_TEXT, OUTPUT_ALWAYS},  {"WHY", "reason", OUTPUT_TEXT, OUTPUT_ALWAYS},
};
enum { COLUMN_ACTION, COLUMN_KIND, COLUMN_OBJECT };

/* The survey is one statement in three parts, for the sake of compilers that count.
 *
 * Triggers before the functions they call, functions before the relations they read, live views before the kept relations
 * that one of them may read, rows last. */
static const char made_sql[] =
    "WITH made AS MATERIALIZED ("
    "  SELECT 2 AS place, 'pg_proc'::regclass::oid AS class, p.oid, p.proowner AS owner,"
    "         CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind, p.oid::regprocedure::text AS object"
    "    FROM chime.plugin_function f JOIN pg_proc p ON p.oid = f.routine WHERE f.plugin = $1"
    "  UNION ALL"
    "  SELECT 1, 'pg_trigger'::regclass, t.oid, c.relowner, 'trigger',"
    "         format('%I ON %s', t.tgname, t.tgrelid::regclass)"
    "    FROM chime.plugin_function f JOIN pg_trigger t ON t.tgfoid = f.routine AND NOT t.tgisinternal"
    "    JOIN pg_class c ON c.oid = t.tgrelid WHERE f.plugin = $1"
    "  UNION ALL"
    "  SELECT CASE c.relkind WHEN 'v' THEN 3 ELSE 4 END, 'pg_class'::regclass, c.oid, c.relowner,"
    "         CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'"
    "         ELSE 'table' END, c.oid::regclass::text"
    "    FROM chime.view v CROSS JOIN LATERAL (VALUES (v.relation::text), (v.relation || '__live')) AS r (name)"
    "    JOIN pg_class c ON c.oid = to_regclass(format('%I.%I', v.view_schema, r.name)) WHERE v.plugin = $1"
    "  UNION ALL"
    "  SELECT 3, 'pg_class'::regclass, c.oid, c.relowner, 'view', c.oid::regclass::text FROM chime.plain_view v"
    "    JOIN pg_class c ON c.oid = to_regclass(format('%I.%I', v.view_schema, v.relation)) WHERE v.plugin = $1"
    "), dropped AS ("
    "  SELECT * FROM made WHERE pg_has_role(current_user, owner, 'USAGE')"
    ")";

/* What needs a relation may do so by its row type. */
static const char blocking_sql[] =
    ", needed AS ("
    "  SELECT class, oid, object FROM dropped"
    "  UNION ALL"
    "  SELECT 'pg_type'::regclass, t.oid, d.object FROM dropped d JOIN pg_class c ON c.oid = d.oid"
    "    JOIN pg_type t ON t.oid = c.reltype OR (t.typelem = c.reltype AND c.reltype <> 0)"
    "   WHERE d.class = 'pg_class'::regclass"
    "), dependents AS ("
    "  SELECT CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END AS class,"
    "         coalesce(w.ev_class, d.objid) AS oid, CASE WHEN w.oid IS NULL THEN d.objsubid ELSE 0 END AS sub,"
    "         string_agg(DISTINCT n.object, ', ') AS needs"
    "    FROM needed n JOIN pg_depend d ON d.refclassid = n.class AND d.refobjid = n.oid AND d.deptype = 'n'"
    "    LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid GROUP BY 1, 2, 3"
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
    "          AND c.oid IN (to_regclass(format('%I.%I', v.view_schema, v.relation)),"
    "                        to_regclass(format('%I.%I', v.view_schema, v.relation || '__live')))"
    "    LEFT JOIN chime.plugin_function f ON f.routine = p.oid"
    "    LEFT JOIN chime.plain_view s ON b.class = 'pg_class'::regclass"
    "          AND c.oid = to_regclass(format('%I.%I', s.view_schema, s.relation))"
    "   WHERE NOT EXISTS (SELECT FROM dropped m WHERE m.class = b.class AND m.oid = b.oid)"
    ") ";

/* Nobody is told to drop a table for the sake of a column of it, or of what it inherits. */
static const char lines_sql[] =
    "SELECT action, kind, object, owner, statement, reason FROM ("
    "  SELECT 0 AS place, 'block' AS action, kind, object, pg_get_userbyid(owner)::text AS owner,"
    "         CASE WHEN plugin IS NOT NULL THEN format('-- pgchime plugins purge %s', plugin)"
    "              WHEN conname IS NOT NULL THEN format('ALTER TABLE %s DROP CONSTRAINT %I', relation, conname)"
    "              WHEN is_default THEN format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', relation, attname)"
    "              WHEN attname IS NOT NULL THEN format('ALTER TABLE %s DROP COLUMN %I', relation, attname)"
    "              WHEN relkind = 'r' AND kind = 'table' THEN format('ALTER TABLE %s NO INHERIT %s', relation, needs)"
    "              ELSE format('DROP %s %s', upper(kind), object) END AS statement,"
    "         coalesce('plugin ' || plugin || ' made it, and it ', '') || 'needs ' || needs AS reason FROM blocking"
    "  UNION ALL"
    "  SELECT place, CASE WHEN pg_has_role(current_user, owner, 'USAGE') THEN 'drop' ELSE 'keep' END, kind, object,"
    "         pg_get_userbyid(owner), format('DROP %s %s', upper(kind), object),"
    "         CASE WHEN NOT pg_has_role(current_user, owner, 'USAGE')"
    "              THEN 'belongs to ' || pg_get_userbyid(owner) END FROM made"
    "  UNION ALL"
    "  SELECT 5, 'drop', 'job', j.name, j.owner::text, format('DELETE FROM chime.job WHERE job_id = %s', j.job_id),"
    "         'with its history' FROM chime.job j WHERE j.plugin = $1 AND j.origin = 'plugin'"
    ") AS all_of_it ORDER BY place, object";

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
    char *sql = xasprintf("%s%s%s", made_sql, blocking_sql, lines_sql);
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

/* --- the transaction --------------------------------------------------------------------------------------------------------- */

static bool run(struct visit *visit, const char *sql, struct error *err)
{
    return pg_client_query(visit->client, sql, NULL, 0, NULL, err);
}

static bool same_value(const char *left, const char *right)
{
    return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

static bool same_list(const struct purge_list *left, const struct purge_list *right)
{
    if (left->count != right->count) {
        return false;
    }
    for (size_t i = 0; i < left->count * COUNT_OF(columns); i++) {
        if (!same_value(left->rows.values[i], right->rows.values[i])) {
            return false;
        }
    }
    return true;
}

/* With the plugin's row locked, so that nobody installs it meanwhile. */
static bool check_unchanged(struct visit *visit, const char *plugin, const struct purge_list *shown, struct error *err)
{
    struct purge_list now;
    static const char lock[] = "SELECT FROM chime.plugin WHERE name = $1 FOR UPDATE";
    if (!pg_client_query(visit->client, lock, &plugin, 1, NULL, err) || !purge_survey(visit, plugin, &now, err)) {
        return false;
    }
    bool same = same_list(shown, &now);
    purge_list_finish(&now);
    if (!same) {
        error_set(err, ERROR_REFUSED, "what plugin \"%s\" has there changed a moment ago: nothing was dropped", plugin);
        error_hint(err, "look again: pgchime plugins purge %s --dry-run", plugin);
    }
    return same;
}

/* All of one kind in one statement: they may depend on each other. */
static bool drop_kind(struct visit *visit, const struct purge_list *list, const char *kind, struct error *err)
{
    struct buffer sql = {0};
    for (size_t row = 0; row < list->count; row++) {
        const char *object = pg_rows_value(&list->rows, row, COLUMN_OBJECT);
        if (purge_action(list, row) == PURGE_DROP && strcmp(pg_rows_value(&list->rows, row, COLUMN_KIND), kind) == 0) {
            buffer_puts(&sql, sql.length == 0 ? "DROP " : ", ");
            if (sql.length == strlen("DROP ")) {
                buffer_printf(&sql, "%s ", kind);
            }
            buffer_puts(&sql, object);
        }
    }
    bool ok = sql.length == 0 || run(visit, buffer_text(&sql), err);
    buffer_finish(&sql);
    return ok;
}

/* DROP TRIGGER takes one. */
static bool drop_triggers(struct visit *visit, const struct purge_list *list, struct error *err)
{
    bool ok = true;
    for (size_t row = 0; row < list->count && ok; row++) {
        const char *kind = pg_rows_value(&list->rows, row, COLUMN_KIND);
        if (purge_action(list, row) == PURGE_DROP && strcmp(kind, "trigger") == 0) {
            char *sql = xasprintf("DROP TRIGGER %s", pg_rows_value(&list->rows, row, COLUMN_OBJECT));
            ok = run(visit, sql, err);
            free(sql);
        }
    }
    return ok;
}

static bool drop_objects(struct visit *visit, const struct purge_list *list, struct error *err)
{
    static const char *const kinds[] = {"function", "procedure", "view", "materialized view", "foreign table", "table"};
    bool ok = drop_triggers(visit, list, err);
    for (size_t i = 0; i < COUNT_OF(kinds) && ok; i++) {
        ok = drop_kind(visit, list, kinds[i], err);
    }
    return ok;
}

/* What refers to others goes by their ON DELETE CASCADE; the history has no such reference. */
static bool delete_rows(struct visit *visit, const char *plugin, struct error *err)
{
#define OF_ITS_JOBS "job_id IN (SELECT job_id FROM chime.job WHERE plugin = $1 AND origin = 'plugin')"
    static const char *const statements[] = {
        "DELETE FROM chime.plugin_function WHERE plugin = $1",
        "DELETE FROM chime.plain_view WHERE plugin = $1",
        "DELETE FROM chime.view WHERE plugin = $1",
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
        check_unchanged(visit, plugin, shown, err) && drop_objects(visit, shown, err) &&
        delete_rows(visit, plugin, err) && run(visit, "COMMIT", err)) {
        return true;
    }
    if (!run(visit, "ROLLBACK", NULL)) {
        visit_close(visit); /* which rolls back as well */
    }
    return false;
}
