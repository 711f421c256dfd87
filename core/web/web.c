/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include "web/web.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/memory.h"
#include "loop/supervisor.h"
#include "report/metrics.h"
#include "report/output.h"
#include "web/access.h"
#include "web/actions.h"
#include "web/files.h"
#include "web/page.h"
#include "web/pages.h"
#include "web/streams.h"

#define JSON_TYPE "application/json"
#define SIGN_IN "show a token: Authorization: Bearer TOKEN, or POST it to /session; pgchime web token makes one"

/* Of every answer. Nobody else may show, embed or read any of it. */
static const char common_fields[] = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
                                    "img-src 'self' data:; connect-src "
                                    "'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n"
                                    "X-Content-Type-Options: nosniff\r\n"
                                    "Referrer-Policy: no-referrer\r\n"
                                    "Cross-Origin-Opener-Policy: same-origin\r\n"
                                    "Cross-Origin-Resource-Policy: same-origin\r\n";

struct web {
    struct loop *loop;
    const struct web_config *config;
    struct access *access;
    struct files *files;
    struct pages *pages;
    struct streams *streams;
    struct actions *actions;
    struct http_server *server;
};

static bool is_path(const struct http_target *target, const char *name)
{
    return target->part_count == 1 && strcmp(target->parts[0], name) == 0;
}

/* --- /session ----------------------------------------------------------------------------------------------------- */

static void begin_session(struct web *web, struct http_request *request)
{
    json_t *body = json_loads(http_request_body(request), 0, NULL);
    const char *secret = json_string_value(json_object_get(body, "token"));
    char *fields = secret != NULL ? access_begin_session(web->access, secret) : NULL;
    if (fields != NULL) {
        http_reply(request, &(struct http_answer){.status = 204, .fields = fields});
    } else if (secret != NULL) {
        http_reply_problem(request, 401, "no such token is known", SIGN_IN, "WWW-Authenticate: Bearer\r\n");
    } else {
        http_reply_problem(request, 400, "the body has no token", "send {\"token\": \"...\"}", NULL);
    }
    free(fields);
    json_decref(body);
}

/* --- POST --------------------------------------------------------------------------------------------------------- */

static bool is_api(const struct http_target *target)
{
    return target->part_count > 2 && strcmp(target->parts[0], "api") == 0 && strcmp(target->parts[1], "v1") == 0;
}

/* Whoever asks may not act, or nobody may here. */
static void act(const struct web *web, struct http_request *request, const struct http_target *target)
{
    struct visitor visitor = access_visitor(web->access, request);
    if (visitor.role == WEB_NONE) {
        http_reply_problem(request, 401, "who asks is not known", SIGN_IN, "WWW-Authenticate: Bearer\r\n");
    } else if (visitor.role < WEB_OPERATE) {
        http_reply_problem(request, 403, "only the role operate may act", "ask for a token of the role operate", NULL);
    } else if (!web->config->actions) {
        http_reply_problem(request, 403, "this page only looks", "actions = true; in web.conf allows more", NULL);
    } else {
        actions_answer(web->actions, request, target, visitor.name);
    }
}

static void answer_post(struct web *web, struct http_request *request, const struct http_target *target)
{
    const struct http_head *head = http_request_head(request);
    const char *type = http_head_field(head, "content-type");
    if (!is_path(target, "session") && (!is_api(target) || target->part_count < 5)) {
        http_reply_problem(request, 405, "nothing is to be posted here", NULL, "Allow: GET, HEAD\r\n");
    } else if (type == NULL || strncasecmp(type, JSON_TYPE, strlen(JSON_TYPE)) != 0) {
        http_reply_problem(request, 415, "the body is no JSON", "send Content-Type: application/json", NULL);
    } else if (!access_is_from_us(head)) {
        http_reply_problem(request, 403, "this was not sent by a page of this server",
                           "programs show their token with each request and need no session", NULL);
    } else if (is_path(target, "session")) {
        begin_session(web, request);
    } else {
        act(web, request, target);
    }
}

/* --- GET ---------------------------------------------------------------------------------------------------------- */

static void refuse_visitor(struct http_request *request, enum web_role role)
{
    if (role == WEB_NONE) {
        http_reply_problem(request, 401, "who asks is not known", SIGN_IN, "WWW-Authenticate: Bearer\r\n");
    } else {
        http_reply_problem(request, 403, "the role tiles may see tiles alone",
                           "GET /api/v1/d/DATABASE/tiles lists them; ask for a token of the role view for more", NULL);
    }
}

static bool may_hear(void *data, const struct http_request *request, const struct stream_rights *rights)
{
    const struct web *web = data;
    return access_visitor(web->access, request).role >= (rights->tiles_alone ? WEB_TILES : WEB_VIEW);
}

static void answer_stream(const struct web *web, struct http_request *request, const struct http_target *target,
                          enum web_role role)
{
    const char *topics = http_target_query(target, "topics");
    const struct stream_rights rights = {.hides_commands = role < web->config->show_commands,
                                         .tiles_alone = role < WEB_VIEW};
    if (http_request_head(request)->method != HTTP_GET) {
        http_reply_problem(request, 405, "a stream is got", NULL, "Allow: GET\r\n");
    } else {
        streams_begin(web->streams, request, topics != NULL ? topics : "", rights);
    }
}

static struct http_target below_api(const struct http_target *target)
{
    struct http_target below = *target;
    below.part_count -= 2;
    memmove(below.parts, below.parts + 2, below.part_count * sizeof(below.parts[0]));
    return below;
}

static bool is_for_tiles(const struct http_target *target)
{
    struct http_target below = below_api(target);
    return page_is_for_tiles(&below);
}

/* As it is written, and without a choice: nobody in particular can have it read more than once by asking for it in many
 * ways. */
static bool is_public_tile(const struct web *web, const struct http_request *request, const struct http_target *target)
{
    struct http_target below = below_api(target);
    if (below.part_count != 5 || !page_is_for_tiles(&below) ||
        !web_tile_is_public(web->config, below.parts[1], below.parts[3], below.parts[4])) {
        return false;
    }
    char *plain = xasprintf("/api/v1/d/%s/tile/%s/%s", below.parts[1], below.parts[3], below.parts[4]);
    bool same = strcmp(http_request_head(request)->target, plain) == 0;
    free(plain);
    return same;
}

/* Who asks, and what the page may offer him. */
static void answer_visitor(const struct web *web, struct http_request *request, const struct visitor *visitor)
{
    json_t *said = json_pack("{s:i,s:s,s:s,s:b}", "schema_version", OUTPUT_SCHEMA_VERSION, "who", visitor->name, "role",
                             web_role_names[visitor->role], "actions",
                             web->config->actions && visitor->role >= WEB_OPERATE ? 1 : 0);
    char *text = json_dumps(said, JSON_COMPACT);
    http_reply(request, &(struct http_answer){.status = 200, .type = JSON_TYPE, .body = text, .length = strlen(text)});
    free(text);
    json_decref(said);
}

/* Below /api/v1 for who may view, or see tiles. */
static void answer_api(const struct web *web, struct http_request *request, const struct http_target *target)
{
    struct visitor visitor = access_visitor(web->access, request);
    enum web_role role = visitor.role;
    bool is_stream = target->part_count == 3 && strcmp(target->parts[2], "stream") == 0;
    if (is_public_tile(web, request, target)) {
        pages_answer(web->pages, request, http_request_head(request)->target, false);
    } else if (role != WEB_NONE && target->part_count == 3 && strcmp(target->parts[2], "session") == 0) {
        answer_visitor(web, request, &visitor);
    } else if (role < WEB_VIEW && (role != WEB_TILES || (!is_stream && !is_for_tiles(target)))) {
        refuse_visitor(request, role);
    } else if (is_stream) {
        answer_stream(web, request, target, role);
    } else {
        /* One answer of a tile for all: it has no text of a job. */
        pages_answer(web->pages, request, http_request_head(request)->target,
                     role < web->config->show_commands && !is_for_tiles(target));
    }
}

/* Who names neither form gets the older one, which everything reads. */
static void answer_metrics(const struct web *web, struct http_request *request)
{
    const char *accept = http_head_field(http_request_head(request), "accept");
    enum web_role role = access_visitor(web->access, request).role;
    if (role < WEB_VIEW) {
        refuse_visitor(request, role);
    } else {
        bool open = accept != NULL && strstr(accept, "application/openmetrics-text") != NULL;
        pages_answer(web->pages, request, open ? "/metrics.open" : "/metrics", false);
    }
}

static void add_figures(void *data, struct metrics *metrics)
{
    const struct web *web = data;
    metrics_add_web(metrics, METRICS_WEB_STREAMS, NULL, streams_count(web->streams));
    metrics_add_web(metrics, METRICS_WEB_CONNECTIONS, NULL, http_server_connections(web->server));
    for (int status = 100; status < HTTP_STATUSES; status++) {
        char code[12];
        snprintf(code, sizeof(code), "%d", status);
        if (http_server_answered(web->server, status) > 0) {
            metrics_add_web(metrics, METRICS_WEB_REQUESTS, code, http_server_answered(web->server, status));
        }
    }
}

static void answer_file(const struct web *web, struct http_request *request, const struct http_target *target)
{
    bool page = target->part_count == 0 || is_path(target, "tiles"); /* a link that can be typed */
    const char *name = page ? "index.html" : target->part_count == 1 ? target->parts[0] : "";
    const struct body *body = files_find(web->files, name);
    if (body != NULL) {
        body_answer(body, request);
    } else {
        http_reply_problem(request, 404, "there is no such page", "GET /api/v1/databases is the first", NULL);
    }
}

static void answer_get(const struct web *web, struct http_request *request, const struct http_target *target)
{
    static const char well[] = "ok\n";
    if (is_api(target)) {
        answer_api(web, request, target);
    } else if (is_path(target, "readyz")) {
        pages_answer(web->pages, request, http_request_head(request)->target, false);
    } else if (is_path(target, "metrics")) {
        answer_metrics(web, request);
    } else if (is_path(target, "healthz")) {
        http_reply(request,
                   &(struct http_answer){
                       .status = 200, .type = "text/plain; charset=utf-8", .body = well, .length = strlen(well)});
    } else {
        answer_file(web, request, target);
    }
}

static void asked(void *data, struct http_request *request)
{
    struct web *web = data;
    const struct http_head *head = http_request_head(request);
    struct http_target target;
    if (!access_host_is_ours(web->access, head)) {
        http_reply_problem(request, 421, "Host names somebody else", "write url = \"https://NAME/\"; into web.conf",
                           NULL);
    } else if (!http_target_read(head->target, &target)) {
        http_reply_problem(request, 400, "the target has no meaning",
                           "parts are not empty, and encoded as percent signs and UTF-8 have it", NULL);
    } else if (head->method == HTTP_POST) {
        answer_post(web, request, &target);
        http_target_finish(&target);
    } else {
        answer_get(web, request, &target);
        http_target_finish(&target);
    }
}

/* --- its life ----------------------------------------------------------------------------------------------------- */

static bool listen_everywhere(struct web *web, struct error *err)
{
    const struct http_settings settings = {.asked = asked,
                                           .data = web,
                                           .fields = common_fields,
                                           .proxies = web->config->proxy.from,
                                           .proxy_count = web->config->proxy.from_count};
    web->server = http_server_create(web->loop, &settings);
    for (size_t i = 0; i < web->config->listen_count; i++) {
        struct http_place place;
        if (!http_place_read(web->config->listen[i], &place, err) || !http_server_listen(web->server, &place, err)) {
            return error_prefix(err, "%s", web->config->listen[i]);
        }
        char *text = http_server_place(web->server, i);
        log_info("listening at %s%s", place.local ? "" : "http://", text);
        free(text);
    }
    return true;
}

static void stop(void *loop)
{
    loop_stop(loop);
}

static void run(struct web *web)
{
    struct loop_signal *terminate = loop_signal_create(web->loop, SIGTERM, stop, web->loop);
    struct loop_signal *interrupt = loop_signal_create(web->loop, SIGINT, stop, web->loop);
    struct supervisor *supervisor = supervisor_create(web->loop);
    supervisor_ready(supervisor);
    loop_run(web->loop);
    supervisor_stopping(supervisor);
    supervisor_destroy(supervisor);
    loop_signal_destroy(terminate);
    loop_signal_destroy(interrupt);
}

bool web_serve(const struct web_config *config, struct error *err)
{
    struct web web = {.config = config, .access = access_create(config, err)};
    if (web.access == NULL) {
        return false;
    }
    web.loop = loop_create();
    web.files = files_create();
    web.pages = pages_create(web.loop, config);
    web.actions = actions_create(web.loop, config->config);
    pages_on_figures(web.pages, add_figures, &web);
    web.streams = streams_create(web.loop, web.pages, may_hear, &web);
    bool begun = listen_everywhere(&web, err);
    if (begun) {
        run(&web);
    }
    streams_destroy(web.streams); /* first, since they answer requests of the server */
    actions_destroy(web.actions);
    pages_destroy(web.pages);
    http_server_destroy(web.server);
    files_destroy(web.files);
    access_destroy(web.access);
    loop_destroy(web.loop);
    return begun;
}
