/* SPDX-License-Identifier: PostgreSQL */
#include "config/environment.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/settings.h"

static const char *value_of(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The length of a name of a variable, 0 where there is none. */
static size_t name_length(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    if (text[0] == '\0' || strchr(letters, text[0]) == NULL) {
        return 0;
    }
    return 1 + strspn(text + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
}

/* At "${": its value into `text`, and where it ends; NULL where it was reported. */
static const char *expand(struct reader *reader, const config_setting_t *setting, const char *at, struct buffer *text)
{
    const char *key = config_setting_name(setting);
    size_t length = name_length(at + 2);
    if (length == 0 || at[2 + length] != '}') {
        reader_report(reader, setting, "${NAME} is a variable of the environment; $${ is written for ${",
                      "\"%s\" has \"${\" and no name of a variable behind it", key);
        return NULL;
    }
    const char *name = arena_strndup(reader->scratch, at + 2, length);
    const char *value = getenv(name);
    if (value == NULL) {
        reader_report(reader, setting, "set it for the daemon, and for each command that reads this file",
                      "\"%s\" takes ${%s} from the environment, where it is not set", key, name);
        return NULL;
    }
    if (!utf8_valid(value, strlen(value))) {
        reader_report(reader, setting, NULL, "\"%s\" takes ${%s} from the environment, and that is not UTF-8", key,
                      name);
        return NULL;
    }
    buffer_puts(text, value);
    return at + 2 + length + 1;
}

const char *setting_expanded(struct reader *reader, const config_setting_t *group, const char *name, const char *owner)
{
    const char *written = setting_string(reader, group, name, owner);
    if (written == NULL || strstr(written, "${") == NULL) {
        return written;
    }
    const config_setting_t *setting = config_setting_get_member(group, name);
    struct buffer text = {0};
    const char *at = written;
    while (at != NULL && *at != '\0') {
        if (strncmp(at, "$${", 3) == 0) {
            buffer_puts(&text, "${");
            at += 3;
        } else if (strncmp(at, "${", 2) == 0) {
            at = expand(reader, setting, at, &text);
        } else {
            buffer_putc(&text, *at++);
        }
    }
    const char *expanded = at != NULL ? arena_strdup(reader->arena, buffer_text(&text)) : NULL;
    buffer_finish(&text);
    return expanded;
}

static void put_parameter(struct buffer *text, const char *keyword, const char *value)
{
    if (value == NULL) {
        return;
    }
    buffer_printf(text, "%s%s='", text->length > 0 ? " " : "", keyword);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\'' || *c == '\\') {
            buffer_putc(text, '\\');
        }
        buffer_putc(text, *c);
    }
    buffer_putc(text, '\'');
}

const char *environment_conninfo(struct arena *arena)
{
    static const char *const parameters[][2] = {{"service", "PGSERVICE"},   {"host", "PGHOST"},
                                                {"hostaddr", "PGHOSTADDR"}, {"dbname", "PGDATABASE"},
                                                {"port", "PGPORT"},         {"user", "PGUSER"}};
    const char *url = value_of("DATABASE_URL");
    if (url != NULL) {
        return arena_strdup(arena, url);
    }
    struct buffer text = {0};
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(parameters); i++) {
        const char *value = value_of(parameters[i][1]);
        put_parameter(&text, parameters[i][0], value);
        known = known || (value != NULL && i < 4);
    }
    const char *conninfo = known ? arena_strdup(arena, buffer_text(&text)) : NULL;
    buffer_finish(&text);
    return conninfo;
}
