/* SPDX-License-Identifier: PostgreSQL */
/* The slot as data: what the text of a job can know of its run.
 *
 *   parameter          number  type         setting               value
 *   $payload             $1    text         chime.payload         of the notification that woke the run
 *   $slot                $2    timestamptz  chime.slot            the slot of the run
 *   $previous_slot       $3    timestamptz  chime.previous_slot   the slot of the job's schedule before that one
 *   $interval_start      $4    timestamptz  chime.interval_start  the previous slot \  of a slot of the schedule;
 *   $interval_end        $5    timestamptz  chime.interval_end    the slot          /  NULL for every other run
 *   $run_id              $6    bigint       chime.run_id          the run's number in chime.runs
 *   $attempt             $7    integer      chime.attempt         1 for the first
 *   $cursor_start        $8    by cursor    chime.cursor_start    where a job with a cursor goes on
 *   $cursor_end          $9    by cursor    chime.cursor_end      where this run of it ends, exclusive
 *
 * The interval is [interval_start, interval_end). It is read off the schedule, in the job's zone, never off what ran:
 *   the intervals of all slots of a schedule join without a gap and without an overlap, also where slots were skipped
 *   or missed. Only a schedule of fields, `N seconds` and @every have slots that are known beforehand. @after, @at,
 *   @reboot and a job without a schedule have neither a previous slot nor an interval.
 * Names are read as SQL reads identifiers: $Slot is $slot. A name in a string, a comment, an identifier or a
 *   dollar-quoted body is none, and $slot$...$slot$ is a dollar-quoted string.
 * A setting whose value is NULL is the empty string. */
#ifndef CHIME_MODEL_SLOT_PARAMETERS_H
#define CHIME_MODEL_SLOT_PARAMETERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/instant.h"
#include "calendar/schedule.h"
#include "model/run.h"

/* The payload is the first: it is $1 of every text, named or not. Those of a cursor are known to the ledger alone. */
#define SLOT_PARAMETER_COUNT 7
#define SLOT_NUMBER_SIZE 24

/* INSTANT_NONE and NULL are SQL NULL. */
struct slot_values {
    const char *payload; /* borrowed */
    instant slot;
    instant previous_slot;
    instant interval_start;
    instant interval_end;
    int64_t run_id;
    int attempt;
};

/* The values as texts, in the order of their numbers; NULL is SQL NULL. They are of the struct, which is not to be
 * copied, and the payload is borrowed. */
struct slot_texts {
    const char *values[SLOT_PARAMETER_COUNT];
    char instants[4][INSTANT_TEXT_SIZE];
    char run_id[SLOT_NUMBER_SIZE];
    char attempt[SLOT_NUMBER_SIZE];
};

extern const unsigned slot_parameter_types[SLOT_PARAMETER_COUNT]; /* OIDs */
extern const char *const slot_parameter_settings[];               /* "chime.payload", ... */

/* Whether the text names one of the parameters ($1 is no name). */
bool slot_parameters_used(const char *text);
/* Whether it names one of those of a cursor. */
bool slot_parameters_name_cursor(const char *text);
/* Whether the settings are to be set for the text: it names one of them somewhere, be it in a string or a comment, or
 * has a CALL or a DO, whose bodies may read them. */
bool slot_settings_wanted(const char *text);
/* The text with "$2" for "$slot" and so on. Each is filled up with blanks, so that what the server says of a place in
 * the text is right. Caller frees. */
char *slot_parameters_number(const char *text);
/* False with the reason where a name is unknown, stands where the server takes no parameter, or beside a number other
 * than $1. `several`: each of several statements is sent by itself and may have parameters (delivery transactional);
 * else several statements are sent as they are, without. The message lacks its subject, which is the job. */
bool slot_parameters_check(const char *text, bool several, struct error *err) CHIME_MUST_CHECK;

/* Whether the slots of the schedule are known beforehand, forwards and backwards: fields, `N seconds` and @every. */
bool slot_timeline_known(const struct schedule *schedule);
/* Fills in previous_slot and the interval of a run of that kind at values->slot. A backfill has those of the slot that
 * it does again, which becomes values->slot. */
void slot_values_place(struct slot_values *values, const struct schedule *schedule, enum run_kind kind);
void slot_values_texts(const struct slot_values *values, struct slot_texts *texts);

#endif
