/* SPDX-License-Identifier: PostgreSQL */
#include "report/statements.h"

const struct report_statement *report_statement(enum report_id id)
{
#define REPORT_ENTRY(id, statement) [id] = &(statement),
    static const struct report_statement *const table[] = {REPORT_STATEMENTS(REPORT_ENTRY)};
#undef REPORT_ENTRY
    return table[id];
}
