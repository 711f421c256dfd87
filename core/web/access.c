/* SPDX-License-Identifier: PostgreSQL */
#include "web/access.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "web/basic.h"
#include "web/cookie.h"

struct process {
    bool group;
    unsigned id;
    enum web_role role;
};

struct access {
    const struct web_config *config;
    struct tokens tokens;
    struct stat file; /* of the tokens that are known */
    struct process *processes;
    size_t process_count;
};

/* --- the tokens --------------------------------------------------------------------------------------------------- */

static bool is_same_file(const struct stat *left, const struct stat *right)
{
    return left->st_ino == right->st_ino && left->st_size == right->st_size &&
           left->st_mtim.tv_sec == right->st_mtim.tv_sec && left->st_mtim.tv_nsec == right->st_mtim.tv_nsec;
}

static bool read_tokens(struct access *access, struct error *err)
{
    const char *path = access->config->tokens_file;
    struct stat file = {.st_size = 0};
    if (path == NULL || (stat(path, &file) == 0 && is_same_file(&file, &access->file))) {
        return true;
    }
    tokens_finish(&access->tokens);
    access->file = file;
    return tokens_read(path, &access->tokens, err);
}

/* A file that is broken lets nobody in. */
static const struct tokens *current_tokens(struct access *access)
{
    struct error err;
    if (!read_tokens(access, &err)) {
        log_error(&err);
    }
    return &access->tokens;
}

/* --- who asks ----------------------------------------------------------------------------------------------------- */

/* Of "Bearer TOKEN", or the password of Basic; NULL: there is none. Caller frees. */
static char *secret_of(const struct http_head *head)
{
    const char *field = http_head_field(head, "authorization");
    if (field != NULL && strncasecmp(field, "Bearer ", 7) == 0) {
        return xstrdup(field + 7 + strspn(field + 7, " "));
    }
    return field != NULL && strncasecmp(field, "Basic ", 6) == 0 ? basic_password(field + 6) : NULL;
}

static enum web_role role_of_process(const struct access *access, const struct http_peer *peer)
{
    enum web_role role = WEB_NONE;
    for (size_t i = 0; peer->local && i < access->process_count; i++) {
        const struct process *process = &access->processes[i];
        if (process->id == (process->group ? peer->group : peer->user) && process->role > role) {
            role = process->role;
        }
    }
    return role;
}

static bool is_proxy(const struct web_proxy *proxy, const struct http_peer *peer)
{
    const char *from = peer->local ? WEB_PROXY_LOCAL : peer->address;
    for (size_t i = 0; i < proxy->from_count; i++) {
        if (strcmp(proxy->from[i], from) == 0) {
            return true;
        }
    }
    return false;
}

/* Whom the proxy names; NULL: nobody. */
static const char *user_of_proxy(const struct web_proxy *proxy, const struct http_request *request)
{
    const char *user = proxy->from_count > 0 ? http_head_field(http_request_head(request), proxy->user_header) : NULL;
    bool named = user != NULL && user[0] != '\0' && is_proxy(proxy, http_request_peer(request));
    return named ? user : NULL;
}

/* Cut where it is too long; what is no plain letter of ASCII is "?", since it is written into the ledger. */
static struct visitor visitor_of(enum web_role role, const char *name)
{
    struct visitor visitor = {.role = role};
    for (size_t i = 0; i < VISITOR_NAME_SIZE - 1 && name[i] != '\0'; i++) {
        visitor.name[i] = name[i] > ' ' && name[i] < 0x7f ? name[i] : '?';
    }
    return visitor;
}

static struct visitor visitor_of_token(const struct token *token)
{
    return token != NULL ? visitor_of(token->role, token->name) : (struct visitor){.role = WEB_NONE};
}

static struct visitor visitor_of_process(enum web_role role, uid_t user)
{
    char number[32];
    const struct passwd *entry = getpwuid(user);
    snprintf(number, sizeof(number), "uid-%u", (unsigned)user);
    return visitor_of(role, entry != NULL ? entry->pw_name : number);
}

struct visitor access_visitor(struct access *access, const struct http_request *request)
{
    const struct http_head *head = http_request_head(request);
    const struct http_peer *peer = http_request_peer(request);
    if (http_head_field(head, "authorization") != NULL) {
        char *secret = secret_of(head);
        const struct token *shown = secret != NULL ? tokens_find(current_tokens(access), secret) : NULL;
        free(secret);
        return visitor_of_token(shown);
    }
    const char *cookies = http_head_field(head, "cookie");
    const struct token *token = cookies != NULL ? cookie_find(cookies, current_tokens(access), clock_wall()) : NULL;
    enum web_role of_process = role_of_process(access, peer);
    const char *user = user_of_proxy(&access->config->proxy, request);
    if (token != NULL) {
        return visitor_of_token(token);
    }
    if (of_process != WEB_NONE) {
        return visitor_of_process(of_process, peer->user);
    }
    if (user != NULL) {
        return visitor_of(access->config->proxy.role, user);
    }
    if (peer->loopback && access->config->anonymous != WEB_NONE) {
        return visitor_of(access->config->anonymous, "anonymous");
    }
    return (struct visitor){.role = WEB_NONE};
}

char *access_begin_session(struct access *access, const char *secret)
{
    const struct token *token = tokens_find(current_tokens(access), secret);
    const char *url = access->config->url;
    if (token == NULL) {
        return NULL;
    }
    char *value = cookie_make(token, clock_wall());
    char *field = xasprintf("Set-Cookie: " COOKIE_NAME "=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s\r\n",
                            value, (int)(COOKIE_LIFE / USEC_PER_SEC),
                            url != NULL && strncmp(url, "https://", 8) == 0 ? "; Secure" : "");
    free(value);
    return field;
}

/* --- pages of others ---------------------------------------------------------------------------------------------- */

/* Whether `host`, with a port or without, is of that name. */
static bool is_named(const char *host, const char *name, size_t length)
{
    return strncasecmp(host, name, length) == 0 &&
           (host[length] == '\0' || (host[length] == ':' && host[length + 1] != '\0' &&
                                     host[length + 1 + strspn(host + length + 1, "0123456789")] == '\0'));
}

/* Of "NAME:PORT", "NAME" or "[::1]:PORT". */
static size_t name_length(const char *text)
{
    return text[0] == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":/");
}

static bool is_of_url(const char *host, const char *url)
{
    const char *name = strstr(url, "://") + 3;
    return is_named(host, name, name_length(name));
}

bool access_host_is_ours(const struct access *access, const struct http_head *head)
{
    const struct web_config *config = access->config;
    if (is_named(head->host, "localhost", strlen("localhost")) ||
        (config->url != NULL && is_of_url(head->host, config->url))) {
        return true;
    }
    for (size_t i = 0; i < config->listen_count; i++) {
        const char *place = config->listen[i];
        if (strncmp(place, "unix:", 5) != 0 && is_named(head->host, place, name_length(place))) {
            return true;
        }
    }
    return false;
}

bool access_is_from_us(const struct http_head *head)
{
    const char *site = http_head_field(head, "sec-fetch-site");
    const char *origin = http_head_field(head, "origin");
    const char *shown = http_head_field(head, "authorization");
    if (site != NULL) {
        return strcmp(site, "same-origin") == 0;
    }
    if (origin != NULL) { /* Host was found to be ours before */
        const char *name = strstr(origin, "://");
        return name != NULL && strcasecmp(name + 3, head->host) == 0;
    }
    return shown != NULL && strncasecmp(shown, "Bearer ", 7) == 0;
}

/* --- from the configuration --------------------------------------------------------------------------------------- */

static bool find_process(const struct web_peer *peer, struct process *process, struct error *err)
{
    const struct passwd *user = peer->user != NULL ? getpwnam(peer->user) : NULL;
    const struct group *group = peer->group != NULL ? getgrnam(peer->group) : NULL;
    if (user == NULL && group == NULL) {
        error_set(err, ERROR_CONFIG, "web.conf line %d: this machine has no %s \"%s\"", peer->line,
                  peer->user != NULL ? "user" : "group", peer->user != NULL ? peer->user : peer->group);
        return error_hint(err, "name one that is there under peer");
    }
    *process = (struct process){
        .group = group != NULL, .id = group != NULL ? group->gr_gid : user->pw_uid, .role = peer->role};
    return true;
}

static bool find_processes(struct access *access, struct error *err)
{
    access->processes = xcalloc(access->config->peer_count + 1, sizeof(*access->processes));
    for (size_t i = 0; i < access->config->peer_count; i++) {
        if (!find_process(&access->config->peers[i], &access->processes[access->process_count++], err)) {
            return false;
        }
    }
    return true;
}

/* What others can reach needs to know who asks. */
static bool check_place(const struct web_config *config, const char *text, struct error *err)
{
    struct http_place place;
    if (!http_place_read(text, &place, err)) {
        return false;
    }
    if (!place.local && !place.loopback && config->tokens_file == NULL && config->proxy.from_count == 0) {
        error_set(err, ERROR_CONFIG, "%s can be reached from elsewhere, and nobody is asked who he is", text);
        return error_hint(err, "give access: { tokens_file = \"...\"; }; or listen at 127.0.0.1");
    }
    return true;
}

static bool check(struct access *access, struct error *err)
{
    const struct web_config *config = access->config;
    for (size_t i = 0; i < config->listen_count; i++) {
        if (!check_place(config, config->listen[i], err)) {
            return false;
        }
    }
    if (config->tokens_file == NULL && config->proxy.from_count == 0 && config->peer_count == 0 &&
        config->anonymous == WEB_NONE) {
        error_set(err, ERROR_CONFIG, "nobody has access");
        return error_hint(
            err, "give access: { tokens_file = \"...\"; }; and make one with pgchime web token NAME --role view");
    }
    return find_processes(access, err) && read_tokens(access, err);
}

struct access *access_create(const struct web_config *config, struct error *err)
{
    struct access *access = xcalloc(1, sizeof(*access));
    access->config = config;
    if (!check(access, err)) {
        access_destroy(access);
        return NULL;
    }
    return access;
}

void access_destroy(struct access *access)
{
    if (access != NULL) {
        tokens_finish(&access->tokens);
        free(access->processes);
        free(access);
    }
}
