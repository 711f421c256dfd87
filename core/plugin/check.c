/* SPDX-License-Identifier: PostgreSQL */
/* How the checks of a declaration say where they failed. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "plugin/declaration_check.h"

const char *check_place(char place[static CHECK_PLACE_SIZE], const char *list, size_t index, const char *name)
{
    if (name == NULL) {
        snprintf(place, CHECK_PLACE_SIZE, "%s[%zu]", list, index);
    } else {
        snprintf(place, CHECK_PLACE_SIZE, "%s[%zu] \"%.*s\"", list, index, (int)utf8_cut(name, strlen(name), 63), name);
    }
    return place;
}

bool check_fail(struct check *check, const char *hint, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *message = xvasprintf(format, arguments);
    va_end(arguments);
    error_set(check->err, ERROR_CONFIG, "%s", message);
    free(message);
    return error_hint(check->err, "%s", hint[0] != '\0' ? hint : "correct it in the plugin, and build it again");
}

bool check_given(struct check *check, const char *place, const char *member, const char *text)
{
    return text != NULL || check_fail(check, "every such item needs it", "%s: %s is missing", place, member);
}
