/* SPDX-License-Identifier: PostgreSQL */
/* Logs a list of errors, each with its place and hint. */
#include <stdlib.h>

#include "base/log.h"

void log_findings(const struct report *report, const char *elsewhere)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct finding *finding = &report->findings[i];
        char *line = finding_line(finding);
        log_warning("%s%s%s%s%s", finding->file == NULL ? elsewhere : "", finding->file == NULL ? ": " : "", line,
                    finding->hint != NULL ? "; " : "", finding->hint != NULL ? finding->hint : "");
        free(line);
    }
}
