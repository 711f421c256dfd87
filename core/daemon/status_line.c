/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/status_line.h"

#include "base/buffer.h"

static size_t count_kind(const struct served_database *databases, size_t count, enum served_as kind)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += databases[i].kind == kind ? 1 : 0;
    }
    return found;
}

static void put_count(struct buffer *text, const char *what, size_t count)
{
    if (count > 0) {
        buffer_printf(text, "%s%s %zu database%s", text->length > 0 ? ", " : "", what, count, count == 1 ? "" : "s");
    }
}

/* The first stands for all: the log has the others. */
static void put_problem(struct buffer *text, const struct served_database *databases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (databases[i].kind == SERVED_TRIES && databases[i].problem[0] != '\0') {
            buffer_printf(text, "; %s", databases[i].problem);
            return;
        }
    }
}

char *status_line_text(const struct served_database *databases, size_t count, const char *file, const char *remark)
{
    struct buffer text = {0};
    if (count == 0) {
        buffer_printf(&text,
                      "idle: no database is configured; write databases: { main: { conninfo = \"...\"; }; }; in %s, "
                      "then: systemctl reload pgchime",
                      file);
    }
    put_count(&text, "leads", count_kind(databases, count, SERVED_LEADS));
    put_count(&text, "follows", count_kind(databases, count, SERVED_FOLLOWS));
    put_count(&text, "cannot serve", count_kind(databases, count, SERVED_TRIES));
    put_problem(&text, databases, count);
    if (remark != NULL) {
        buffer_printf(&text, "; %s", remark);
    }
    return buffer_take(&text);
}
