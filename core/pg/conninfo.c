/* SPDX-License-Identifier: PostgreSQL */
#include "pg/conninfo.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"

static const char **find(struct conninfo *info, const char *keyword)
{
    for (size_t i = 0; i < info->count; i++) {
        if (strcmp(info->keywords[i], keyword) == 0) {
            return &info->values[i];
        }
    }
    return NULL;
}

static void set(struct conninfo *info, const char *keyword, const char *value)
{
    const char **known = find(info, keyword);
    if (known != NULL) {
        *known = value;
    } else if (info->count < CONNINFO_MAX) {
        info->keywords[info->count] = keyword;
        info->values[info->count++] = value;
    }
}

static void set_default(struct conninfo *info, const char *keyword, const char *value)
{
    if (find(info, keyword) == NULL) {
        set(info, keyword, value);
    }
}

/* "-c name=value" with the escapes that the server's option splitting understands. */
static void put_option(struct buffer *options, const struct pg_setting *setting)
{
    buffer_printf(options, " -c %s=", setting->name);
    for (const char *c = setting->value; *c != '\0'; c++) {
        if (isspace((unsigned char)*c) || *c == '\\') {
            buffer_putc(options, '\\');
        }
        buffer_putc(options, *c);
    }
}

static void set_options(struct conninfo *info, const struct pg_target *target)
{
    struct buffer options = {0};
    const char *given = conninfo_value(info, "options");
    buffer_puts(&options, given != NULL ? given : "");
    for (size_t i = 0; i < target->setting_count; i++) {
        put_option(&options, &target->settings[i]);
    }
    set(info, "options", arena_strdup(info->arena, buffer_text(&options)));
    buffer_finish(&options);
}

/* The parts of a list; NULL for one that is empty. */
static size_t split(struct arena *arena, const char *list, const char ***parts)
{
    size_t count = 1;
    for (const char *c = list; *c != '\0'; c++) {
        count += *c == ',';
    }
    *parts = arena_alloc(arena, count * sizeof(**parts));
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(list, ",");
        (*parts)[i] = length > 0 ? arena_strndup(arena, list, length) : NULL;
        list += length + 1;
    }
    return count;
}

/* No parts when the parameter is absent or empty. */
static size_t split_value(struct conninfo *info, const char *keyword, const char ***parts)
{
    const char *list = conninfo_value(info, keyword);
    *parts = NULL;
    return list != NULL && list[0] != '\0' ? split(info->arena, list, parts) : 0;
}

/* libpq's own rules, and its words. */
static bool list_hosts(struct conninfo *info, struct error *err)
{
    const char **names;
    const char **addresses;
    const char **ports;
    size_t name_count = split_value(info, "host", &names);
    size_t address_count = split_value(info, "hostaddr", &addresses);
    size_t port_count = split_value(info, "port", &ports);
    info->host_count = address_count > 0 ? address_count : name_count > 0 ? name_count : 1;
    if (name_count > 0 && name_count != info->host_count) {
        return error_set(err, ERROR_CONFIG, "conninfo: could not match %zu host names to %zu hostaddr values",
                         name_count, address_count);
    }
    if (port_count > 1 && port_count != info->host_count) {
        return error_set(err, ERROR_CONFIG, "conninfo: could not match %zu port numbers to %zu hosts", port_count,
                         info->host_count);
    }
    info->hosts = arena_alloc(info->arena, info->host_count * sizeof(*info->hosts));
    for (size_t i = 0; i < info->host_count; i++) {
        info->hosts[i] = (struct conninfo_host){.name = name_count > 0 ? names[i] : NULL,
                                                .address = address_count > 0 ? addresses[i] : NULL,
                                                .port = port_count > 1    ? ports[i]
                                                        : port_count == 1 ? ports[0]
                                                                          : NULL};
    }
    return true;
}

static const char *describe(struct conninfo *info)
{
    const char *host = conninfo_value(info, "host");
    const char *address = conninfo_value(info, "hostaddr");
    const char *port = conninfo_value(info, "port");
    const char *database = conninfo_value(info, "dbname");
    const char *user = conninfo_value(info, "user");
    return arena_printf(info->arena, "host %s%s%s database %s%s%s",
                        host != NULL      ? host
                        : address != NULL ? address
                                          : "default",
                        port != NULL ? " port " : "", port != NULL ? port : "", database != NULL ? database : "default",
                        user != NULL ? " user " : "", user != NULL ? user : "");
}

static bool copy_parsed(struct conninfo *info, const PQconninfoOption *parsed, struct error *err)
{
    for (const PQconninfoOption *option = parsed; option->keyword != NULL; option++) {
        if (option->val == NULL) {
            continue;
        }
        if (info->count + 8 >= CONNINFO_MAX) {
            return error_set(err, ERROR_CONFIG, "conninfo has too many parameters");
        }
        set(info, arena_strdup(info->arena, option->keyword), arena_strdup(info->arena, option->val));
    }
    return true;
}

static bool conninfo_parse(struct conninfo *info, const char *text, struct error *err)
{
    char *problem = NULL;
    PQconninfoOption *parsed = PQconninfoParse(text, &problem);
    if (parsed == NULL) {
        error_set(err, ERROR_CONFIG, "conninfo: %.*s", (int)strcspn(problem != NULL ? problem : "out of memory", "\n"),
                  problem != NULL ? problem : "out of memory");
        PQfreemem(problem);
        return error_hint(err, "write it as in conninfo = \"host=/run/postgresql dbname=app\"");
    }
    bool copied = copy_parsed(info, parsed, err);
    PQconninfoFree(parsed);
    return copied;
}

bool conninfo_read(struct conninfo *info, const struct pg_target *target, struct error *err)
{
    *info = (struct conninfo){.arena = arena_create()};
    if (!conninfo_parse(info, target->conninfo, err) || !list_hosts(info, err)) {
        conninfo_finish(info);
        return false;
    }
    info->description = describe(info);
    set_options(info, target);
    set_default(info, "application_name", target->application_name);
    set(info, "client_encoding", "UTF8");
    set_default(info, "keepalives_idle", "5");
    set_default(info, "keepalives_interval", "2");
    set_default(info, "keepalives_count", "3");
    set_default(info, "tcp_user_timeout", "10000");
    if (info->host_count > 1) {
        set_default(info, "target_session_attrs", "primary");
    }
    return true;
}

static void write_value(struct buffer *text, const char *keyword, const char *value)
{
    buffer_printf(text, "%s%s='", text->length > 0 ? " " : "", keyword);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\'' || *c == '\\') {
            buffer_putc(text, '\\');
        }
        buffer_putc(text, *c);
    }
    buffer_putc(text, '\'');
}

/* One place instead of another: an address of the base's would lead the role's host there. Emptied is not given, to
 * libpq. */
static bool forget_place(struct conninfo *info, const char *role_conninfo, struct error *err)
{
    struct conninfo own = {.arena = info->arena};
    if (!conninfo_parse(&own, role_conninfo, err)) {
        return false;
    }
    if (conninfo_value(&own, "host") == NULL && conninfo_value(&own, "hostaddr") == NULL) {
        return true;
    }
    static const char *const keywords[] = {"host", "hostaddr", "port"};
    for (size_t i = 0; i < COUNT_OF(keywords); i++) {
        const char **known = find(info, keywords[i]);
        if (known != NULL && (strcmp(keywords[i], "port") != 0 || strchr(*known, ',') != NULL)) {
            *known = "";
        }
    }
    return true;
}

bool conninfo_names_host(const char *conninfo)
{
    struct conninfo info = {.arena = arena_create()};
    struct error err;
    bool named = conninfo_parse(&info, conninfo, &err) &&
                 (conninfo_value(&info, "host") != NULL || conninfo_value(&info, "hostaddr") != NULL ||
                  conninfo_value(&info, "port") != NULL);
    arena_destroy(info.arena);
    return named;
}

char *conninfo_user(const char *conninfo)
{
    struct conninfo info = {.arena = arena_create()};
    struct error err;
    const char *user = conninfo_parse(&info, conninfo, &err) ? conninfo_value(&info, "user") : NULL;
    char *copy = user != NULL ? xstrdup(user) : NULL;
    arena_destroy(info.arena);
    return copy;
}

static bool has_user(const struct conninfo *info, struct error *err)
{
    const char *user = conninfo_value(info, "user");
    return (user != NULL && user[0] != '\0') || error_set(err, ERROR_REFUSED, "a role without a name is nobody's");
}

/* An empty password is none to libpq, but keeps it from looking in the environment and the service file for the
 * daemon's. */
static bool lay_role_over(struct conninfo *info, const char *role_conninfo, const char *role, struct error *err)
{
    if (role == NULL) {
        return true;
    }
    set(info, "user", role);
    set(info, "password", "");
    return (role_conninfo == NULL ||
            (forget_place(info, role_conninfo, err) && conninfo_parse(info, role_conninfo, err))) &&
           has_user(info, err);
}

char *conninfo_for_role(const char *base, const char *role_conninfo, const char *role, const char *target,
                        struct error *err)
{
    struct conninfo info = {.arena = arena_create()};
    struct buffer text = {0};
    bool good = conninfo_parse(&info, base, err) && lay_role_over(&info, role_conninfo, role, err);
    if (good && target != NULL) {
        set(&info, "dbname", target);
    }
    for (size_t i = 0; good && i < info.count; i++) {
        write_value(&text, info.keywords[i], info.values[i]);
    }
    arena_destroy(info.arena);
    return good ? buffer_take(&text) : NULL;
}

void conninfo_finish(struct conninfo *info)
{
    arena_destroy(info->arena);
    *info = (struct conninfo){0};
}

const char *conninfo_value(const struct conninfo *info, const char *keyword)
{
    for (size_t i = 0; i < info->count; i++) {
        if (strcmp(info->keywords[i], keyword) == 0) {
            return info->values[i];
        }
    }
    return NULL;
}

bool conninfo_is_local(const char *host)
{
    return host == NULL || host[0] == '\0' || host[0] == '/' || strcmp(host, "localhost") == 0 ||
           strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0;
}

bool conninfo_needs_address(const struct conninfo_host *host)
{
    const char *name = host->name;
    unsigned char address[sizeof(struct in6_addr)];
    return name != NULL && host->address == NULL && name[0] != '/' && name[0] != '@' &&
           inet_pton(AF_INET, name, address) != 1 && inet_pton(AF_INET6, name, address) != 1;
}

/* What an earlier choice or the user's list has set is emptied, which libpq takes as not given. */
static void choose(struct conninfo *info, const char *keyword, const char *value)
{
    if (value != NULL || find(info, keyword) != NULL) {
        set(info, keyword, value != NULL ? value : "");
    }
}

void conninfo_choose(struct conninfo *info, const struct conninfo_host *host, const char *address)
{
    choose(info, "host", host->name);
    choose(info, "hostaddr", address != NULL ? address : host->address);
    choose(info, "port", host->port);
}

duration conninfo_timeout(const struct conninfo *info)
{
    const char *text = conninfo_value(info, "connect_timeout");
    long seconds = text != NULL ? strtol(text, NULL, 10) : 0;
    return seconds <= 0 ? 0 : (seconds < 2 ? 2 : seconds) * USEC_PER_SEC;
}

const char *conninfo_describe(const struct conninfo *info)
{
    return info->description;
}
