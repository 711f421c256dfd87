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

static size_t split(struct arena *arena, const char *list, char ***parts)
{
    size_t count = 1;
    for (const char *c = list; *c != '\0'; c++) {
        count += *c == ',';
    }
    *parts = arena_alloc(arena, count * sizeof **parts);
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(list, ",");
        (*parts)[i] = arena_strndup(arena, list, length);
        list += length + 1;
    }
    return count;
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
    if (!conninfo_parse(info, target->conninfo, err)) {
        conninfo_finish(info);
        return false;
    }
    set_options(info, target);
    set_default(info, "application_name", target->application_name);
    set(info, "client_encoding", "UTF8");
    set_default(info, "keepalives_idle", "5");
    set_default(info, "keepalives_interval", "2");
    set_default(info, "keepalives_count", "3");
    set_default(info, "tcp_user_timeout", "10000");
    const char *host = conninfo_value(info, "host");
    if (host != NULL && conninfo_value(info, "hostaddr") == NULL) {
        info->host_count = split(info->arena, host, &info->hosts);
    }
    return true;
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

bool conninfo_needs_address(const struct conninfo *info, size_t host)
{
    const char *name = info->hosts[host];
    unsigned char address[sizeof(struct in6_addr)];
    return name[0] != '\0' && name[0] != '/' && name[0] != '@' && inet_pton(AF_INET, name, address) != 1 &&
           inet_pton(AF_INET6, name, address) != 1;
}

bool conninfo_set_addresses(struct conninfo *info, const char *const *addresses)
{
    struct buffer hosts = {0};
    struct buffer found = {0};
    struct buffer ports = {0};
    char **port_list = NULL;
    const char *port = conninfo_value(info, "port");
    size_t port_count = port != NULL ? split(info->arena, port, &port_list) : 0;
    bool any = false;
    for (size_t i = 0; i < info->host_count; i++) {
        if (addresses[i] == NULL && conninfo_needs_address(info, i)) {
            continue;
        }
        buffer_printf(&hosts, "%s%s", any ? "," : "", info->hosts[i]);
        buffer_printf(&found, "%s%s", any ? "," : "", addresses[i] != NULL ? addresses[i] : "");
        if (port_count > 1) {
            buffer_printf(&ports, "%s%s", any ? "," : "", i < port_count ? port_list[i] : "");
        }
        any = true;
    }
    if (any) {
        set(info, "host", arena_strdup(info->arena, buffer_text(&hosts)));
        set(info, "hostaddr", arena_strdup(info->arena, buffer_text(&found)));
        if (port_count > 1) {
            set(info, "port", arena_strdup(info->arena, buffer_text(&ports)));
        }
    }
    buffer_finish(&hosts);
    buffer_finish(&found);
    buffer_finish(&ports);
    return any;
}

const char *conninfo_describe(const struct conninfo *info)
{
    const char *host = conninfo_value(info, "host");
    const char *port = conninfo_value(info, "port");
    const char *database = conninfo_value(info, "dbname");
    const char *user = conninfo_value(info, "user");
    return arena_printf(info->arena, "host %s%s%s database %s%s%s", host != NULL ? host : "default",
                        port != NULL ? " port " : "", port != NULL ? port : "", database != NULL ? database : "default",
                        user != NULL ? " user " : "", user != NULL ? user : "");
}
