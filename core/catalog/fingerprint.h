/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/catalog: all that decides what a job or plugin does, as one text. */
#ifndef CHIME_CATALOG_FINGERPRINT_H
#define CHIME_CATALOG_FINGERPRINT_H

#include "base/buffer.h"
#include "catalog/catalog.h"

void fingerprint_job(struct buffer *buffer, const struct job *job);
/* The plugin of that name in that database; NULL: there is none. */
const struct catalog_plugin *fingerprint_find_plugin(const struct catalog *catalog, const struct catalog_plugin *like);
bool fingerprint_same_plugin(const struct catalog_plugin *left, const struct catalog_plugin *right);

#endif
