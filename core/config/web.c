/* SPDX-License-Identifier: PostgreSQL */
#include "config/web.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "config/file.h"
#include "config/name_list.h"
#include "config/source.h"

#define DEFAULT_LISTEN "127.0.0.1:8743"
#define TEXT_MAX 200

const char *const web_role_names[] = {"none", "tiles", "view", "operate", NULL};

/* The readers get a struct reader alone, whose config is the first of this. */
struct web_reader {
    struct reader reader;
    struct web_config *web;
};

static struct web_config *web_of(struct reader *reader)
{
    return ((struct web_reader *)reader)->web;
}

bool web_role_find(const char *name, enum web_role *role)
{
    for (size_t i = 0; web_role_names[i] != NULL; i++) {
        if (strcmp(web_role_names[i], name) == 0) {
            *role = (enum web_role)i;
            return true;
        }
    }
    return false;
}

static enum web_role read_role(struct reader *reader, const config_setting_t *group, const char *key, const char *owner,
                               enum web_role standard)
{
    const char *name = setting_string(reader, group, key, owner);
    enum web_role role = standard;
    if (name != NULL && !web_role_find(name, &role)) {
        reader_report(reader, config_setting_get_member(group, key), "choose one of: none, tiles, view, operate",
                      "\"%s\" of %s: there is no role \"%s\"", key, owner, reader_shown(reader, name));
    }
    return role;
}

/* Printable ASCII without blanks. */
static bool is_plain(const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x21 || text[i] == 0x7f) {
            return false;
        }
    }
    return length > 0 && length <= TEXT_MAX;
}

static const struct name_list places = {"listen", is_plain, "an address to listen at",
                                        "write \"127.0.0.1:8743\" or \"unix:/run/pgchime-web/http.sock\""};

static void read_listen(struct reader *reader, const config_setting_t *setting)
{
    struct web_config *web = web_of(reader);
    web->listen = name_list_read(reader, setting, &places, "web.conf", &web->listen_count);
    web->listen_line = reader_line(reader, setting);
    if (config_setting_is_aggregate(setting) != CONFIG_FALSE && setting_count(setting) == 0) {
        reader_report(reader, setting, places.hint, "\"listen\" names no address");
    }
}

static void read_url(struct reader *reader, const config_setting_t *setting)
{
    const char *url = setting_string(reader, config_setting_parent(setting), "url", "web.conf");
    if (url == NULL) {
        return;
    }
    const char *name = strncmp(url, "https://", 8) == 0 ? url + 8 : strncmp(url, "http://", 7) == 0 ? url + 7 : "";
    size_t length = strcspn(name, "/");
    if (!is_plain(url) || length == 0 || memchr(name, '@', length) != NULL) {
        reader_report(reader, setting, "write url = \"https://cron.example.com/\";",
                      "\"url\" is no address of a page: %s", reader_shown(reader, url));
        return;
    }
    web_of(reader)->url = url;
}

/* --- access ------------------------------------------------------------------------------------------------------- */

static const struct setting_key peer_keys[] = {
    {"user", SETTING_STRING}, {"group", SETTING_STRING}, {"role", SETTING_STRING}};
static const struct setting_table peer_table = {peer_keys, COUNT_OF(peer_keys)};

static bool read_peer(struct reader *reader, const config_setting_t *group, struct web_peer *peer)
{
    static const char owner[] = "an entry of \"peer\"";
    struct setting_key entry = {"entry", SETTING_GROUP};
    if (!setting_accept(reader, group, &entry, "\"peer\"")) {
        return false;
    }
    settings_check(reader, group, &peer_table, owner);
    *peer = (struct web_peer){.user = setting_string(reader, group, "user", owner),
                              .group = setting_string(reader, group, "group", owner),
                              .role = read_role(reader, group, "role", owner, WEB_NONE),
                              .line = reader_line(reader, group)};
    if ((peer->user == NULL) == (peer->group == NULL) || peer->role == WEB_NONE) {
        reader_report(reader, group,
                      "write { user = \"alice\"; role = \"view\"; } or { group = \"ops\"; role = \"view\"; }",
                      "%s needs either \"user\" or \"group\", and \"role\"", owner);
        return false;
    }
    return true;
}

static void read_peers(struct reader *reader, const config_setting_t *list)
{
    if (list == NULL || config_setting_is_list(list) == CONFIG_FALSE) {
        return;
    }
    size_t count = setting_count(list);
    struct web_peer *peers = arena_alloc(reader->arena, (count + 1) * sizeof(*peers));
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        kept += read_peer(reader, setting_at(list, i), &peers[kept]) ? 1 : 0;
    }
    web_of(reader)->peers = peers;
    web_of(reader)->peer_count = kept;
}

static const struct setting_key proxy_keys[] = {
    {"from", SETTING_NAMES}, {"user_header", SETTING_STRING}, {"role", SETTING_STRING}};
static const struct setting_table proxy_table = {proxy_keys, COUNT_OF(proxy_keys)};
static const struct name_list senders = {"from", is_plain, "an address",
                                         "write \"unix\", or an address as \"10.0.0.1\""};

/* As names of fields are compared. */
static const char *read_header(struct reader *reader, const config_setting_t *group, const char *owner)
{
    const char *name = setting_string(reader, group, "user_header", owner);
    if (name == NULL) {
        return NULL;
    }
    char *lower = arena_strdup(reader->arena, name);
    for (char *at = lower; *at != '\0'; at++) {
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
    }
    if (lower[strspn(lower, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0') {
        reader_report(reader, config_setting_get_member(group, "user_header"), "write user_header = \"X-Remote-User\";",
                      "\"user_header\" of %s is no name of a field", owner);
    }
    return lower;
}

static void read_proxy(struct reader *reader, const config_setting_t *group)
{
    static const char owner[] = "\"proxy\"";
    struct web_proxy *proxy = &web_of(reader)->proxy;
    if (group == NULL || config_setting_is_group(group) == CONFIG_FALSE) {
        return;
    }
    settings_check(reader, group, &proxy_table, owner);
    const config_setting_t *from = config_setting_get_member(group, "from");
    if (from != NULL && (config_setting_type(from) == CONFIG_TYPE_STRING || config_setting_is_aggregate(from))) {
        proxy->from = name_list_read(reader, from, &senders, owner, &proxy->from_count);
    }
    proxy->user_header = read_header(reader, group, owner);
    proxy->role = read_role(reader, group, "role", owner, WEB_NONE);
    if (proxy->from_count == 0 || proxy->user_header == NULL || proxy->role == WEB_NONE) {
        reader_report(reader, group,
                      "write proxy: { from = [\"unix\"]; user_header = \"X-Remote-User\"; role = \"view\"; };",
                      "%s needs \"from\", \"user_header\" and \"role\"", owner);
    }
}

/* "main/approval_queue/0": its number as paths have it. */
static bool is_tile(const char *text)
{
    const char *first = strchr(text, '/');
    const char *last = strrchr(text, '/');
    int64_t number;
    return is_plain(text) && first != NULL && first != text && last > first + 1 &&
           memchr(first + 1, '/', (size_t)(last - first - 1)) == NULL && parse_int64(last + 1, 0, INT32_MAX, &number) &&
           (last[1] != '0' || last[2] == '\0');
}

static const struct name_list tiles = {"public_tiles", is_tile, "a tile",
                                       "write \"DATABASE/PLUGIN/NUMBER\", as \"main/approval_queue/0\""};

static void read_public_tiles(struct reader *reader, const config_setting_t *group)
{
    struct web_config *web = web_of(reader);
    const config_setting_t *setting = config_setting_get_member(group, "public_tiles");
    if (setting != NULL &&
        (config_setting_type(setting) == CONFIG_TYPE_STRING || config_setting_is_aggregate(setting))) {
        web->public_tiles = name_list_read(reader, setting, &tiles, "\"access\"", &web->public_tile_count);
        web->public_tiles_line = reader_line(reader, setting);
    }
}

/* Once the databases are known. */
static void check_public_tiles(const struct web_config *web, struct report *report)
{
    for (size_t i = 0; i < web->public_tile_count; i++) {
        const char *tile = web->public_tiles[i];
        char *database = xstrndup(tile, strcspn(tile, "/"));
        if (config_find_database(web->config, database) == NULL) {
            report_add(report, web->config->file, web->public_tiles_line, "name one that \"databases\" has",
                       "\"public_tiles\" of \"access\": there is no database \"%s\"", database);
        }
        free(database);
    }
}

bool web_tile_is_public(const struct web_config *web, const char *database, const char *plugin, const char *number)
{
    size_t length = strlen(database);
    size_t plugin_length = strlen(plugin);
    for (size_t i = 0; i < web->public_tile_count; i++) {
        const char *tile = web->public_tiles[i];
        if (strncmp(tile, database, length) == 0 && tile[length] == '/' &&
            strncmp(tile + length + 1, plugin, plugin_length) == 0 && tile[length + 1 + plugin_length] == '/' &&
            strcmp(tile + length + plugin_length + 2, number) == 0) {
            return true;
        }
    }
    return false;
}

static const struct setting_key access_keys[] = {{"tokens_file", SETTING_STRING}, {"public_tiles", SETTING_NAMES},
                                                 {"peer", SETTING_LIST},          {"proxy", SETTING_GROUP},
                                                 {"anonymous", SETTING_STRING},   {"show_commands", SETTING_STRING}};
static const struct setting_table access_table = {access_keys, COUNT_OF(access_keys)};

static void read_anonymous(struct reader *reader, const config_setting_t *group)
{
    struct web_config *web = web_of(reader);
    const config_setting_t *setting = config_setting_get_member(group, "anonymous");
    web->anonymous = read_role(reader, group, "anonymous", "\"access\"", WEB_NONE);
    if (setting == NULL || web->anonymous == WEB_NONE) {
        return;
    }
    web->anonymous_line = reader_line(reader, setting);
    if (web->anonymous == WEB_OPERATE) {
        reader_report(reader, setting, "give those who act a token: pgchime web token NAME --role operate",
                      "nobody operates without a name");
    }
    if (web->proxy.from_count > 0) {
        reader_report(reader, setting, "remove one of the two",
                      "behind a proxy everybody comes from this machine: \"anonymous\" would let all of them in");
    }
}

static void read_show_commands(struct reader *reader, const config_setting_t *group)
{
    struct web_config *web = web_of(reader);
    web->show_commands = read_role(reader, group, "show_commands", "\"access\"", WEB_VIEW);
    if (web->show_commands < WEB_VIEW) {
        reader_report(reader, config_setting_get_member(group, "show_commands"), "write show_commands = \"operate\";",
                      "\"show_commands\" of \"access\" is \"view\" or \"operate\"");
    }
}

static void read_access(struct reader *reader, const config_setting_t *group)
{
    settings_check(reader, group, &access_table, "\"access\"");
    web_of(reader)->tokens_file = setting_path(reader, group, "tokens_file", "\"access\"");
    read_peers(reader, config_setting_get_member(group, "peer"));
    read_proxy(reader, config_setting_get_member(group, "proxy"));
    read_anonymous(reader, group);
    read_show_commands(reader, group);
    read_public_tiles(reader, group);
}

static void read_actions(struct reader *reader, const config_setting_t *setting)
{
    web_of(reader)->actions = config_setting_get_bool(setting) != CONFIG_FALSE;
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static const struct setting_key keys[] = {{"listen", SETTING_NAMES},    {"databases", SETTING_GROUP},
                                          {"url", SETTING_STRING},      {"access", SETTING_GROUP},
                                          {"actions", SETTING_BOOLEAN}, {"metrics_jobs", SETTING_COUNT_OR_NAMES}};
static read_function *const readers[] = {read_listen, databases_read, read_url,
                                         read_access, read_actions,   metrics_jobs_read};
static const struct file_kind web_file = {"web.conf", {keys, COUNT_OF(keys)}, readers, ""};

static struct web_config *start(const char *file)
{
    static const char *const standard[] = {DEFAULT_LISTEN};
    struct arena *arena = arena_create();
    struct web_config *web = arena_alloc(arena, sizeof(*web));
    struct config *config = arena_alloc(arena, sizeof(*config));
    *config = (struct config){.arena = arena,
                              .job_texts = arena_create(),
                              .file = arena_strdup(arena, file),
                              .metrics_jobs.most = METRICS_JOBS_DEFAULT,
                              .complete = true,
                              .databases_sound = true,
                              .databases_named = true};
    *web = (struct web_config){.config = config, .listen = standard, .listen_count = 1, .show_commands = WEB_VIEW};
    return web;
}

struct web_config *web_config_load(const char *file, struct report *report)
{
    size_t findings_before = report->count;
    struct web_config *web = start(file);
    struct arena *arena = web->config->arena;
    struct web_reader reader = {
        .reader = {.config = web->config, .arena = arena, .report = report, .folder = file_folder(arena, file)},
        .web = web};
    source_judge_folder(reader.reader.folder, report);
    file_read(
        &reader.reader, &web_file, file,
        "write it (it says at least: databases: { main: { conninfo = \"...\"; }; };) or name another with --config");
    if (report->count == findings_before && web->config->database_count == 0) {
        report_add(report, web->config->file, 0, "write databases: { main: { conninfo = \"...\"; }; };",
                   "no database is named");
    }
    if (web->actions && web->anonymous != WEB_NONE) {
        report_add(report, web->config->file, web->anonymous_line,
                   "remove one of the two, and give those who look tokens, too",
                   "with \"actions\" nobody is let in without a name: \"anonymous\" would do that");
    }
    if (report->count == findings_before) {
        check_public_tiles(web, report);
    }
    if (report->count != findings_before) {
        web_config_free(web);
        return NULL;
    }
    return web;
}

void web_config_free(struct web_config *web)
{
    if (web != NULL) {
        config_free(web->config); /* its arena holds all of it */
    }
}
