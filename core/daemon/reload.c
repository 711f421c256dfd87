/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/reload.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "loop/child.h"
#include "plugin/set_text.h"

#define DESCRIBE_WITHIN (60 * USEC_PER_SEC)
#define TAKE_OVER_WITHIN (10 * USEC_PER_SEC) /* how long an answer waits for the databases */

/* One round: IDLE -> DESCRIBING -> APPLYING -> IDLE, or back to IDLE from anywhere when something is wrong. */
enum round { ROUND_IDLE, ROUND_DESCRIBING, ROUND_APPLYING };

struct callers {
    struct control_caller **items;
    size_t count;
};

struct reload {
    struct loop *loop;
    const struct reload_handlers *handlers;
    void *data;
    enum round round;
    struct config *config; /* read in this round, until a snapshot has it */
    struct report report;
    struct child *child;
    struct loop_timer *timer;
    size_t job_count; /* of what was applied */
    size_t plugin_count;
    struct catalog_changes changes; /* that this round brings */
    struct callers waiting;         /* for the end of this round */
    struct callers next;            /* for a round after it */
    const char *next_why;           /* NULL: nobody asked for another */
};

static void begin(void *data);

/* --- answers ------------------------------------------------------------------------------------------------------ */

static char *answer_text(const struct reload *reload, bool ok)
{
    json_t *findings = json_array();
    for (size_t i = 0; i < reload->report.count; i++) {
        const struct finding *finding = &reload->report.findings[i];
        json_array_append_new(findings, json_pack("{s:s?, s:i, s:s, s:s?}", "file", finding->file, "line",
                                                  finding->line, "message", finding->message, "hint", finding->hint));
    }
    json_t *changes = json_array();
    for (size_t i = 0; i < reload->changes.line_count; i++) {
        json_array_append_new(changes, json_string(reload->changes.lines[i]));
    }
    json_t *root = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "ok", ok, "jobs",
                             (json_int_t)reload->job_count, "plugins", (json_int_t)reload->plugin_count, "added",
                             (json_int_t)reload->changes.added, "changed", (json_int_t)reload->changes.changed,
                             "removed", (json_int_t)reload->changes.removed, "changes", changes, "findings", findings);
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static void end_round(struct reload *reload, bool ok)
{
    char *text = answer_text(reload, ok);
    for (size_t i = 0; i < reload->waiting.count; i++) {
        control_answer(reload->waiting.items[i], text);
    }
    free(text);
    catalog_changes_finish(&reload->changes);
    reload->waiting.count = 0;
    reload->round = ROUND_IDLE;
    loop_timer_clear(reload->timer);
    child_destroy(reload->child);
    reload->child = NULL;
    config_free(reload->config);
    reload->config = NULL;
    report_finish(&reload->report);
    reload->handlers->ended(reload->data, ok);
    if (reload->next_why != NULL) {
        loop_defer(reload->loop, begin, reload);
    }
}

static void refuse(struct reload *reload)
{
    report_sort(&reload->report);
    log_findings(&reload->report, "configuration");
    log_warning("reload refused: %zu finding%s; what was in force stays", reload->report.count,
                reload->report.count == 1 ? "" : "s");
    end_round(reload, false);
}

/* --- a round ------------------------------------------------------------------------------------------------------ */

/* A plugin that is described now has no finding, so a finding at the file of an old one means that it went bad. */
static bool spoils_a_plugin(const struct reload *reload)
{
    const struct plugin_set *old = reload->handlers->current(reload->data)->plugins;
    for (size_t i = 0; i < old->count; i++) {
        for (size_t n = 0; n < reload->report.count; n++) {
            const char *file = reload->report.findings[n].file;
            if (file != NULL && strcmp(file, old->plugins[i]->file) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void patience_over(void *data)
{
    struct reload *reload = data;
    static const char late[] = "a database has not taken the new catalog over yet; it does when it can";
    log_warning("reload: %s", late);
    report_add(&reload->report, NULL, 0, "pgchime status has what became of it", "%s", late);
    end_round(reload, true);
}

static void apply(struct reload *reload, struct plugin_set *plugins)
{
    bool spoiled = spoils_a_plugin(reload);
    struct catalog *catalog = catalog_build(reload->config, plugins, &reload->report);
    if (catalog == NULL || spoiled) {
        catalog_destroy(catalog);
        plugin_set_destroy(plugins);
        refuse(reload);
        return;
    }
    log_findings(&reload->report, "configuration");
    catalog_changes_list(reload->handlers->current(reload->data)->catalog, catalog, &reload->changes);
    config_forget_jobs(reload->config);
    memory_release();
    struct snapshot *next = snapshot_create(reload->config, plugins, catalog);
    reload->config = NULL;
    reload->round = ROUND_APPLYING;
    reload->job_count = catalog->job_count;
    reload->plugin_count = catalog->plugin_count;
    loop_timer_set(reload->timer, TAKE_OVER_WITHIN);
    reload->handlers->apply(reload->data, next);
    snapshot_drop(next);
}

static void described(void *data, const struct buffer *output, const char *fault)
{
    struct reload *reload = data;
    struct error err;
    struct plugin_set *plugins = NULL;
    if (fault != NULL) {
        error_set(&err, ERROR_FAILED, "the plugins could not be described: %s", fault);
    } else {
        plugins = plugin_set_decode(buffer_text(output), output->length, &reload->report, &err);
    }
    if (plugins == NULL) {
        report_add(&reload->report, reload->config->plugin_dir, 0, NULL, "%s", err.message);
        refuse(reload);
    } else {
        apply(reload, plugins);
    }
}

static void describe(struct reload *reload)
{
    char *const arguments[] = {"/proc/self/exe", PLUGIN_SET_COMMAND, (char *)reload->config->plugin_dir, NULL};
    struct child_order order = {.arguments = arguments, .limit = PLUGIN_SET_LIMIT, .time_allowed = DESCRIBE_WITHIN};
    struct error err;
    reload->round = ROUND_DESCRIBING;
    reload->child = child_start(reload->loop, &order, described, reload, &err);
    if (reload->child == NULL) {
        report_add(&reload->report, reload->config->plugin_dir, 0, NULL, "%s", err.message);
        refuse(reload);
    }
}

/* The same files say the same: nobody has to be asked. What was refused is asked again, for the finding. */
static bool plugins_are_the_same(const struct reload *reload)
{
    const struct snapshot *current = reload->handlers->current(reload->data);
    return text_same(current->config->plugin_dir, reload->config->plugin_dir) && current->plugins->refused == 0 &&
           (reload->config->plugin_dir == NULL ||
            (current->plugins->stamp != 0 && current->plugins->stamp == plugins_stamp(reload->config->plugin_dir)));
}

static void begin(void *data)
{
    struct reload *reload = data;
    if (reload->round != ROUND_IDLE || reload->next_why == NULL) {
        return;
    }
    log_info("reload: %s", reload->next_why);
    reload->handlers->began(reload->data);
    struct callers served = reload->waiting;
    reload->waiting = reload->next;
    reload->next = (struct callers){.items = served.items};
    reload->next_why = NULL;
    report_init(&reload->report);
    reload->config = config_load(reload->handlers->current(reload->data)->config->file, &reload->report);
    if (reload->config == NULL) {
        refuse(reload);
    } else if (plugins_are_the_same(reload)) {
        apply(reload, plugin_set_share(reload->handlers->current(reload->data)->plugins));
    } else if (reload->config->plugin_dir == NULL) {
        apply(reload, xcalloc(1, sizeof(struct plugin_set)));
    } else {
        describe(reload);
    }
}

void reload_ask(struct reload *reload, const char *why, struct control_caller *caller)
{
    if (caller != NULL) {
        struct callers *next = &reload->next;
        next->items = xrealloc(next->items, next->count + 1, sizeof(struct control_caller *));
        next->items[next->count++] = caller;
    }
    reload->next_why = why;
    loop_defer(reload->loop, begin, reload);
}

void reload_done(struct reload *reload)
{
    if (reload->round == ROUND_APPLYING) {
        end_round(reload, true);
    }
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct reload *reload_create(struct loop *loop, const struct reload_handlers *handlers, void *data)
{
    struct reload *reload = xcalloc(1, sizeof(*reload));
    *reload = (struct reload){.loop = loop, .handlers = handlers, .data = data};
    reload->timer = loop_timer_create(loop, patience_over, reload);
    return reload;
}

void reload_destroy(struct reload *reload)
{
    if (reload != NULL) {
        loop_forget(reload->loop, reload);
        loop_timer_destroy(reload->timer);
        child_destroy(reload->child);
        config_free(reload->config);
        report_finish(&reload->report);
        catalog_changes_finish(&reload->changes);
        free(reload->waiting.items);
        free(reload->next.items);
        free(reload);
    }
}
