/* SPDX-License-Identifier: PostgreSQL */
/* Texts of which few different ones exist (zones, pools), each kept once for the life of the process.
 *
 * So a plain value may hold one without owning it, and equal texts are equal pointers. What roles can invent without
 * bound is forgotten again: intern_forget. */
#ifndef CHIME_BASE_INTERN_H
#define CHIME_BASE_INTERN_H

#include <stddef.h>

const char *intern(const char *text); /* NULL in, NULL out */

/* How many there are; and those that came since then are freed: nothing may point to them any more. */
size_t intern_count(void);
void intern_forget(size_t kept);

#endif
