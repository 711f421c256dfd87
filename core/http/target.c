/* SPDX-License-Identifier: PostgreSQL */
#include "http/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

static int hex_value(char digit)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = digit != '\0' ? strchr(digits, digit) : NULL;
    return found != NULL ? (int)(found - digits) % 16 : -1;
}

/* In place. In a query '+' is a blank. */
static bool decode(char *text, bool query)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        int byte = (unsigned char)*from;
        if (byte == '%') {
            int high = hex_value(from[1]);
            int low = high < 0 ? -1 : hex_value(from[2]);
            byte = low < 0 ? -1 : high * 16 + low;
            from += 2;
        } else if (byte == '+' && query) {
            byte = ' ';
        }
        if (byte < 0x20 || byte == 0x7f) {
            return false;
        }
        *to++ = (char)byte;
    }
    *to = '\0';
    return utf8_valid(text, (size_t)(to - text));
}

static bool add_part(struct http_target *target, char *part)
{
    if (target->part_count == HTTP_PARTS_MAX || !decode(part, false) || part[0] == '\0' || strcmp(part, ".") == 0 ||
        strcmp(part, "..") == 0) {
        return false;
    }
    target->parts[target->part_count++] = part;
    return true;
}

static bool read_path(struct http_target *target, char *path)
{
    if (path[0] != '/') {
        return false;
    }
    char *part = path[1] != '\0' ? path + 1 : NULL;
    while (part != NULL) {
        char *slash = strchr(part, '/');
        if (slash != NULL) {
            *slash++ = '\0';
        }
        if (!add_part(target, part)) {
            return false;
        }
        part = slash;
    }
    return true;
}

static bool add_query(struct http_target *target, char *pair)
{
    char *value = strchr(pair, '=');
    if (value != NULL) {
        *value++ = '\0';
    } else {
        value = pair + strlen(pair);
    }
    if (target->query_count == HTTP_QUERIES_MAX || !decode(pair, true) || pair[0] == '\0' || !decode(value, true) ||
        http_target_query(target, pair) != NULL) {
        return false;
    }
    target->queries[target->query_count++] = (struct http_query){pair, value};
    return true;
}

static bool read_query(struct http_target *target, char *query)
{
    while (query != NULL && query[0] != '\0') {
        char *next = strchr(query, '&');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (!add_query(target, query)) {
            return false;
        }
        query = next;
    }
    return true;
}

bool http_target_read(const char *text, struct http_target *target)
{
    *target = (struct http_target){.text = xstrdup(text)};
    char *query = strchr(target->text, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    if (!read_path(target, target->text) || !read_query(target, query)) {
        http_target_finish(target);
        return false;
    }
    return true;
}

void http_target_finish(struct http_target *target)
{
    free(target->text);
    target->text = NULL;
}

const char *http_target_query(const struct http_target *target, const char *name)
{
    for (size_t i = 0; i < target->query_count; i++) {
        if (strcmp(target->queries[i].name, name) == 0) {
            return target->queries[i].value;
        }
    }
    return NULL;
}
