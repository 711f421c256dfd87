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
    put_role(text, "pgchime_operator", "NOLOGIN");
    buffer_printf(text, "END %s;\n", tag);
    free(tag);
}

/* One that is there already is its own, or of whom it may trust: whoever made it first could put there what is run as
 * others. Who is no superuser makes a schema for another role only as its member: for this block, where it was none. */
static void put_schemas(struct buffer *text, const char *role, bool with_cron)
{
    char *tag = dollar_tag(role);
    buffer_printf(text, "DO %s\nDECLARE\n    v_role CONSTANT name := ", tag);
    put_literal(text, role);
    buffer_printf(
        text,
        ";\n    v_member CONSTANT boolean := pg_has_role(v_role, CASE WHEN current_setting('server_version_num')::int "
        "<\n"
        "        160000 THEN 'MEMBER' ELSE 'SET' END);\n"
        "    v_schema name;\n    v_owner name;\n"
        "    -- Where Citus is: these schemas are this server's alone.\n"
        "    v_propagated CONSTANT text := coalesce(current_setting('citus.enable_ddl_propagation', true), 'on');\n"
        "BEGIN\n"
        "    IF NOT v_member THEN\n        EXECUTE format('GRANT %%I TO %%I', v_role, current_user);\n    END IF;\n"
        "    FOREACH v_schema IN ARRAY ARRAY['chime', 'analytics'%s] LOOP\n"
        "        SELECT r.rolname INTO v_owner FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner\n"
        "         WHERE n.nspname = v_schema;\n"
        "        IF NOT FOUND THEN\n"
        "            PERFORM set_config('citus.enable_ddl_propagation', 'off', true);\n"
        "            EXECUTE format('CREATE SCHEMA %%I AUTHORIZATION %%I', v_schema, v_role);\n"
        "            PERFORM set_config('citus.enable_ddl_propagation', v_propagated, true);\n"
        "        ELSIF v_schema = 'cron' AND EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN\n"
        "            RAISE NOTICE 'schema cron is the extension''s, and stays as it is' USING HINT =\n"
        "                'take its jobs over first: pgchime import pg_cron; then DROP EXTENSION pg_cron, and this "
        "again';\n"
        "        ELSIF v_owner NOT IN (current_user, v_role) AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname =\n"
        "              v_owner AND r.rolsuper) THEN\n"
        "            RAISE EXCEPTION 'schema %% is there already and belongs to %%', v_schema, v_owner USING HINT = "
        "format(\n"
        "                'see what is in it, then ALTER SCHEMA %%I RENAME TO another, or OWNER TO the role that this "
        "makes',\n"
        "                v_schema);\n"
        "        END IF;\n    END LOOP;\n"
        "    IF NOT v_member THEN\n        EXECUTE format('REVOKE %%I FROM %%I', v_role, current_user);\n    END IF;\n"
        "END %s;\n",
        with_cron ? ", 'cron'" : "", tag);
    free(tag);
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

/* A superuser grants all tables; others grant what is theirs, or of a role whose rights they have. What they could not
 * grant and an extension made is left out: there is nobody to ask for it. */
static void put_table_grants(struct buffer *text, const char *role)
{
    char *tag = dollar_tag(role);
    buffer_printf(
        text,
        "-- Also tables and partitions made later, by each owner of tables that are there; run this again for a "
        "new owner.\nDO %s\nDECLARE\n    v_role CONSTANT name := ",
        tag);
    put_literal(text, role);
    buffer_printf(
        text,
        ";\n    v_owner regrole;\n    v_allowed boolean;\n    v_relations text;\n    v_tables boolean;\n"
        "    v_later text := 'IN SCHEMA public GRANT SELECT, TRIGGER ON TABLES TO %%I';\nBEGIN\n"
        "    FOR v_owner, v_allowed, v_relations, v_tables IN\n"
        "        SELECT c.relowner, pg_has_role(c.relowner, 'USAGE'), string_agg(c.oid::regclass::text, ', ' ORDER BY "
        "c.oid),\n"
        "               bool_or(c.relkind IN ('r', 'p'))\n"
        "        FROM pg_class c\n"
        "        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')\n"
        "          AND (pg_has_role(c.relowner, 'USAGE') OR NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid\n"
        "               AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'))\n"
        "        GROUP BY c.relowner\n"
        "    LOOP\n"
        "        IF NOT v_allowed THEN\n"
        "            RAISE WARNING '%% cannot grant what belongs to %%: %%', current_user, v_owner, v_relations USING "
        "HINT =\n"
        "                format('let %%s run: GRANT SELECT, TRIGGER ON %%s TO %%I; ALTER DEFAULT PRIVILEGES ' || "
        "v_later,\n"
        "                       v_owner, v_relations, v_role, v_role);\n"
        "            CONTINUE;\n        END IF;\n"
        "        EXECUTE format('GRANT SELECT, TRIGGER ON %%s TO %%I', v_relations, v_role);\n"
        "        IF v_tables THEN\n"
        "            EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %%s ' || v_later, v_owner, v_role);\n"
        "        END IF;\n    END LOOP;\nEND %s;\n",
        tag);
    free(tag);
}

static void put_database_grants(struct buffer *text, const char *database, const char *role, bool with_cron)
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
    put_schemas(text, role, with_cron);
    buffer_puts(text,
                "-- What plugins may read. Narrower: name their tables (pgchime plugins says which one is missing).\n"
                "-- TRIGGER: so that their changes are captured; without it every refresh does everything.\n");
    put_grant(text, "USAGE", "SCHEMA public", role);
    put_table_grants(text, role);
    buffer_finish(&on);
}

void init_put_sql(struct buffer *text, const struct init_names *names)
{
    buffer_puts(text, "-- What pgchime needs, and nothing more. For a superuser to read and run, or for who owns\n"
                      "-- the database and has CREATEROLE, as the administrator of a managed host:\n"
                      "--   psql -X -v ON_ERROR_STOP=1 -d postgres -f FILE\n"
                      "-- May be run again. The daemon connects as ");
    put_identifier(text, names->role);
    buffer_puts(
        text,
        ", owns what it makes, and runs jobs as that role: a job\n"
        "-- that writes to your tables needs its own GRANT. Who is to read the views gets analytics_reader, who is to\n"
        "-- make jobs of their own pgchime_jobs, who is to watch everybody's and change nothing pgchime_monitor. Who "
        "is to ask\n"
        "-- for runs, and to suspend jobs, through pgchime-web also pgchime_operator.\n"
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
        put_database_grants(text, names->databases[i], names->role, names->with_cron);
        if (names->deleting != NULL) {
            put_delete_grants(text, names->deleting, names->role);
        }
    }
}
