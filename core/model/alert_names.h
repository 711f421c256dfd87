/* SPDX-License-Identifier: PostgreSQL */
/* The rules of alerts that every database has, by name: those of chime.standard_rules(), for code that has no
 * connection to a database. */
#ifndef CHIME_MODEL_ALERT_NAMES_H
#define CHIME_MODEL_ALERT_NAMES_H

extern const char *const alert_standard_names[]; /* sorted; ended by NULL */

#endif
