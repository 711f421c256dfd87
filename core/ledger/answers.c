#include "ledger/answers.h"

#include <string.h>

#include "base/log.h"

instant answer_instant(const char *text)
{
    instant at;
    if (text == NULL) {
        return INSTANT_NONE;
    }
    if (!instant_parse(text, &at, NULL)) {
        fatal("the ledger answered \"%s\" where an instant was due", text);
    }
    return at;
}

enum run_kind answer_kind(const char *text)
{
    for (enum run_kind kind = 0; kind < RUN_KIND_COUNT; kind++) {
        if (strcmp(text, run_kind_name(kind)) == 0) {
            return kind;
        }
    }
    fatal("the ledger answered \"%s\" where a kind of run was due", text);
}
