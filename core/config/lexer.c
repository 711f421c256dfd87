/* SPDX-License-Identifier: PostgreSQL */
#include "config/lexer.h"

#include <stdbool.h>
#include <string.h>

static bool starts(const struct lexer *lexer, const char *text)
{
    size_t length = strlen(text);
    return (size_t)(lexer->end - lexer->at) >= length && memcmp(lexer->at, text, length) == 0;
}

static void step(struct lexer *lexer)
{
    lexer->line += *lexer->at == '\n' ? 1 : 0;
    lexer->at++;
}

static bool is_space(char byte)
{
    return byte != '\0' && strchr(" \t\n\r\f", byte) != NULL;
}

static bool at_comment(const struct lexer *lexer)
{
    return starts(lexer, "#") || starts(lexer, "//") || starts(lexer, "/*");
}

static void skip_line(struct lexer *lexer)
{
    while (lexer->at < lexer->end && *lexer->at != '\n') {
        lexer->at++;
    }
}

/* False when the comment never ends. */
static bool skip_block(struct lexer *lexer)
{
    lexer->at += 2;
    while (lexer->at < lexer->end) {
        if (starts(lexer, "*/")) {
            lexer->at += 2;
            return true;
        }
        step(lexer);
    }
    return false;
}

static struct token finish(const struct lexer *lexer, struct token token, enum token_kind kind)
{
    token.kind = kind;
    token.length = (size_t)(lexer->at - token.start);
    return token;
}

static struct token read_string(struct lexer *lexer, struct token token)
{
    lexer->at++;
    while (lexer->at < lexer->end) {
        if (*lexer->at == '"') {
            lexer->at++;
            return finish(lexer, token, TOKEN_STRING);
        }
        if (*lexer->at == '\\' && lexer->at + 1 < lexer->end) {
            step(lexer);
        }
        step(lexer);
    }
    return finish(lexer, token, TOKEN_UNCLOSED);
}

static enum token_kind kind_of_mark(char byte)
{
    switch (byte) {
    case '=':
    case ':':
        return TOKEN_ASSIGN;
    case ';':
    case ',':
        return TOKEN_SEPARATOR;
    case '{':
    case '[':
    case '(':
        return TOKEN_OPEN;
    case '}':
    case ']':
    case ')':
        return TOKEN_CLOSE;
    default:
        return TOKEN_WORD;
    }
}

static struct token read_word(struct lexer *lexer, struct token token)
{
    while (lexer->at < lexer->end && !is_space(*lexer->at) && *lexer->at != '"' &&
           kind_of_mark(*lexer->at) == TOKEN_WORD && !at_comment(lexer)) {
        lexer->at++;
    }
    return finish(lexer, token, TOKEN_WORD);
}

/* False at a comment that never ends, which is left in place. */
static bool skip_blank(struct lexer *lexer)
{
    while (lexer->at < lexer->end) {
        if (is_space(*lexer->at)) {
            step(lexer);
        } else if (starts(lexer, "#") || starts(lexer, "//")) {
            skip_line(lexer);
        } else if (starts(lexer, "/*")) {
            struct lexer before = *lexer;
            if (!skip_block(lexer)) {
                *lexer = before;
                return false;
            }
        } else {
            return true;
        }
    }
    return true;
}

struct token lexer_next(struct lexer *lexer)
{
    bool closed = skip_blank(lexer);
    struct token token = {.kind = TOKEN_END, .start = lexer->at, .line = lexer->line};
    if (!closed) {
        lexer->at = lexer->end;
        return finish(lexer, token, TOKEN_UNCLOSED);
    }
    if (lexer->at == lexer->end) {
        return token;
    }
    if (*lexer->at == '"') {
        return read_string(lexer, token);
    }
    enum token_kind kind = kind_of_mark(*lexer->at);
    if (kind == TOKEN_WORD) {
        return read_word(lexer, token);
    }
    lexer->at++;
    return finish(lexer, token, kind);
}
