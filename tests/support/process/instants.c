/* SPDX-License-Identifier: PostgreSQL */
#include "support/process/instants.h"

instant at(const char *text)
{
    instant result = INSTANT_NONE;
    struct error err = {0};
    ck_assert_msg(instant_parse(text, &result, &err), "%s", err.message);
    return result;
}
