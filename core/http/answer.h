/* SPDX-License-Identifier: PostgreSQL */
/* An answer as bytes. */
#ifndef CHIME_HTTP_ANSWER_H
#define CHIME_HTTP_ANSWER_H

#include "base/buffer.h"
#include "http/request.h"

/* `always` are lines of every answer. Without a head (NULL), as to one that was refused, the connection ends. */
void http_answer_put(struct buffer *text, const struct http_answer *answer, const struct http_head *head,
                     const char *always);
/* {"title":...,"status":...,"detail":...,"hint":...} */
char *http_problem_text(int status, const char *detail, const char *hint); /* caller frees */

#endif
