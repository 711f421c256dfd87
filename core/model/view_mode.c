/* SPDX-License-Identifier: PostgreSQL */
#include "model/view_mode.h"

const char *const view_modes[] = {"auto", "keyed", "strict", "full", "matview", NULL};
