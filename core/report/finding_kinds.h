/* SPDX-License-Identifier: PostgreSQL */
/* What `doctor` may find. An id is kept for good: monitoring and people go by it. Where an alert of that name exists
 * the two find the same.
 *
 * Does: say of each id what it is about and why it matters. docs/doctor.md lists the same (unit/test_finding_kinds).
 * Does not: look. Rules of plugins and of a configuration are findings, too, and are not listed here. */
#ifndef CHIME_REPORT_FINDING_KINDS_H
#define CHIME_REPORT_FINDING_KINDS_H

#include <stddef.h>

struct finding_kind {
    const char *id;
    const char *about;
    const char *why; /* it matters: a sentence without a final stop */
};

size_t finding_kind_count(void);
const struct finding_kind *finding_kind_at(size_t place);
/* Never NULL: what is not listed is an alert of somebody's own condition. */
const struct finding_kind *finding_kind_of(const char *id);

#endif
