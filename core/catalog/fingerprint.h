/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/catalog: one text made of everything that decides what a job or plugin does. */
#ifndef CHIME_CATALOG_FINGERPRINT_H
#define CHIME_CATALOG_FINGERPRINT_H

#include "base/buffer.h"
#include "catalog/catalog.h"

void fingerprint_job(struct buffer *buffer, const struct job *job);
/* No paths of files: they are a machine's own. */
void fingerprint_alert(struct buffer *buffer, const struct config_alert *alert);
void fingerprint_sink(struct buffer *buffer, const struct config_sink *sink);
void fingerprint_heartbeat(struct buffer *buffer, const struct config_heartbeat *heartbeat); /* NULL: there is none */
/* The plugin of that name in that database; NULL: there is none. */
const struct catalog_plugin *fingerprint_find_plugin(const struct catalog *catalog, const struct catalog_plugin *like);
bool fingerprint_same_plugin(const struct catalog_plugin *left, const struct catalog_plugin *right);

#endif
