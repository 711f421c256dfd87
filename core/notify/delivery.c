/* SPDX-License-Identifier: PostgreSQL */
#include "notify/delivery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "loop/child.h"
#include "notify/message.h"
#include "notify/secret.h"

#define TIME_ALLOWED (30 * USEC_PER_SEC)
#define OUTPUT_LIMIT 65536
#define PROBLEM_MAX 300
#define API_PATH "/api/v2/alerts"

struct notify_delivery {
    struct child *child;
    bool by_http;
    bool refused;
    delivery_callback *callback;
    void *data;
};

/* --- what curl is told: its --config, which only it can read ------------------------------------------------------ */

static void put_option(struct buffer *config, const char *option, const char *value, size_t length)
{
    buffer_printf(config, "%s = \"", option);
    for (size_t i = 0; i < length; i++) {
        if (value[i] == '"' || value[i] == '\\') {
            buffer_putc(config, '\\');
        }
        buffer_putc(config, value[i]);
    }
    buffer_puts(config, "\"\n");
}

static void put_text(struct buffer *config, const char *option, const char *value)
{
    put_option(config, option, value, strlen(value));
}

/* What is put behind an address. */
struct behind {
    const char *path;
    const char *query; /* NULL: none */
};

/* An address, with what is behind its path and its query, and no other protocol than its own. A part of a page (#) is
 * for no receiver. */
static void put_address(struct buffer *config, const char *address, struct behind behind)
{
    size_t path = strcspn(address, "?#");
    size_t query = strcspn(address + path, "#");
    bool slash = behind.path[0] == '/' && path > 0 && address[path - 1] == '/';
    const char *joint = behind.query == NULL ? "" : address[path] == '?' ? "&" : "?";
    char *url = xasprintf("%.*s%s%.*s%s%s", (int)(path - (slash ? 1 : 0)), address, behind.path, (int)query,
                          address + path, joint, behind.query != NULL ? behind.query : "");
    char *protocol = xasprintf("=%.*s", (int)strcspn(address, ":"), address);
    put_text(config, "url", url);
    put_text(config, "proto", protocol);
    free(protocol);
    free(url);
}

static const char *suffix_of(enum sink_type type, const char *address)
{
    return type == SINK_ALERTMANAGER && strstr(address, API_PATH) == NULL ? API_PATH : "";
}

/* `behind` NULL: as the type has it. */
static bool put_url(struct buffer *config, enum sink_type type, const char *url, const char *url_file,
                    const struct behind *behind, struct error *err)
{
    char *read = url_file != NULL ? secret_read(url_file, err) : xstrdup(url);
    if (read == NULL) {
        return false;
    }
    bool good = strchr(read, '\n') == NULL && sink_url_valid(type, read);
    if (good) {
        put_address(config, read, behind != NULL ? *behind : (struct behind){.path = suffix_of(type, read)});
    } else {
        error_set(err, ERROR_CONFIG, "%s is not one line with an address of %s", url_file,
                  type == SINK_MAIL ? "smtps:// or smtp://" : "https:// or http://");
    }
    free(read);
    return good;
}

/* A line each; those that begin with # are for people. */
static bool put_headers(struct buffer *config, const char *file, struct error *err)
{
    char *lines = file != NULL ? secret_read(file, err) : xstrdup("");
    for (const char *line = lines; line != NULL && *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (length > 0 && line[0] != '#' && line[0] != '@') {
            put_option(config, "header", line, length);
        }
        line += length + (line[length] == '\n' ? 1 : 0);
    }
    free(lines);
    return lines != NULL;
}

static bool put_user(struct buffer *config, const struct config_sink *sink, struct error *err)
{
    if (sink->user_file == NULL) {
        return true;
    }
    char *user = secret_read(sink->user_file, err);
    if (user != NULL && strchr(user, '\n') == NULL) {
        put_text(config, "user", user);
    } else if (user != NULL) {
        error_set(err, ERROR_CONFIG, "%s is not one line", sink->user_file);
        free(user);
        return false;
    }
    free(user);
    return user != NULL;
}

static void put_http(struct buffer *config, const char *content_type)
{
    buffer_puts(config, "data-binary = \"@-\"\nheader = \"Expect:\"\noutput = \"/dev/null\"\n"
                        "write-out = \"\\n%{http_code}\"\n");
    char *header = xasprintf("Content-Type: %s", content_type);
    put_text(config, "header", header);
    free(header);
}

static void put_key(struct buffer *config, const char *key)
{
    char *header = xasprintf("Idempotency-Key: %s", key);
    put_text(config, "header", header);
    free(header);
}

/* A password never goes where it could be overheard. */
static void put_mail(struct buffer *config, const struct config_sink *sink)
{
    buffer_printf(config, "upload-file = \"-\"\ncrlf\n%s\n", sink->user_file != NULL ? "ssl-reqd" : "ssl");
    put_text(config, "mail-from", sink->from);
    for (size_t i = 0; sink->to[i] != NULL; i++) {
        put_text(config, "mail-rcpt", sink->to[i]);
    }
}

static void put_limits(struct buffer *config)
{
    buffer_puts(config, "silent\nshow-error\nstderr = \"-\"\ngloboff\nconnect-timeout = 10\nmax-time = 25\n"
                        "user-agent = \"pgchime/" PGCHIME_VERSION "\"\n");
}

static char *taken(struct buffer *config, bool good)
{
    if (!good) {
        buffer_finish(config);
        return NULL;
    }
    return buffer_take(config);
}

static char *sink_config(const struct config_sink *sink, const char *key, struct error *err)
{
    struct buffer config = {0};
    put_limits(&config);
    bool good = put_url(&config, sink->type, sink->url, sink->url_file, NULL, err) &&
                put_headers(&config, sink->headers_file, err) && put_user(&config, sink, err);
    if (sink->type == SINK_MAIL) {
        put_mail(&config, sink);
    } else {
        put_http(&config, "application/json");
        put_key(&config, key);
    }
    return taken(&config, good);
}

static char *ping_config(const struct delivery_ping *ping, struct error *err)
{
    struct buffer config = {0};
    put_limits(&config);
    const struct behind behind = {ping->suffix, ping->query};
    bool good = put_url(&config, SINK_WEBHOOK, ping->url, ping->url_file, &behind, err);
    put_http(&config, "text/plain; charset=utf-8");
    return taken(&config, good);
}

/* --- what came of it ---------------------------------------------------------------------------------------------- */

/* The last line of what curl wrote is the status; before it, why there is none. The receiver's answer is not repeated:
 * it may have the address in it. */
static const char *http_problem(const char *output, const char *fault, char *problem)
{
    const char *said = strstr(output, "curl: (");
    const char *status = strrchr(output, '\n');
    if (said != NULL) {
        snprintf(problem, PROBLEM_MAX, "%.*s", (int)strcspn(said, "\n"), said);
    } else if (fault != NULL) {
        snprintf(problem, PROBLEM_MAX, "%s", fault);
    } else if (status != NULL && status[1] == '2') {
        return NULL;
    } else {
        snprintf(problem, PROBLEM_MAX, "its answer is HTTP %s", status != NULL ? status + 1 : "");
    }
    return problem;
}

/* Not one that is about the address or the secrets, which somebody mends, or about the moment. */
static bool is_about_text(const char *output)
{
    static const char *const statuses[] = {"\n400", "\n413", "\n422"};
    const char *status = strrchr(output, '\n');
    for (size_t i = 0; status != NULL && i < COUNT_OF(statuses); i++) {
        if (strcmp(status, statuses[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void ended(void *data, const struct buffer *output, const char *fault)
{
    struct notify_delivery *delivery = data;
    char problem[PROBLEM_MAX];
    const char *said = strstr(buffer_text(output), "curl: (");
    delivery->refused = delivery->by_http && fault == NULL && said == NULL && is_about_text(buffer_text(output));
    if (delivery->by_http || (fault != NULL && said != NULL)) {
        fault = http_problem(buffer_text(output), fault, problem);
    }
    delivery->callback(delivery->data, fault);
}

static const char *curl_program(void)
{
    return access("/usr/bin/curl", X_OK) != 0 && access("/usr/local/bin/curl", X_OK) == 0 ? "/usr/local/bin/curl"
                                                                                          : "/usr/bin/curl";
}

/* Of ours only how to reach others. */
static char *const *clean_environment(char **environment)
{
    static const char *const names[] = {"https_proxy", "http_proxy", "no_proxy"};
    size_t count = 0;
    environment[count++] = xstrdup("PATH=/usr/local/bin:/usr/bin:/bin");
    environment[count++] = xstrdup("LC_ALL=C.UTF-8");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (getenv(names[i]) != NULL) {
            environment[count++] = xasprintf("%s=%s", names[i], getenv(names[i]));
        }
    }
    environment[count] = NULL;
    return environment;
}

/* `program` NULL: curl. */
static struct child *start_child(struct notify_delivery *delivery, struct loop *loop, const char *const *program,
                                 const char *text, const char *secrets, struct error *err)
{
    char *environment[8];
    char *const curl[] = {(char *)curl_program(), "--disable", "--config", CHILD_SECRETS, NULL};
    struct child_order order = {.arguments = program != NULL ? (char *const *)program : curl,
                                .environment = clean_environment(environment),
                                .input = text,
                                .secrets = secrets,
                                .limit = OUTPUT_LIMIT,
                                .time_allowed = TIME_ALLOWED};
    struct child *child = child_start(loop, &order, ended, delivery, err);
    for (size_t i = 0; environment[i] != NULL; i++) {
        free(environment[i]);
    }
    if (child == NULL && program == NULL) {
        error_hint(err, "install curl");
    }
    return child;
}

static struct notify_delivery *start(struct notify_delivery like, struct loop *loop, const char *const *program,
                                     const char *text, const char *secrets, struct error *err)
{
    struct notify_delivery *delivery = xcalloc(1, sizeof(*delivery));
    *delivery = like;
    delivery->child = start_child(delivery, loop, program, text, secrets, err);
    if (delivery->child == NULL) {
        free(delivery);
        return NULL;
    }
    return delivery;
}

struct notify_delivery *delivery_start(struct loop *loop, const struct config_sink *sink, const char *body,
                                       const char *key, delivery_callback *callback, void *data, struct error *err)
{
    bool by_program = sink->type == SINK_PROGRAM;
    struct notify_delivery like = {
        .by_http = !by_program && sink->type != SINK_MAIL, .callback = callback, .data = data};
    char *secrets = by_program ? NULL : sink_config(sink, key, err);
    char *text = secrets != NULL || by_program ? message_text(sink, body, key, clock_wall(), err) : NULL;
    struct notify_delivery *delivery = text != NULL
                                           ? start(like, loop, by_program ? sink->command : NULL, text, secrets, err)
                                           : NULL;
    free(text);
    free(secrets);
    return delivery;
}

struct notify_delivery *delivery_ping(struct loop *loop, const struct delivery_ping *ping, delivery_callback *callback,
                                      void *data, struct error *err)
{
    struct notify_delivery like = {.by_http = true, .callback = callback, .data = data};
    char *secrets = ping_config(ping, err);
    struct notify_delivery *delivery = secrets != NULL ? start(like, loop, NULL, ping->text, secrets, err) : NULL;
    free(secrets);
    return delivery;
}

bool delivery_refused(const struct notify_delivery *delivery)
{
    return delivery->refused;
}

void delivery_destroy(struct notify_delivery *delivery)
{
    if (delivery != NULL) {
        child_destroy(delivery->child);
        free(delivery);
    }
}
