/* SPDX-License-Identifier: PostgreSQL */
/* The tokens of libconfig's syntax, with their lines; enough of it to know where entries begin and end.
 * Comments and white space are passed over. Survives any bytes; linear. */
#ifndef CHIME_CONFIG_LEXER_H
#define CHIME_CONFIG_LEXER_H

#include <stddef.h>

enum token_kind {
    TOKEN_END,
    TOKEN_WORD, /* a name, a number, true or false, or anything that is none of the others */
    TOKEN_STRING,
    TOKEN_ASSIGN,    /* = : */
    TOKEN_SEPARATOR, /* ; , */
    TOKEN_OPEN,      /* { [ ( */
    TOKEN_CLOSE,     /* } ] ) */
    TOKEN_UNCLOSED,  /* a string or comment without an end; begins at `start` */
};

struct token {
    enum token_kind kind;
    const char *start;
    size_t length;
    int line; /* where it begins */
};

struct lexer {
    const char *at;
    const char *end;
    int line;
};

struct token lexer_next(struct lexer *lexer);

#endif
