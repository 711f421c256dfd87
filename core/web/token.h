/* SPDX-License-Identifier: PostgreSQL */
/* Tokens: a file of lines "NAME ROLE SHA-256", since a file of tokens themselves would be worth stealing.
 *
 * Does: make a token, read the file, find whose token it is.
 * Does not: say what a role may see (config/web.h). */
#ifndef CHIME_WEB_TOKEN_H
#define CHIME_WEB_TOKEN_H

#include "config/web.h"

#define TOKEN_DIGEST_SIZE 32
#define TOKEN_TEXT_SIZE (2 * TOKEN_DIGEST_SIZE + 1)

struct token {
    char *name;
    enum web_role role;
    unsigned char digest[TOKEN_DIGEST_SIZE];
};

struct tokens {
    struct token *tokens;
    size_t count;
};

/* False with the line that is wrong, and no tokens. The file must be unreadable for others. */
bool tokens_read(const char *path, struct tokens *tokens, struct error *err) CHIME_MUST_CHECK;
bool tokens_parse(const char *text, const char *path, struct tokens *tokens, struct error *err) CHIME_MUST_CHECK;
void tokens_finish(struct tokens *tokens);
/* NULL: nobody's. Takes as long for each. */
const struct token *tokens_find(const struct tokens *tokens, const char *secret);
const struct token *tokens_named(const struct tokens *tokens, const char *name);

/* 256 bits, as hexadecimal digits. */
void token_make(char secret[static TOKEN_TEXT_SIZE]);
/* The line of the file, without its end; caller frees. */
char *token_line(const char *name, enum web_role role, const char *secret);

#endif
