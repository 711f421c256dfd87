/* SPDX-License-Identifier: PostgreSQL */
/* Views of a database, with their last refresh and how far they are behind. */
#ifndef CHIME_REPORT_VIEW_LIST_H
#define CHIME_REPORT_VIEW_LIST_H

#include <stdbool.h>

#include "config/config.h"
#include "report/output.h"
#include "report/statements.h"

struct output_list *view_list_create(void);
/* All, or only those that are not known to be fresh. */
void view_list_ask(struct question *question, const struct config_database *database, bool stale);

#endif
