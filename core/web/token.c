/* SPDX-License-Identifier: PostgreSQL */
#include "web/token.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "notify/secret.h"
#include "web/hex.h"

#define WORD_MAX 79

static bool refuse(struct error *err, const char *path, int line, const char *why)
{
    error_set(err, ERROR_CONFIG, "%s:%d: %s", path, line, why);
    return error_hint(err, "pgchime web token NAME --role view makes such a line");
}

static bool parse_line(const char *text, const char *path, int line, struct tokens *tokens, struct error *err)
{
    char name[WORD_MAX + 1];
    char role[WORD_MAX + 1];
    char digest[WORD_MAX + 1];
    char rest;
    struct token token;
    if (sscanf(text, "%79s %79s %79s %c", name, role, digest, &rest) != 3) {
        return refuse(err, path, line, "a line has a name, a role and a SHA-256");
    }
    if (!name_valid(name)) {
        return refuse(err, path, line, "the name is no name");
    }
    if (tokens_named(tokens, name) != NULL) {
        return refuse(err, path, line, "that name comes twice");
    }
    if (!web_role_find(role, &token.role) || token.role == WEB_NONE) {
        return refuse(err, path, line, "the role is none of tiles, view and operate");
    }
    if (!hex_read(digest, token.digest, sizeof(token.digest))) {
        return refuse(err, path, line, "the SHA-256 is not 64 hexadecimal digits in lower case");
    }
    token.name = xstrdup(name);
    tokens->tokens = xrealloc(tokens->tokens, tokens->count + 1, sizeof(*tokens->tokens));
    tokens->tokens[tokens->count++] = token;
    return true;
}

bool tokens_parse(const char *text, const char *path, struct tokens *tokens, struct error *err)
{
    *tokens = (struct tokens){.count = 0};
    char *copy = xstrdup(text);
    bool sound = true;
    int number = 0;
    for (char *line = copy; sound && line != NULL; number++) {
        char *next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        line += strspn(line, " ");
        sound = line[0] == '\0' || line[0] == '#' || parse_line(line, path, number + 1, tokens, err);
        line = next;
    }
    free(copy);
    if (!sound) {
        tokens_finish(tokens);
    }
    return sound;
}

bool tokens_read(const char *path, struct tokens *tokens, struct error *err)
{
    *tokens = (struct tokens){.count = 0};
    char *text = secret_read(path, err);
    if (text == NULL) {
        return err->hint[0] != '\0' ? false : error_hint(err, "pgchime web token NAME --role view makes a line of it");
    }
    bool sound = tokens_parse(text, path, tokens, err);
    free(text);
    return sound;
}

void tokens_finish(struct tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++) {
        free(tokens->tokens[i].name);
    }
    free(tokens->tokens);
    *tokens = (struct tokens){.count = 0};
}

static void digest_of(const char *secret, unsigned char digest[static TOKEN_DIGEST_SIZE])
{
    SHA256((const unsigned char *)secret, strlen(secret), digest);
}

const struct token *tokens_find(const struct tokens *tokens, const char *secret)
{
    unsigned char digest[TOKEN_DIGEST_SIZE];
    const struct token *found = NULL;
    digest_of(secret, digest);
    for (size_t i = 0; i < tokens->count; i++) {
        found = CRYPTO_memcmp(tokens->tokens[i].digest, digest, sizeof(digest)) == 0 ? &tokens->tokens[i] : found;
    }
    return found;
}

const struct token *tokens_named(const struct tokens *tokens, const char *name)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (strcmp(tokens->tokens[i].name, name) == 0) {
            return &tokens->tokens[i];
        }
    }
    return NULL;
}

void token_make(char secret[static TOKEN_TEXT_SIZE])
{
    unsigned char bytes[TOKEN_DIGEST_SIZE];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        fatal("no random bytes can be had");
    }
    hex_write(bytes, sizeof(bytes), secret);
}

char *token_line(const char *name, enum web_role role, const char *secret)
{
    unsigned char digest[TOKEN_DIGEST_SIZE];
    char text[TOKEN_TEXT_SIZE];
    digest_of(secret, digest);
    hex_write(digest, sizeof(digest), text);
    return xasprintf("%s %s %s", name, web_role_names[role], text);
}
