/* SPDX-License-Identifier: PostgreSQL */
#include "plugin/declaration_check.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "base/sqltext.h"
#include "base/text.h"
#include "plugin/vet.h"

/* --- the plugin itself --- */

static bool version_valid(const char *version)
{
    size_t length = strspn(version, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.+~_-");
    return length >= 1 && length <= 63 && version[length] == '\0';
}

static bool check_version(struct check *check, const char *place, const char *member, const char *version)
{
    return check_given(check, place, member, version) &&
           (version_valid(version) || check_fail(check, "a version is 1 to 63 of letters, digits and . + ~ _ -",
                                                 "%s: %s \"%.80s\" is not a version", place, member, version));
}

/* The daemon does not take the plugin host's word for the name. A file of conf.d is no plugin's. */
static bool name_is_of_file(const char *name, const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *base = slash == NULL ? file : slash + 1;
    size_t length = vet_name_length(base);
    return length == 0 || (strlen(name) == length && strncmp(base, name, length) == 0);
}

static bool check_identity(struct check *check)
{
    const struct chime_plugin *plugin = check->plugin;
    struct declaration *declaration = check->declaration;
    declaration->name = plugin->name;
    declaration->version = plugin->version;
    declaration->summary = plugin->summary == NULL ? "" : plugin->summary;
    if (!check_name(check, "plugin", "name", plugin->name, &rule_key) ||
        !check_version(check, "plugin", "version", plugin->version)) {
        return false;
    }
    if (!name_is_of_file(plugin->name, declaration->file)) {
        return check_fail(check, "rename the file, or change .name", "plugin: name is \"%s\", but the file is %s",
                          plugin->name, declaration->file);
    }
    if (strpbrk(declaration->summary, "\r\n") != NULL) {
        return check_fail(check, "say it in one line", "plugin: summary has a line break");
    }
    return plugin->views.count + plugin->jobs.count + plugin->functions.count > 0 ||
           check_fail(check, "declare at least one view, job or function", "plugin: it declares no work");
}

/* --- sources --- */

/* What is captured must exist as well: `columns` gains what only `capture` names. */
static void add_captured(struct arena *arena, struct declared_source *source)
{
    size_t count = source->columns.count;
    const char **columns = arena_alloc(arena, (count + source->capture.count) * sizeof(*columns));
    for (size_t i = 0; i < count; i++) {
        columns[i] = source->columns.items[i];
    }
    const char **sorted = arena_alloc(arena, count * sizeof(*sorted));
    memcpy(sorted, columns, count * sizeof(*sorted));
    names_sort(sorted, source->columns.count);
    for (size_t i = 0; i < source->capture.count; i++) {
        if (!names_contain(sorted, source->columns.count, source->capture.items[i])) {
            columns[count++] = source->capture.items[i];
        }
    }
    source->columns = (struct names){columns, count};
}

static bool check_source(struct check *check, size_t index, const struct chime_source *from, struct declared_source *to)
{
    char place[CHECK_PLACE_SIZE];
    check_place(place, "sources", index, from->table);
    *to = (struct declared_source){.table = from->table, .map = from->map};
    if (!check_name(check, place, "table", from->table, &rule_catalog) ||
        !check_names(check, place, "columns", from->columns, &rule_catalog, &to->columns) ||
        !check_names(check, place, "capture", from->capture, &rule_catalog, &to->capture) ||
        !check_names(check, place, "views", from->views, &rule_relation, &to->views)) {
        return false;
    }
    if (to->map != NULL && to->capture.count == 0) {
        return check_fail(check, "name the captured columns in .capture, or leave .map out",
                          "%s: map is given, but nothing is captured", place);
    }
    if (from->trust != NULL && strcmp(from->trust, "true") != 0 && strcmp(from->trust, "false") != 0) {
        return check_fail(check, "write .trust = \"true\", or leave it out", "%s: trust is \"%s\"", place, from->trust);
    }
    to->trust = from->trust != NULL && strcmp(from->trust, "true") == 0;
    if (to->trust && to->capture.count == 0) {
        return check_fail(check, "name the captured columns in .capture, or leave .trust out",
                          "%s: trust is given, but nothing is captured", place);
    }
    add_captured(check->arena, to);
    return true;
}

static bool check_sources(struct check *check)
{
    const struct chime_list *list = &check->plugin->sources;
    const struct chime_source *from = list->items;
    struct declared_source *to = arena_alloc(check->arena, list->count * sizeof(*to));
    for (size_t i = 0; i < list->count; i++) {
        if (!check_source(check, i, &from[i], &to[i])) {
            return false;
        }
    }
    check->declaration->sources = to;
    check->declaration->source_count = list->count;
    return true;
}

bool source_is_for(const struct declared_source *source, const char *relation)
{
    for (size_t i = 0; i < source->views.count; i++) {
        if (strcmp(source->views.items[i], relation) == 0) {
            return true;
        }
    }
    return source->views.count == 0;
}

static bool check_views_of_source(struct check *check, size_t index, const char *const *views)
{
    const struct declared_source *source = &check->declaration->sources[index];
    char place[CHECK_PLACE_SIZE];
    check_place(place, "sources", index, source->table);
    for (size_t i = 0; i < source->views.count; i++) {
        if (!names_contain(views, check->declaration->view_count, source->views.items[i])) {
            return check_fail(check, "name relations of this plugin's own views, or leave .views out",
                              "%s: \"%s\" is no view of this plugin", place, source->views.items[i]);
        }
    }
    return true;
}

static int compare_tables(const void *left, const void *right)
{
    const struct declared_source *const *one = left;
    const struct declared_source *const *other = right;
    return strcmp((*one)->table, (*other)->table);
}

/* Sources of one table must be for different views: each view has one way from a table to its grain. */
static bool check_same_table(struct check *check, const struct declared_source *const *sources, size_t count)
{
    size_t view_count = 0;
    bool for_all = false;
    for (size_t i = 0; i < count; i++) {
        view_count += sources[i]->views.count;
        for_all = for_all || sources[i]->views.count == 0;
    }
    if (for_all) {
        return count == 1 || check_fail(check, "declare it once, or name in .views which views each one is for",
                                        "sources: the table \"%s\" is declared twice", sources[0]->table);
    }
    const char **views = arena_alloc(check->arena, view_count * sizeof(*views));
    for (size_t i = 0, filled = 0; i < count; filled += sources[i++]->views.count) {
        memcpy(views + filled, sources[i]->views.items, sources[i]->views.count * sizeof(*views));
    }
    const char *twice = names_sort(views, view_count);
    return twice == NULL ||
           check_fail(check, "name each view in one of them",
                      "sources: the table \"%s\" is declared twice for view \"%s\"", sources[0]->table, twice);
}

static bool check_tables(struct check *check)
{
    const struct declaration *declaration = check->declaration;
    size_t count = declaration->source_count;
    const struct declared_source **sorted = arena_alloc(check->arena, count * sizeof(*sorted));
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &declaration->sources[i];
    }
    if (count > 0) {
        qsort(sorted, count, sizeof(*sorted), compare_tables);
    }
    for (size_t start = 0, end = 0; start < count; start = end) {
        while (end < count && strcmp(sorted[end]->table, sorted[start]->table) == 0) {
            end++;
        }
        if (!check_same_table(check, sorted + start, end - start)) {
            return false;
        }
    }
    return true;
}

/* What sources say of views; after check_views. */
static bool check_source_views(struct check *check)
{
    const struct declaration *declaration = check->declaration;
    const char **views = arena_alloc(check->arena, declaration->view_count * sizeof(*views));
    for (size_t i = 0; i < declaration->view_count; i++) {
        views[i] = declaration->views[i].relation;
    }
    names_sort(views, declaration->view_count);
    for (size_t i = 0; i < declaration->source_count; i++) {
        if (!check_views_of_source(check, i, views)) {
            return false;
        }
    }
    return check_tables(check);
}

/* --- functions --- */

/* NAME(...): the rest is the server's to judge. */
static bool signature_valid(const char *signature)
{
    size_t name_length = strcspn(signature, "(");
    char name[64];
    if (name_length >= sizeof(name) || signature[name_length] == '\0' || signature[strlen(signature) - 1] != ')') {
        return false;
    }
    memcpy(name, signature, name_length);
    name[name_length] = '\0';
    return rule_identifier.valid(name);
}

static bool check_function(struct check *check, size_t index, const struct chime_function *from)
{
    char place[CHECK_PLACE_SIZE];
    check_place(place, "functions", index, from->signature);
    if (!check_given(check, place, "signature", from->signature) ||
        !check_given(check, place, "definition", from->definition)) {
        return false;
    }
    return signature_valid(from->signature) ||
           check_fail(check, "write it as DROP FUNCTION takes it, such as \"lane_distributions(uuid, integer)\"",
                      "%s: signature is not NAME(types)", place);
}

static bool check_functions(struct check *check)
{
    const struct chime_list *list = &check->plugin->functions;
    const struct chime_function *from = list->items;
    struct declared_function *to = arena_alloc(check->arena, list->count * sizeof(*to));
    const char **signatures = arena_alloc(check->arena, list->count * sizeof(*signatures));
    for (size_t i = 0; i < list->count; i++) {
        if (!check_function(check, i, &from[i])) {
            return false;
        }
        to[i] = (struct declared_function){.signature = from[i].signature, .definition = from[i].definition};
        signatures[i] = to[i].signature;
    }
    check->declaration->functions = to;
    check->declaration->function_count = list->count;
    return check_unique(check, "functions: the function", signatures, list->count);
}

/* --- what is kept as the ABI gives it --- */

static bool is_source(const struct declaration *declaration, const char *table)
{
    for (size_t i = 0; i < declaration->source_count; i++) {
        if (strcmp(declaration->sources[i].table, table) == 0) {
            return true;
        }
    }
    return false;
}

static bool check_channel(struct check *check, size_t index, const struct chime_channel *channel)
{
    char place[CHECK_PLACE_SIZE];
    check_place(place, "channels", index, channel->name);
    if (!check_name(check, place, "name", channel->name, &rule_catalog) ||
        !check_name(check, place, "table", channel->table, &rule_catalog) ||
        !check_given(check, place, "definition", channel->definition)) {
        return false;
    }
    return is_source(check->declaration, channel->table) ||
           check_fail(check, "declare the table under .sources", "%s: table \"%s\" is no source of this plugin", place,
                      channel->table);
}

static bool check_channels(struct check *check)
{
    const struct chime_list *list = &check->plugin->channels;
    const struct chime_channel *channels = list->items;
    const char **names = arena_alloc(check->arena, list->count * sizeof(*names));
    for (size_t i = 0; i < list->count; i++) {
        if (!check_channel(check, i, &channels[i])) {
            return false;
        }
        names[i] = channels[i].name;
    }
    check->declaration->channels = channels;
    check->declaration->channel_count = list->count;
    return check_unique(check, "channels: the channel", names, list->count);
}

/* "> 100": what a page compares the first column with. */
static bool limit_valid(const char *limit)
{
    static const char *const operators[] = {">=", "<=", "<>", ">", "<", "="};
    for (size_t i = 0; i < COUNT_OF(operators); i++) {
        size_t length = strlen(operators[i]);
        if (strncmp(limit, operators[i], length) == 0) {
            const char *number = limit + length + strspn(limit + length, " ");
            char *end = NULL;
            (void)strtod(number, &end);
            return number[strspn(number, "0123456789.-")] == '\0' && end != number && *end == '\0';
        }
    }
    return false;
}

static bool check_limit(struct check *check, const char *place, const char *member, const char *limit)
{
    return limit == NULL || limit_valid(limit) ||
           check_fail(check, "write an operator and a number, such as \"> 100\"", "%s: %s \"%.80s\" is no bound", place,
                      member, limit);
}

static bool check_choices(struct check *check, const char *place, const struct chime_tile *tile)
{
    bool uses = sqltext_uses_parameters(tile->query);
    if (uses && tile->choices == NULL) {
        return check_fail(check, "give .choices, a SELECT of value and label, or take it out of the query",
                          "%s: query has a parameter, but there are no choices", place);
    }
    return uses || tile->choices == NULL ||
           check_fail(check, "write $1, a text, where the query needs what was chosen, or leave .choices out",
                      "%s: choices is given, but query has no $1", place);
}

static bool check_bound(struct check *check, const char *place, const char *bound)
{
    duration length = 0;
    struct error fault = {.kind = ERROR_NONE};
    if (bound == NULL || (duration_parse(bound, &length, &fault) && length > 0)) {
        return true;
    }
    return check_fail(check, fault.kind != ERROR_NONE ? fault.hint : "write .bound = \"100ms\"", "%s: bound: %s", place,
                      fault.kind != ERROR_NONE ? fault.message : "it is no length of time");
}

static bool check_tile(struct check *check, size_t index, const struct chime_tile *tile)
{
    static const char *const draws[] = {"number", "table", "line", "bars", "box"};
    char place[CHECK_PLACE_SIZE];
    const char *draw = tile->draw;
    check_place(place, "tiles", index, tile->title);
    if (!check_given(check, place, "title", tile->title) || !check_given(check, place, "query", tile->query) ||
        !check_word(check, place, "draw", &draw, NULL, draws, COUNT_OF(draws)) ||
        !check_limit(check, place, "warn", tile->warn) || !check_limit(check, place, "critical", tile->critical) ||
        !check_choices(check, place, tile) || !check_bound(check, place, tile->bound)) {
        return false;
    }
    return tile->state == NULL || strcmp(draw, "table") == 0 ||
           check_fail(check, "take .state out, or write .draw = \"table\"", "%s: state is given, but it draws no table",
                      place);
}

static bool check_tiles(struct check *check)
{
    const struct chime_list *list = &check->plugin->tiles;
    const struct chime_tile *tiles = list->items;
    for (size_t i = 0; i < list->count; i++) {
        if (!check_tile(check, i, &tiles[i])) {
            return false;
        }
    }
    check->declaration->tiles = tiles;
    check->declaration->tile_count = list->count;
    return true;
}

static bool check_alert(struct check *check, size_t index, const struct chime_alert *alert)
{
    static const char *const severities[] = {"info", "warning", "critical"};
    char place[CHECK_PLACE_SIZE];
    const char *severity = alert->severity;
    check_place(place, "alerts", index, alert->name);
    if (!check_name(check, place, "name", alert->name, &rule_key) ||
        !check_given(check, place, "condition", alert->condition) ||
        !check_word(check, place, "severity", &severity, NULL, severities, COUNT_OF(severities))) {
        return false;
    }
    duration hold = 0;
    struct error fault = {.kind = ERROR_NONE};
    return alert->hold == NULL || duration_parse(alert->hold, &hold, &fault) ||
           check_fail(check, fault.hint, "%s: hold: %s", place, fault.message);
}

static bool check_alerts(struct check *check)
{
    const struct chime_list *list = &check->plugin->alerts;
    const struct chime_alert *alerts = list->items;
    const char **names = arena_alloc(check->arena, list->count * sizeof(*names));
    for (size_t i = 0; i < list->count; i++) {
        if (!check_alert(check, i, &alerts[i])) {
            return false;
        }
        names[i] = alerts[i].name;
    }
    check->declaration->alerts = alerts;
    check->declaration->alert_count = list->count;
    return check_unique(check, "alerts: the alert", names, list->count);
}

static bool check_upgrade(struct check *check, size_t index, const struct chime_upgrade *upgrade)
{
    char place[CHECK_PLACE_SIZE];
    check_place(place, "upgrades", index, upgrade->from_version);
    if (!check_version(check, place, "from_version", upgrade->from_version) ||
        !check_given(check, place, "statements", upgrade->statements)) {
        return false;
    }
    return strcmp(upgrade->from_version, check->declaration->version) != 0 ||
           check_fail(check, "an upgrade starts from an older version; raise .version with what it brings",
                      "%s: from_version is the plugin's own version", place);
}

static bool check_upgrades(struct check *check)
{
    const struct chime_list *list = &check->plugin->upgrades;
    const struct chime_upgrade *upgrades = list->items;
    const char **versions = arena_alloc(check->arena, list->count * sizeof(*versions));
    for (size_t i = 0; i < list->count; i++) {
        if (!check_upgrade(check, i, &upgrades[i])) {
            return false;
        }
        versions[i] = upgrades[i].from_version;
    }
    check->declaration->upgrades = upgrades;
    check->declaration->upgrade_count = list->count;
    return check_unique(check, "upgrades: the version", versions, list->count);
}

bool declaration_check(struct declaration *declaration, const struct chime_plugin *plugin, struct error *err)
{
    struct check check = {.arena = declaration->arena, .plugin = plugin, .declaration = declaration, .err = err};
    return check_identity(&check) && check_sources(&check) && check_views(&check) && check_source_views(&check) &&
           check_jobs(&check) && check_functions(&check) && check_channels(&check) && check_tiles(&check) &&
           check_alerts(&check) && check_settings(&check) && check_upgrades(&check);
}
