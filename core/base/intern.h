/* SPDX-License-Identifier: PostgreSQL */
/* Interned strings, for texts of which few different ones exist (zones, pools). Each is stored once, for the life of
 * the process.
 *
 * A struct can hold one without owning it, and equal texts have equal pointers. intern_forget removes texts that users
 * can make in any number. */
#ifndef CHIME_BASE_INTERN_H
#define CHIME_BASE_INTERN_H

#include <stddef.h>

const char *intern(const char *text); /* NULL in, NULL out */

/* How many there are; and those that came since then are freed: nothing may point to them any more. */
size_t intern_count(void);
void intern_forget(size_t kept);

#endif
