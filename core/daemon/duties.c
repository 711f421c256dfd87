#include "daemon/duties.h"

#include "base/buffer.h"

static size_t count_kind(const struct duty *duties, size_t count, enum duty_kind kind)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += duties[i].kind == kind ? 1 : 0;
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
static void put_problem(struct buffer *text, const struct duty *duties, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (duties[i].kind == DUTY_TRIES && duties[i].problem[0] != '\0') {
            buffer_printf(text, "; %s", duties[i].problem);
            return;
        }
    }
}

char *duties_text(const struct duty *duties, size_t count, const char *file, const char *remark)
{
    struct buffer text = {0};
    if (count == 0) {
        buffer_printf(&text,
                      "idle: no database is configured; write databases: { main: { conninfo = \"...\"; }; }; in %s, "
                      "then: systemctl reload pgchime",
                      file);
    }
    put_count(&text, "leads", count_kind(duties, count, DUTY_LEADS));
    put_count(&text, "follows", count_kind(duties, count, DUTY_FOLLOWS));
    put_count(&text, "cannot serve", count_kind(duties, count, DUTY_TRIES));
    put_problem(&text, duties, count);
    if (remark != NULL) {
        buffer_printf(&text, "; %s", remark);
    }
    return buffer_take(&text);
}
