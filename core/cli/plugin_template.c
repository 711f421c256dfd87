/* SPDX-License-Identifier: PostgreSQL */
#include "cli/plugin_template.h"

#include <string.h>

#include "base/memory.h"

static const char source_text[] =
    "/* @NAME@: one view, kept fresh. <pgchime/plugin.h> says what else a plugin may declare. */\n"
    "#include <pgchime/plugin.h>\n"
    "\n"
    "#include \"@NAME@.sql.h\" /* made from @NAME@.sql when this is built */\n"
    "\n"
    "/* The tables that it reads, and their columns. While one is missing it does nothing: plugins --all says so. */\n"
    "static const struct chime_source sources[] = {\n"
    "    {.table = \"orders\", .columns = \"id, ordered_at\"},\n"
    "};\n"
    "\n"
    "/* `key` tells the rows apart: no two have the same. By `grain` it is refreshed in parts: the days that changed. "
    "*/\n"
    "static const struct chime_view views[] = {\n"
    "    {.relation = \"@NAME@\",\n"
    "     .definition = sql_@NAME@,\n"
    "     .key = \"day\",\n"
    "     .grain = \"day\",\n"
    "     .comment = \"Orders of each day (UTC)\"},\n"
    "};\n"
    "\n"
    "static const struct chime_job jobs[] = {\n"
    "    {.name = \"refresh-@JOB@\", .schedule = \"* * * * *\", .refresh = \"@NAME@\"},\n"
    "};\n"
    "\n"
    "CHIME_PLUGIN(.name = \"@NAME@\", .version = \"1.0\", .summary = \"orders of each day\",\n"
    "             .sources = CHIME_LIST(sources), .views = CHIME_LIST(views), .jobs = CHIME_LIST(jobs))\n";

static const char sql_text[] =
    "-- Orders of each day.\n"
    "--\n"
    "-- The text between the marks is what the plugin carries, as sql_@NAME@. Names without a schema are looked for in "
    "the\n"
    "-- view schema, then in the source schema. The file runs in psql as it is:  SET search_path = analytics, public;\n"
    "--\n"
    "-- It is refreshed by days once an index finds one:  CREATE INDEX ON orders (((ordered_at AT TIME ZONE "
    "'UTC')::date));"
    "\n"
    "\n"
    "CREATE OR REPLACE VIEW @NAME@__live AS\n"
    "-- chime:begin @NAME@\n"
    "SELECT\n"
    "    (ordered_at AT TIME ZONE 'UTC')::date AS day,\n"
    "    count(*) AS orders\n"
    "FROM orders\n"
    "GROUP BY 1\n"
    "-- chime:end\n"
    ";\n";

static const char cmake_text[] =
    "cmake_minimum_required(VERSION 3.17)\n"
    "project(@NAME@ LANGUAGES C)\n"
    "\n"
    "find_package(PkgConfig REQUIRED)\n"
    "pkg_check_modules(PGCHIME REQUIRED pgchime)\n"
    "pkg_get_variable(pgchime_cmake pgchime cmakedir)\n"
    "pkg_get_variable(pgchime_plugins pgchime plugindir)\n"
    "pkg_get_variable(pgchime_bin pgchime bindir)\n"
    "include(\"${pgchime_cmake}/EmbedSql.cmake\")\n"
    "\n"
    "add_library(plugin MODULE @NAME@.c)\n"
    "set_target_properties(plugin PROPERTIES PREFIX \"\" OUTPUT_NAME @NAME@ C_VISIBILITY_PRESET hidden)\n"
    "target_include_directories(plugin PRIVATE ${PGCHIME_INCLUDE_DIRS})\n"
    "pgchime_embed_sql(plugin @NAME@.sql)\n"
    "install(TARGETS plugin LIBRARY DESTINATION \"${pgchime_plugins}\")\n"
    "\n"
    "enable_testing()\n"
    "find_program(PGCHIME pgchime HINTS \"${pgchime_bin}\" REQUIRED)\n"
    "add_test(NAME check COMMAND sh \"${CMAKE_CURRENT_SOURCE_DIR}/test.sh\" $<TARGET_FILE:plugin>)\n"
    "set_tests_properties(check PROPERTIES ENVIRONMENT \"PGCHIME=${PGCHIME}\")\n";

static const char build_text[] =
    "#!/bin/sh\n"
    "# The same as CMakeLists.txt does, with sed and a compiler alone: leaves build/@NAME@.so.\n"
    "set -eu\n"
    "cd \"$(dirname \"$0\")\"\n"
    "mkdir -p build\n"
    "# What is between \"-- chime:begin X\" and \"-- chime:end\" becomes the constant sql_X.\n"
    "sed -n '/^-- chime:begin /,/^-- chime:end/{\n"
    "    s/[\\\\\"?]/\\\\&/g\n"
    "    s/^-- chime:begin \\([a-z0-9_]*\\).*/static const char sql_\\1[] =/p\n"
    "    t\n"
    "    s/^-- chime:end.*/;/p\n"
    "    t\n"
    "    s/.*/\"&\\\\n\"/p\n"
    "}' @NAME@.sql >build/@NAME@.sql.h\n"
    "# shellcheck disable=SC2046,SC2086 # flags are words\n"
    "${CC:-cc} ${CFLAGS:--O2} -shared -fPIC $(pkg-config --cflags pgchime) -I build -o build/@NAME@.so @NAME@.c\n";

static const char conf_text[] =
    "# @NAME@: orders of each day. Goes to conf.d; \"#\" hides what is the default.\n"
    "\n"
    "plugin:\n"
    "{\n"
    "    name = \"@NAME@\";\n"
    "    # enabled = \"auto\";              # \"auto\": once its source tables are there; false: not at all\n"
    "    # database = \"main\";             # a name under \"databases\"; needed only where there are several\n"
    "    # view_schema = \"analytics\";     # where its relation goes\n"
    "};\n"
    "\n"
    "jobs:\n"
    "{\n"
    "    refresh-@JOB@:\n"
    "    {\n"
    "        # schedule = \"* * * * *\";\n"
    "        # enabled = true;              # false: the job stays known, but is never due\n"
    "        # attempt_timeout = \"1h\";\n"
    "    };\n"
    "};\n";

static const char test_text[] =
    "#!/bin/sh\n"
    "# test.sh [FILE]: what the built plugin declares passes `pgchime check`. Needs no server. $PGCHIME: the program.\n"
    "set -eu\n"
    "here=$(cd \"$(dirname \"$0\")\" && pwd)\n"
    "plugin=${1:-$here/build/@NAME@.so}\n"
    "umask 022 # a plugin that others may write to is refused\n"
    "folder=$(mktemp -d)\n"
    "trap 'rm -rf \"$folder\"' EXIT\n"
    "mkdir \"$folder/plugins\" \"$folder/conf.d\"\n"
    "cp \"$plugin\" \"$folder/plugins/@NAME@.so\"\n"
    "cp \"$here/@NAME@.conf\" \"$folder/conf.d/\"\n"
    "chmod 755 \"$folder/plugins/@NAME@.so\"\n"
    "cat >\"$folder/pgchime.conf\" <<'END'\n"
    "databases: { main: { conninfo = \"dbname=main\"; }; };\n"
    "plugin_dir = \"plugins\";\n"
    "conf_dir   = \"conf.d\";\n"
    "END\n"
    "said=$(\"${PGCHIME:-pgchime}\" check --config \"$folder/pgchime.conf\")\n"
    "echo \"$said\"\n"
    "case $said in\n"
    "    *', 1 plugin, '*) ;;\n"
    "    *) echo \"expected one plugin\" >&2; exit 1 ;;\n"
    "esac\n";

const struct plugin_file plugin_template[] = {
    {"@NAME@.c", source_text, false, "what the plugin declares"},
    {"@NAME@.sql", sql_text, false, "its SQL, which psql runs too"},
    {"@NAME@.conf", conf_text, false, "for conf.d: its keys with their defaults"},
    {"CMakeLists.txt", cmake_text, false, "builds and installs it"},
    {"build.sh", build_text, true, "builds it without CMake"},
    {"test.sh", test_text, true, "checks what was built, without a server"},
};
const size_t plugin_template_count = COUNT_OF(plugin_template);

static void put_job_name(struct buffer *buffer, const char *plugin)
{
    for (; *plugin != '\0'; plugin++) {
        buffer_putc(buffer, *plugin == '_' ? '-' : *plugin);
    }
}

static const char view_text[] =
    "-- Orders of each day: put your SELECT in its place.\n"
    "--\n"
    "-- Lines \"-- NAME: value\" up here are options; psql runs the file as it is. What it reads, and by which "
    "columns\n"
    "-- it can be refreshed in parts, pgchime finds out:  pgchime views explain @NAME@.sql\n"
    "--\n"
    "-- key: day\n"
    "-- target_lag: 1s\n"
    "-- comment: Orders of each day (UTC)\n"
    "\n"
    "SELECT\n"
    "    (ordered_at AT TIME ZONE 'UTC')::date AS day,\n"
    "    count(*) AS orders\n"
    "FROM orders\n"
    "GROUP BY 1;\n";

const struct plugin_file view_template = {"@NAME@.sql", view_text, false, "the view: its options and its SELECT"};

void plugin_template_fill(struct buffer *buffer, const char *text, const char *plugin)
{
    static const char name_mark[] = "@NAME@";
    static const char job_mark[] = "@JOB@";
    while (*text != '\0') {
        if (strncmp(text, name_mark, strlen(name_mark)) == 0) {
            buffer_puts(buffer, plugin);
            text += strlen(name_mark);
        } else if (strncmp(text, job_mark, strlen(job_mark)) == 0) {
            put_job_name(buffer, plugin);
            text += strlen(job_mark);
        } else {
            buffer_putc(buffer, *text++);
        }
    }
}
