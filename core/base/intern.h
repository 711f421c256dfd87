/* SPDX-License-Identifier: PostgreSQL */
/* Texts of which few different ones exist (zones, pools), each kept once for the life of the process.
 *
 * So a plain value may hold one without owning it, and equal texts are equal pointers. Not for what users can invent
 * without bound. */
#ifndef CHIME_BASE_INTERN_H
#define CHIME_BASE_INTERN_H

const char *intern(const char *text); /* NULL in, NULL out */

#endif
