/* SPDX-License-Identifier: PostgreSQL */
#include "http/answer.h"

#include <jansson.h>
#include <stdlib.h>

static const struct {
    int status;
    const char *title;
} titles[] = {
    {200, "OK"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *title_of(int status)
{
    for (size_t i = 0; i < COUNT_OF(titles); i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Unknown";
}

void http_answer_put(struct buffer *text, const struct http_answer *answer, const struct http_head *head,
                     const char *always)
{
    buffer_printf(text, "HTTP/1.1 %d %s\r\n%s", answer->status, title_of(answer->status), always);
    if (answer->fields != NULL) {
        buffer_puts(text, answer->fields);
    }
    if (answer->type != NULL) {
        buffer_printf(text, "Content-Type: %s\r\n", answer->type);
        if (!answer->endless) {
            buffer_printf(text, "Content-Length: %zu\r\n", answer->length);
        }
    } else if (answer->status != 204 && answer->status != 304) {
        buffer_puts(text, "Content-Length: 0\r\n");
    }
    buffer_printf(text, "Cache-Control: %s\r\n", answer->cache != NULL ? answer->cache : "private, no-cache");
    if (head == NULL || head->last || answer->endless) {
        buffer_puts(text, "Connection: close\r\n");
    }
    buffer_puts(text, "\r\n");
    if (answer->type != NULL && answer->length > 0 && (head == NULL || head->method != HTTP_HEAD)) {
        buffer_append(text, answer->body, answer->length);
    }
}

char *http_problem_text(int status, const char *detail, const char *hint)
{
    json_t *problem = json_pack("{s:s,s:i,s:s*,s:s*}", "title", title_of(status), "status", status, "detail", detail,
                                "hint", hint);
    char *text = problem != NULL ? json_dumps(problem, JSON_COMPACT) : NULL;
    json_decref(problem);
    if (text == NULL) { /* what is no UTF-8 */
        return xasprintf("{\"title\":\"%s\",\"status\":%d}", title_of(status), status);
    }
    char *copy = xstrdup(text);
    free(text);
    return copy;
}
