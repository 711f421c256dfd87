/* SPDX-License-Identifier: PostgreSQL */
#include "cli/init_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

#define NAME_SIZE 63 /* bytes that PostgreSQL keeps of a name */
/* What others put into public is not to be taken for what is meant. */
#define PUT_PATH "SET search_path = pg_catalog, pg_temp;\n"

static bool check_name(const char *what, const char *name, struct error *err)
{
    bool fits = name[0] != '\0' && strlen(name) <= NAME_SIZE && utf8_valid(name, strlen(name));
    for (const char *c = name; *c != '\0'; c++) {
        fits = fits && !iscntrl((unsigned char)*c);
    }
    if (fits) {
        return true;
    }
    error_set(err, ERROR_USAGE, "\"%.100s\" cannot be the name of a %s", name, what);
    return error_hint(err, "a name has 1 to %d bytes of UTF-8, without control characters", NAME_SIZE);
}

bool init_check_names(const struct init_names *names, struct error *err)
{
    if (!check_name("role", names->role, err)) {
        return false;
    }
    for (size_t i = 0; i < names->count; i++) {
        if (!check_name("database", names->databases[i], err)) {
            return false;
        }
    }
    return true;
}

/* --- quoting ------------------------------------------------------------------------------------------------------ */

/* Between two quotes, which are doubled or have a backslash before them. */
static void put_quoted(struct buffer *text, const char *name, char quote, const char *escaped, char escape)
{
    buffer_putc(text, quote);
    for (; *name != '\0'; name++) {
        if (strchr(escaped, *name) != NULL) {
            buffer_putc(text, escape);
        }
        buffer_putc(text, *name);
    }
    buffer_putc(text, quote);
}

static void put_identifier(struct buffer *text, const char *name)
{
    put_quoted(text, name, '"', "\"", '"');
}

static void put_literal(struct buffer *text, const char *name)
{
    if (strchr(name, '\\') != NULL) {
        buffer_putc(text, 'E');
        put_quoted(text, name, '\'', "'\\", '\\');
    } else {
        put_quoted(text, name, '\'', "'", '\'');
    }
}

/* As libpq reads it: only what needs quotes has them. */
static void put_conninfo(struct buffer *text, const char *name)
{
    if (name[strcspn(name, " '\\=\"")] == '\0') {
        buffer_puts(text, name);
    } else {
        put_quoted(text, name, '\'', "'\\", '\\');
    }
}

/* Connects psql to another database of the same server. Within psql's double quotes a double quote is doubled. */
static void put_connect(struct buffer *text, const char *database)
{
    struct buffer conninfo = {0};
    buffer_puts(&conninfo, "dbname=");
    put_quoted(&conninfo, database, '\'', "'\\", '\\');
    buffer_puts(text, "\\connect -reuse-previous=on ");
    put_quoted(text, buffer_text(&conninfo), '"', "\"", '"');
    buffer_puts(text, "\n" PUT_PATH);
    buffer_finish(&conninfo);
}

/* --- configuration ------------------------------------------------------------------------------------------------ */

/* A name that libconfig takes: it begins with a letter. */
static void put_key(struct buffer *text, const char *database)
{
    if (!isalpha((unsigned char)database[0])) {
        buffer_puts(text, "db_");
    }
    for (size_t i = 0; database[i] != '\0' && i < NAME_SIZE - 8; i++) {
        unsigned char c = (unsigned char)database[i];
        buffer_putc(text, c < 0x80 && (isalnum(c) || c == '_' || c == '-') ? (char)c : '_');
    }
}

static char *key_of(const struct init_names *names, size_t index)
{
    struct buffer key = {0};
    put_key(&key, names->databases[index]);
    return buffer_take(&key);
}

/* How many of those before it have the same key. */
static size_t count_same_keys(const struct init_names *names, size_t index, const char *key)
{
    size_t same = 0;
    for (size_t i = 0; i < index; i++) {
        char *other = key_of(names, i);
        same += strcmp(other, key) == 0 ? 1 : 0;
        free(other);
    }
    return same;
}

static void put_database(struct buffer *text, const struct init_names *names, size_t index)
{
    struct buffer conninfo = {0};
    char *key = key_of(names, index);
    size_t same = count_same_keys(names, index, key);
    buffer_printf(text, "    %s", key);
    if (same > 0) {
        buffer_printf(text, "_%zu", same + 1);
    }
    free(key);
    buffer_puts(&conninfo, "host=/run/postgresql dbname=");
    put_conninfo(&conninfo, names->databases[index]);
    buffer_puts(&conninfo, " user=");
    put_conninfo(&conninfo, names->role);
    buffer_puts(text, ":\n    {\n        conninfo = ");
    put_quoted(text, buffer_text(&conninfo), '"', "\"\\", '\\');
    buffer_puts(
        text, ";\n"
              "        # view_schema = \"analytics\";   # where plugins keep their views\n"
              "        # source_schema = \"public\";    # where the tables are that they read\n"
              "        # pool_size = 8;               # sessions that jobs run in, at most\n"
              "        # timezone = \"UTC\";            # of schedules\n"
              "        # verify = \"17 3 * * *\";       # when views are compared with their definitions; \"\": never\n"
              "    };\n");
    buffer_finish(&conninfo);
}

void init_put_config(struct buffer *text, const struct init_names *names)
{
    buffer_puts(text,
                "# pgchime.conf: which databases are served, and where plugins and jobs are. \"#\" hides what is the\n"
                "# default. Try it, without a server:  pgchime check --config FILE\n"
                "\n"
                "databases:\n"
                "{\n");
    for (size_t i = 0; i < names->count; i++) {
        put_database(text, names, i);
    }
    buffer_puts(text, "};\n"
                      "\n");
    buffer_puts(
        text,
        "plugin_dir = \"" PGCHIME_PLUGIN_DIRECTORY "\";\n"
        "conf_dir = \"conf.d\";                # a folder beside this file (make it): every *.conf there is read too\n"
        "# log_level = \"info\";\n"
        "\n"
        "# Jobs of your own, here or in conf_dir:\n"
        "# jobs:\n"
        "# {\n"
        "#     nightly-analyze: { schedule = \"30 3 * * *\"; command = \"ANALYZE\"; };\n"
        "# };\n");
}

/* --- SQL ---------------------------------------------------------------------------------------------------------- */

static void put_role(struct buffer *text, const char *role, const char *attributes)
{
    buffer_puts(text, "    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ");
    put_literal(text, role);
    buffer_puts(text, ") THEN\n        CREATE ROLE ");
    put_identifier(text, role);
    buffer_printf(text, " %s;\n    END IF;\n", attributes);
}

/* A tag of dollar quotes that the name does not contain. */
static char *dollar_tag(const char *name)
{
    char *tag = xstrdup("$roles$");
    for (int i = 1; strstr(name, tag) != NULL; i++) {
        free(tag);
        tag = xasprintf("$roles%d$", i);
    }
    return tag;
}

static void put_roles(struct buffer *text, const char *role)
{
    char *tag = dollar_tag(role);
    buffer_printf(text, "DO %s\nBEGIN\n", tag);
    put_role(text, role, "LOGIN");
    put_role(text, "analytics_reader", "NOLOGIN");
    put_role(text, "pgchime_jobs", "NOLOGIN");
    put_role(text, "pgchime_monitor", "NOLOGIN");
    buffer_printf(text, "END %s;\n", tag);
    free(tag);
}

/* One that is there already is its own, or of whom it may trust: whoever made it first could put there what is run as
 * others. */
static void put_schema(struct buffer *text, const char *schema, const char *role)
{
    char *tag = dollar_tag(role);
    buffer_printf(
        text,
        "DO %s\nDECLARE\n    owner name;\nBEGIN\n    SELECT r.rolname INTO owner FROM pg_namespace n JOIN pg_roles r "
        "ON "
        "r.oid = n.nspowner\n     WHERE n.nspname = '%s' AND NOT r.rolsuper AND r.rolname NOT IN (current_user, ",
        tag, schema);
    put_literal(text, role);
    buffer_printf(
        text,
        ");\n    IF FOUND THEN\n        RAISE EXCEPTION 'schema %s is there already and belongs to %%', owner\n"
        "            USING HINT = 'see what is in it, then ALTER SCHEMA %s RENAME TO another, or OWNER TO the "
        "role that this makes';\n    END IF;\nEND %s;\n",
        schema, schema, tag);
    free(tag);
    buffer_printf(text, "CREATE SCHEMA IF NOT EXISTS %s AUTHORIZATION ", schema);
    put_identifier(text, role);
    buffer_puts(text, ";\n");
}

static void put_grant(struct buffer *text, const char *what, const char *on, const char *role)
{
    buffer_printf(text, "GRANT %s ON %s TO ", what, on);
    put_identifier(text, role);
    buffer_puts(text, ";\n");
}

/* `on` NULL: membership in a role. */
static void put_optional_grant(struct buffer *text, const char *what, const char *on, const char *role)
{
    buffer_printf(text, "--   GRANT %s%s%s TO ", what, on != NULL ? " ON " : "", on != NULL ? on : "");
    put_identifier(text, role);
    buffer_puts(text, ";\n");
}

/* Tables that are there, each with its partitions. */
static void put_delete_grants(struct buffer *text, const char *tables, const char *role)
{
    char *tag = dollar_tag(role);
    buffer_puts(text,
                "-- Plugin retention is enforced: it moves old rows out of these tables, and deletes them later.\n"
                "-- Partitions, which go as a whole, it must own:  GRANT owner_of_the_table TO ");
    put_identifier(text, role);
    buffer_printf(text, ";\nDO %s\nDECLARE\n    source regclass;\nBEGIN\n    FOR source IN\n", tag);
    buffer_puts(text, "        SELECT coalesce(p.relid, t.oid::regclass)\n"
                      "        FROM unnest(string_to_array(replace(");
    put_literal(text, tables);
    buffer_puts(text, ", ' ', ''), ',')) AS w (name)\n"
                      "        JOIN pg_class t ON t.oid = to_regclass(format('public.%I', w.name))\n"
                      "        LEFT JOIN LATERAL pg_partition_tree(t.oid) AS p ON true\n"
                      "    LOOP\n"
                      "        EXECUTE format('GRANT DELETE ON %s TO %I', source, ");
    put_literal(text, role);
    buffer_printf(text, ");\n    END LOOP;\nEND %s;\n", tag);
    free(tag);
}

static void put_future_grants(struct buffer *text, const char *role)
{
    char *tag = dollar_tag(role);
    buffer_printf(
        text,
        "-- Tables and partitions made later, by each owner of tables that are there; run this again for a new owner.\n"
        "DO %s\nDECLARE\n    owner regrole;\nBEGIN\n"
        "    FOR owner IN SELECT DISTINCT c.relowner::regrole FROM pg_class c\n"
        "                 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') LOOP\n"
        "        EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %%s IN SCHEMA public GRANT SELECT, TRIGGER ON TABLES"
        " TO %%I', owner,\n                       ",
        tag);
    put_literal(text, role);
    buffer_printf(text, ");\n    END LOOP;\nEND %s;\n", tag);
    free(tag);
}

static void put_database_grants(struct buffer *text, const char *database, const char *role)
{
    struct buffer on = {0};
    buffer_puts(&on, "DATABASE ");
    put_identifier(&on, database);
    buffer_putc(text, '\n');
    put_connect(text, database);
    put_grant(text, "CONNECT", buffer_text(&on), role);
    buffer_puts(text,
                "-- Only for views of mode matview, whose refresh makes a temporary table of the server's own:\n");
    put_optional_grant(text, "TEMPORARY", buffer_text(&on), role);
    buffer_puts(text, "-- The ledger, and what plugins keep. With these it needs no CREATE on the database.\n");
    put_schema(text, "chime", role);
    put_schema(text, "analytics", role);
    buffer_puts(text,
                "-- What plugins may read. Narrower: name their tables (pgchime plugins says which one is missing).\n"
                "-- TRIGGER: so that their changes are captured; without it every refresh does everything.\n");
    put_grant(text, "USAGE", "SCHEMA public", role);
    put_grant(text, "SELECT, TRIGGER", "ALL TABLES IN SCHEMA public", role);
    put_future_grants(text, role);
    buffer_finish(&on);
}

void init_put_sql(struct buffer *text, const struct init_names *names)
{
    buffer_puts(text, "-- What pgchime needs, and nothing more. For a superuser to read, and to run with:\n"
                      "--   psql -X -v ON_ERROR_STOP=1 -d postgres -f FILE\n"
                      "-- May be run again. The daemon connects as ");
    put_identifier(text, names->role);
    buffer_puts(
        text,
        ", owns what it makes, and runs jobs as that role: a job\n"
        "-- that writes to your tables needs its own GRANT. Who is to read the views gets analytics_reader, who is to\n"
        "-- make jobs of their own pgchime_jobs, who is to watch everybody's and change nothing pgchime_monitor.\n"
        "\n" PUT_PATH);
    put_roles(text, names->role);
    buffer_puts(text, "-- It proves who it is as pg_hba.conf says: peer needs nothing more, a password is set by:\n"
                      "--   \\password ");
    put_identifier(text, names->role);
    buffer_puts(
        text,
        "\n"
        "-- Not needed: it sees and ends sessions of its own role alone. With the first, doctor also counts others'\n"
        "-- sessions, and a daemon that connects as another role is seen; with the second, it can be ended.\n");
    put_optional_grant(text, "pg_read_all_stats", NULL, names->role);
    put_optional_grant(text, "pg_signal_backend", NULL, names->role);
    buffer_puts(text, "-- A publication FOR ALL TABLES sends schema chime, too. One that leaves it out:\n"
                      "--   CREATE PUBLICATION data FOR TABLES IN SCHEMA public, analytics;\n");
    for (size_t i = 0; i < names->count; i++) {
        put_database_grants(text, names->databases[i], names->role);
        if (names->deleting != NULL) {
            put_delete_grants(text, names->deleting, names->role);
        }
    }
}
