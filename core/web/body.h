/* SPDX-License-Identifier: PostgreSQL */
/* A body that is sent many times: the text with its ETag, and gzipped where that is shorter. */
#ifndef CHIME_WEB_BODY_H
#define CHIME_WEB_BODY_H

#include "http/request.h"

#define BODY_TAG_SIZE 33

struct body {
    const char *type;  /* borrowed, as */
    const char *cache; /* what Cache-Control says; NULL: private, no-cache */
    char *text;
    size_t length;
    char *zipped; /* NULL: it would be no shorter */
    size_t zipped_length;
    char tag[BODY_TAG_SIZE]; /* another one for another text */
};

void body_make(struct body *body, const char *type, const char *text, size_t length);
void body_finish(struct body *body);
/* 304 where the client has it, gzipped where it asked for that. */
void body_answer(const struct body *body, struct http_request *request);

#endif
