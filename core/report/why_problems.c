/* SPDX-License-Identifier: PostgreSQL */
/* `why`: what is wrong with a job, apart from its schedule. */
#include <string.h>

#include "plugin/plugins.h"
#include "report/why.h"

static void put_problem(struct buffer *text)
{
    buffer_puts(text, text->length > 0 ? "; " : "");
}

static bool state_is(const struct why_facts *facts, const char *state)
{
    const char *is = why_value(facts, WHY_PLUGIN_STATE);
    return is != NULL && strcmp(is, state) == 0;
}

/* Its relations and functions may be those of an earlier version, or missing; the leader runs its jobs all the same. */
static void say_failed(struct buffer *text, const struct why_facts *facts)
{
    const char *reason = why_value(facts, WHY_PLUGIN_REASON);
    put_problem(text);
    buffer_printf(text, "its plugin %s failed: %s; mend that, then run pgchime reload, which tries it again",
                  why_value(facts, WHY_PLUGIN), reason != NULL ? reason : "no reason was written down");
}

static void say_refused(struct buffer *text, const struct why_facts *facts, const struct finding *finding)
{
    put_problem(text);
    buffer_printf(text, "the file of its plugin %s is refused: %s: %s%s%s; mend that, then run pgchime reload",
                  why_value(facts, WHY_PLUGIN), finding->file, finding->message, finding->hint != NULL ? "; " : "",
                  finding->hint != NULL ? finding->hint : "");
}

/* Of a job that waits for none, nothing follows from it. */
static void say_unheard(struct buffer *text, const struct why_facts *facts)
{
    struct wakers wakers = wakers_of_row(&facts->rows, 0, WHY_WAKERS);
    struct buffer events = {0};
    char since[INSTANT_TEXT_SIZE];
    instant at = why_instant(facts, WHY_WATCH_SINCE);
    put_events(&events, &wakers);
    if (at != INSTANT_NONE && events.length > 0) {
        put_problem(text);
        buffer_printf(text,
                      "degraded: events are not heard since %s: %s; it runs every 10 s until they are, which needs a "
                      "session of its own",
                      instant_format(at - at % USEC_PER_SEC, since), why_value(facts, WHY_WATCH_REASON));
    }
    buffer_finish(&events);
}

static void say_upstreams(struct buffer *text, const struct why_facts *facts)
{
    for (size_t i = 0; i < facts->upstream_count; i++) {
        const struct why_upstream *upstream = &facts->upstreams[i];
        if (upstream->absence != NULL) {
            put_problem(text);
            buffer_printf(text, "it comes after %s, which is %s: no run of it is waited for", upstream->name,
                          upstream->absence);
        }
    }
}

static void say_ahead(struct buffer *text, const struct why_facts *facts)
{
    char until[INSTANT_TEXT_SIZE];
    if (why_value(facts, WHY_AHEAD) != NULL) {
        put_problem(text);
        buffer_printf(text,
                      "it is decided up to %s: the clock was ahead, and nothing of it is due until then; to begin from "
                      "now: SELECT chime.begin_anew(%s)",
                      instant_format(facts->cursor - facts->cursor % USEC_PER_SEC, until), why_value(facts, WHY_AHEAD));
    }
}

void why_say_problems(struct buffer *text, const struct why_facts *facts, const struct report *report)
{
    const char *plugin = why_value(facts, WHY_PLUGIN);
    if (state_is(facts, "failed")) {
        say_failed(text, facts);
    }
    for (size_t i = 0; plugin != NULL && report != NULL && i < report->count; i++) {
        if (finding_is_of_plugin(&report->findings[i], plugin)) {
            say_refused(text, facts, &report->findings[i]);
        }
    }
    say_upstreams(text, facts);
    say_unheard(text, facts);
    say_ahead(text, facts);
    if (why_value(facts, WHY_FAILURE) != NULL) {
        put_problem(text);
        buffer_printf(text, "it fails: %s; it is tried again, up to backoff.max (an hour) after its last try",
                      why_value(facts, WHY_FAILURE));
    }
}
