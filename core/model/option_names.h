/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/model: names that are no option's. */
#ifndef CHIME_MODEL_OPTION_NAMES_H
#define CHIME_MODEL_OPTION_NAMES_H

#include <stdbool.h>

#include "base/error.h"

/* Says what is wrong with such a name; returns false. */
bool option_name_refuse(const char *name, struct error *err);

#endif
