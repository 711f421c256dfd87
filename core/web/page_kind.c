/* SPDX-License-Identifier: PostgreSQL */
#include "web/page_kind.h"
#include "base/text.h"

const char *page_query(const struct page *page, const char *name)
{
    return http_target_query(&page->target, name);
}

bool page_refuse_job(const struct page *page, struct error *err)
{
    error_set(err, ERROR_NOT_FOUND, "there is no job \"%s\"", page->job);
    return error_hint(err, "GET /api/v1/d/%s/jobs?all lists them", page->database->name);
}

bool page_read_number(const struct page *page, const char *name, int64_t most, int64_t *number, struct error *err)
{
    const char *given = page_query(page, name);
    if (given != NULL && !parse_int64(given, 1, most, number)) {
        error_set(err, ERROR_USAGE, "\"%s\" is no number from 1 to %lld", name, (long long)most);
        return error_hint(err, "docs/web.md says how a list goes on");
    }
    return true;
}

bool page_read_instant(const struct page *page, const char *name, char *text, const char **value, struct error *err)
{
    const char *given = page_query(page, name);
    instant at;
    if (given == NULL) {
        return true;
    }
    if (!instant_parse(given, &at, err)) {
        err->kind = ERROR_USAGE;
        return error_prefix(err, "\"%s\"", name);
    }
    *value = instant_format(at, text);
    return true;
}
