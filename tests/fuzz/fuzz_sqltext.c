/* SPDX-License-Identifier: PostgreSQL */
/* Any bytes as SQL: the scan survives, its statements lie in order within the text, and its answers agree. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sqltext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static size_t walk(const char *text, bool *control)
{
    const char *end = text + strlen(text);
    const char *cursor = text;
    const char *reached = text;
    struct sql_statement statement;
    size_t count = 0;
    while (sql_next_statement(&cursor, &statement)) {
        require(statement.length > 0 && statement.start >= reached && statement.start[0] != ';');
        reached = statement.start + statement.length;
        require(reached <= end && (*reached == ';' || reached == end) && cursor >= reached && cursor <= end);
        for (size_t i = 0; i < COUNT_OF(statement.words); i++) {
            require(memchr(statement.words[i], '\0', sizeof(statement.words[i])) != NULL);
        }
        *control = *control || sql_is_transaction_control(&statement);
        count++;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xstrndup((const char *)data, size);
    bool control = false;
    size_t count = walk(text, &control);
    require(sql_statement_count(text) == count);
    require(!control || !sql_is_one_transaction(text));
    require(!sql_is_single_statement(text) || count == 1);
    require(!sqltext_uses_parameters(text) || strchr(text, '$') != NULL);
    free(text);
    return 0;
}
