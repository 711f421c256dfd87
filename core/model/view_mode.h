/* SPDX-License-Identifier: PostgreSQL */
/* How a kept relation is refreshed, in the words of plugins, conf.d and chime.view. */
#ifndef CHIME_MODEL_VIEW_MODE_H
#define CHIME_MODEL_VIEW_MODE_H

#include <stddef.h>

/* "auto" and "keyed" are keyed where that is possible, else full; "strict" is keyed or fails; "matview" is a
 * materialized view. Ended by NULL. */
extern const char *const view_modes[];
#define VIEW_MODE_COUNT ((size_t)5)

#endif
