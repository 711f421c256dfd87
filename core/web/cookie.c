/* SPDX-License-Identifier: PostgreSQL */
#include "web/cookie.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "web/hex.h"

#define VALUE_MAX 256

/* NAME.UNTIL with its mark. */
static char *sign(const struct token *token, int64_t until)
{
    unsigned char mark[EVP_MAX_MD_SIZE];
    char text[2 * EVP_MAX_MD_SIZE + 1];
    unsigned length = 0;
    char *said = xasprintf("%s.%lld", token->name, (long long)until);
    HMAC(EVP_sha256(), token->digest, sizeof(token->digest), (const unsigned char *)said, strlen(said), mark, &length);
    hex_write(mark, length, text);
    char *value = xasprintf("%s.%s", said, text);
    free(said);
    return value;
}

char *cookie_make(const struct token *token, instant now)
{
    return sign(token, (now + COOKIE_LIFE) / USEC_PER_SEC);
}

static bool holds(const struct token *token, int64_t until, const char *value)
{
    char *expected = sign(token, until);
    bool same = strlen(expected) == strlen(value) && CRYPTO_memcmp(expected, value, strlen(value)) == 0;
    free(expected);
    return same;
}

static const struct token *judge(const char *value, const struct tokens *tokens, instant now)
{
    char name[VALUE_MAX];
    size_t length = strcspn(value, ".");
    if (value[length] == '\0' || length >= sizeof(name)) {
        return NULL;
    }
    memcpy(name, value, length);
    name[length] = '\0';
    char *until_text = xstrndup(value + length + 1, strcspn(value + length + 1, "."));
    const struct token *token = tokens_named(tokens, name);
    int64_t until;
    bool valid = token != NULL && parse_int64(until_text, now / USEC_PER_SEC, INT64_MAX, &until) &&
                 holds(token, until, value);
    free(until_text);
    return valid ? token : NULL;
}

const struct token *cookie_find(const char *field, const struct tokens *tokens, instant now)
{
    const struct token *found = NULL;
    while (field != NULL && found == NULL) {
        field += strspn(field, " ;");
        size_t length = strcspn(field, ";");
        if (strncmp(field, COOKIE_NAME "=", strlen(COOKIE_NAME "=")) == 0) {
            char *value = xstrndup(field + strlen(COOKIE_NAME "="), length - strlen(COOKIE_NAME "="));
            found = judge(value, tokens, now);
            free(value);
        }
        field = field[length] != '\0' ? field + length : NULL;
    }
    return found;
}
