/* SPDX-License-Identifier: PostgreSQL */
#include "web/page_kind.h"

const char *page_query(const struct page *page, const char *name)
{
    return http_target_query(&page->target, name);
}

bool page_refuse_job(const struct page *page, struct error *err)
{
    error_set(err, ERROR_NOT_FOUND, "there is no job \"%s\"", page->job);
    return error_hint(err, "GET /api/v1/d/%s/jobs?all lists them", page->database->name);
}
