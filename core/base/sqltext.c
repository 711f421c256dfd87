/* SPDX-License-Identifier: PostgreSQL */
/* The lexical rules are the server's scan.l; hiding semicolons in parentheses and bodies is psql's psqlscan.l. */
#include "base/sqltext.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_STRING, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_SEMICOLON, TOKEN_OTHER };

struct token {
    enum token_kind kind;
    const char *start;
    size_t length;
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool starts_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static const char *skip_line(const char *at)
{
    while (*at != '\0' && !is_line_end(*at)) {
        at++;
    }
    return at;
}

/* Block comments nest, as in the standard and unlike C. */
static const char *skip_block_comment(const char *at)
{
    size_t depth = 0;
    do {
        if (at[0] == '/' && at[1] == '*') {
            depth++;
            at += 2;
        } else if (at[0] == '*' && at[1] == '/') {
            depth--;
            at += 2;
        } else if (*at != '\0') {
            at++;
        }
    } while (depth > 0 && *at != '\0');
    return at;
}

static const char *skip_blanks(const char *at)
{
    for (;;) {
        if (is_space(*at)) {
            at++;
        } else if (at[0] == '-' && at[1] == '-') {
            at = skip_line(at);
        } else if (at[0] == '/' && at[1] == '*') {
            at = skip_block_comment(at);
        } else {
            return at;
        }
    }
}

/* Past the closing quote. A doubled quote closes and opens again, which comes to the same. */
static const char *skip_quoted(const char *at, char quote)
{
    at++;
    while (*at != '\0' && *at != quote) {
        at++;
    }
    return *at == '\0' ? at : at + 1;
}

static const char *skip_escaped(const char *at)
{
    at++;
    while (*at != '\0' && *at != '\'') {
        at += at[0] == '\\' && at[1] != '\0' ? 2 : 1;
    }
    return *at == '\0' ? at : at + 1;
}

/* Where the string goes on after a line end ('a' <newline> 'b' is one string, in the first part's mode), or NULL. */
static const char *find_continuation(const char *at)
{
    bool line_ended = false;
    while (is_space(*at) || (at[0] == '-' && at[1] == '-')) {
        line_ended = line_ended || is_line_end(*at);
        at = is_space(*at) ? at + 1 : skip_line(at);
    }
    return line_ended && *at == '\'' ? at : NULL;
}

static const char *skip_escape_string(const char *at)
{
    for (;;) {
        at = skip_escaped(at);
        const char *next = *at == '\'' ? at : find_continuation(at);
        if (next == NULL) {
            return at;
        }
        at = next;
    }
}

static size_t word_length(const char *at)
{
    size_t length = 0;
    while (starts_word(at[length]) || is_digit(at[length]) || (length > 0 && at[length] == '$')) {
        length++;
    }
    return length;
}

/* Length of "$tag$" or "$$" at the start of the text; 0 when it is neither. */
static size_t dollar_tag_length(const char *at)
{
    size_t length = 1;
    while (starts_word(at[length]) || (length > 1 && is_digit(at[length]))) {
        length++;
    }
    return at[length] == '$' ? length + 1 : 0;
}

/* strchr, but for the sanitizers' strict mode, which measures the whole rest of the text at each call. */
static const char *next_dollar(const char *at)
{
    while (*at != '\0' && *at != '$') {
        at++;
    }
    return at;
}

/* The closing tag cannot overlap a "$" that begins it, so the search may go from one "$" to the next. */
static const char *skip_dollar_string(const char *at, size_t tag_length)
{
    const char *tag = at;
    at = next_dollar(at + tag_length);
    while (*at != '\0' && strncmp(at, tag, tag_length) != 0) {
        at = next_dollar(at + 1);
    }
    return *at == '\0' ? at : at + tag_length;
}

static const char *word_end(const char *at, enum token_kind *kind)
{
    size_t length = word_length(at);
    *kind = TOKEN_WORD;
    if (length == 1 && (*at == 'e' || *at == 'E') && at[1] == '\'') {
        *kind = TOKEN_STRING;
        return skip_escape_string(at + 1);
    }
    return at + length;
}

static const char *other_end(const char *at, enum token_kind *kind)
{
    size_t tag_length = *at == '$' ? dollar_tag_length(at) : 0;
    if (tag_length > 0) {
        *kind = TOKEN_STRING;
        return skip_dollar_string(at, tag_length);
    }
    *kind = TOKEN_OTHER;
    return at + 1;
}

static const char *token_end(const char *at, enum token_kind *kind)
{
    switch (*at) {
    case '\0':
        *kind = TOKEN_END;
        return at;
    case '\'':
    case '"':
        *kind = TOKEN_STRING;
        return skip_quoted(at, *at);
    case '(':
        *kind = TOKEN_OPEN;
        return at + 1;
    case ')':
        *kind = TOKEN_CLOSE;
        return at + 1;
    case ';':
        *kind = TOKEN_SEMICOLON;
        return at + 1;
    default:
        return starts_word(*at) ? word_end(at, kind) : other_end(at, kind);
    }
}

static struct token next_token(const char **at)
{
    struct token token = {.start = skip_blanks(*at)};
    *at = token_end(token.start, &token.kind);
    token.length = (size_t)(*at - token.start);
    return token;
}

static bool token_is(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && strlen(word) == token->length &&
           strncasecmp(token->start, word, token->length) == 0;
}

static bool is_label(const struct token *previous)
{
    return token_is(previous, "as") || (previous->kind == TOKEN_OTHER && *previous->start == '.');
}

/* What hides semicolons at a place in a statement. */
struct nesting {
    bool
        routine; /* CREATE [OR REPLACE] FUNCTION or PROCEDURE: elsewhere "begin atomic" may be a column and its label */
    size_t parentheses;
    size_t body; /* 0 outside of BEGIN ATOMIC; CASE counts too inside, because it also closes with END */
    struct token previous;
};

static void nesting_step(struct nesting *nesting, const struct token *token)
{
    if (token->kind == TOKEN_OPEN) {
        nesting->parentheses++;
    } else if (token->kind == TOKEN_CLOSE && nesting->parentheses > 0) {
        nesting->parentheses--;
    } else if (nesting->routine && nesting->parentheses == 0 && token_is(token, "atomic") &&
               token_is(&nesting->previous, "begin")) {
        nesting->body++;
    } else if (nesting->body > 0 && !is_label(&nesting->previous)) {
        nesting->body += token_is(token, "case") ? 1 : 0;
        nesting->body -= token_is(token, "end") ? 1 : 0;
    }
    nesting->previous = *token;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void copy_word(const struct token *token, char word[static 24])
{
    size_t length = token->length < 23 ? token->length : 23;
    for (size_t i = 0; i < length; i++) {
        word[i] = lower(token->start[i]);
    }
}

/* `place` counts the statement's tokens from 0. */
static bool is_routine_word(const struct sql_statement *statement, const struct token *token, size_t place)
{
    return (token_is(token, "function") || token_is(token, "procedure")) &&
           strcmp(statement->words[0], "create") == 0 &&
           (place == 1 || (place == 3 && strcmp(statement->words[2], "replace") == 0));
}

bool sql_next_statement(const char **cursor, struct sql_statement *statement)
{
    struct token token = next_token(cursor);
    while (token.kind == TOKEN_SEMICOLON) {
        token = next_token(cursor);
    }
    if (token.kind == TOKEN_END) {
        return false;
    }
    *statement = (struct sql_statement){.start = token.start};
    struct nesting nesting = {.parentheses = 0};
    bool leading = true;
    for (size_t place = 0; token.kind != TOKEN_END; place++) {
        if (token.kind == TOKEN_SEMICOLON && nesting.parentheses == 0 && nesting.body == 0) {
            break;
        }
        leading = leading && token.kind == TOKEN_WORD && place < COUNT_OF(statement->words);
        if (leading) {
            copy_word(&token, statement->words[place]);
        }
        nesting.routine = nesting.routine || is_routine_word(statement, &token, place);
        nesting_step(&nesting, &token);
        token = next_token(cursor);
    }
    statement->length = (size_t)(token.start - statement->start);
    return true;
}

size_t sql_statement_count(const char *text)
{
    struct sql_statement statement;
    size_t count = 0;
    while (sql_next_statement(&text, &statement)) {
        count++;
    }
    return count;
}

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

bool sql_is_transaction_control(const struct sql_statement *statement)
{
    static const char *const words[] = {"begin", "commit", "end", "rollback", "abort", "savepoint", "release"};
    const char *first = statement->words[0];
    const char *second = statement->words[1];
    return is_one_of(first, words, COUNT_OF(words)) ||
           ((strcmp(first, "start") == 0 || strcmp(first, "prepare") == 0) && strcmp(second, "transaction") == 0);
}

static bool mentions(const struct sql_statement *statement, const char *word)
{
    const char *at = statement->start;
    while (at < statement->start + statement->length) {
        struct token token = next_token(&at);
        if (token_is(&token, word)) {
            return true;
        }
    }
    return false;
}

bool sql_stands_alone(const struct sql_statement *statement)
{
    static const char *const objects[] = {"database", "tablespace", "system", "subscription"};
    static const char *const definers[] = {"create", "drop", "alter"};
    const char *first = statement->words[0];
    return strcmp(first, "vacuum") == 0 ||
           (is_one_of(first, definers, COUNT_OF(definers)) &&
            (is_one_of(statement->words[1], objects, COUNT_OF(objects)) || mentions(statement, "concurrently"))) ||
           (strcmp(first, "reindex") == 0 && mentions(statement, "concurrently"));
}

/* CALL and DO may commit inside; ANALYZE of several tables does between them. */
static bool commits_by_itself(const struct sql_statement *statement)
{
    static const char *const words[] = {"call", "do", "analyze", "analyse", "cluster", "reindex", "discard"};
    return is_one_of(statement->words[0], words, COUNT_OF(words)) || sql_stands_alone(statement);
}

bool sql_is_one_transaction(const char *text)
{
    struct sql_statement statement;
    while (sql_next_statement(&text, &statement)) {
        if (sql_is_transaction_control(&statement) || commits_by_itself(&statement)) {
            return false;
        }
    }
    return true;
}

bool sql_is_single_statement(const char *text)
{
    struct sql_statement statement;
    struct sql_statement more;
    return sql_next_statement(&text, &statement) && strcmp(statement.words[0], "copy") != 0 &&
           !sql_next_statement(&text, &more);
}

bool sqltext_copies_from_client(const char *text)
{
    struct sql_statement statement;
    while (sql_next_statement(&text, &statement)) {
        if (strcmp(statement.words[0], "copy") == 0 && mentions(&statement, "stdin")) {
            return true;
        }
    }
    return false;
}

bool sqltext_has_client_command(const char *text)
{
    struct token token = next_token(&text);
    while (token.kind != TOKEN_END) {
        if (token.kind == TOKEN_OTHER && *token.start == '\\') {
            return true;
        }
        token = next_token(&text);
    }
    return false;
}

bool sqltext_uses_parameters(const char *text)
{
    struct token token = next_token(&text);
    while (token.kind != TOKEN_END) {
        if (token.kind == TOKEN_OTHER && *token.start == '$' && is_digit(token.start[1])) {
            return true;
        }
        token = next_token(&text);
    }
    return false;
}

#define PARAMETER_MAX 65536 /* more than the server takes */

static size_t parameter_number(const char *at)
{
    size_t number = 0;
    for (; is_digit(*at); at++) {
        number = number < PARAMETER_MAX ? number * 10 + (size_t)(*at - '0') : number;
    }
    return number;
}

size_t sqltext_highest_parameter(const char *text)
{
    size_t highest = 0;
    struct token token = next_token(&text);
    while (token.kind != TOKEN_END) {
        if (token.kind == TOKEN_OTHER && *token.start == '$') {
            size_t number = parameter_number(token.start + 1);
            highest = number > highest ? number : highest;
        }
        token = next_token(&text);
    }
    return highest;
}

bool sqltext_next_name(const char **cursor, const char **name, size_t *length)
{
    struct token token = next_token(cursor);
    while (token.kind != TOKEN_END) {
        if (token.kind == TOKEN_OTHER && *token.start == '$' && starts_word(token.start[1])) {
            *name = token.start + 1;
            *length = 0;
            while (starts_word((*name)[*length]) || is_digit((*name)[*length])) {
                ++*length;
            }
            *cursor = *name + *length;
            return true;
        }
        token = next_token(cursor);
    }
    return false;
}
