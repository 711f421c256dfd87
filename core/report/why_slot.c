/* SPDX-License-Identifier: PostgreSQL */
/* What became of a slot, from what the ledger keeps. */
#include <string.h>

#include "base/memory.h"
#include "report/clock_words.h"
#include "report/run_list.h"
#include "report/why.h"

static const struct output_column columns[] = {
    {"JOB", "job", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SLOT", "slot", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"LOCAL", "local", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"WHY", "why", OUTPUT_FINDING, OUTPUT_ALWAYS},
    {"RUN", "run_id", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"TRIGGER", "trigger", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"ATTEMPT", "attempt", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"STARTED", "started_at", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"FINISHED", "finished_at", OUTPUT_INSTANT, OUTPUT_ALWAYS},
};
enum {
    COLUMN_JOB,
    COLUMN_DATABASE,
    COLUMN_SLOT,
    COLUMN_LOCAL,
    COLUMN_STATE,
    COLUMN_WHY,
    COLUMN_RUN,
    COLUMN_TRIGGER,
    COLUMN_ATTEMPT,
    COLUMN_STARTED,
    COLUMN_FINISHED,
};

/* The slot of the schedule ($2) or, where the schedule had none that counts, the last one on record up to $3; then its
 * row. Of a schedule that counts only since later, what it would have been due at before is no slot. */
static const char slot_sql[] =
    "WITH job AS (SELECT j.*, coalesce(j.options ->> 'log_runs', 'all') AS log, s.last_slot"
    "               FROM chime.job j JOIN chime.job_state s USING (job_id) WHERE j.job_id = $1::bigint),"
    " kept AS (SELECT l.* FROM job j CROSS JOIN unnest(enum_range(NULL::chime.run_kind)) AS k (kind)"
    "           CROSS JOIN LATERAL (SELECT h.run_id, h.kind, h.slot, h.state::text, h.attempt, h.started_at,"
    "                                      h.finished_at, h.message, h.reason FROM chime.run_history h WHERE"
    "                               (h.job_id, h.kind, h.slot) >= (j.job_id, k.kind, '-infinity'::timestamptz)"
    "                               AND (h.job_id, h.kind, h.slot) <= (j.job_id, k.kind, $3::timestamptz)"
    "                               ORDER BY " JOB_HISTORY_LATEST " LIMIT 1) l"
    "          UNION ALL"
    "          SELECT r.run_id, r.kind, r.slot, CASE WHEN r.pid IS NULL THEN 'retrying' ELSE 'running' END, r.attempt,"
    "                 coalesce(r.started_at, r.claimed_at), r.done_at, r.message, NULL"
    "            FROM chime.run r WHERE r.job_id = $1 AND r.slot <= $3),"
    " missed AS (SELECT m.* FROM chime.missed m WHERE m.job_id = $1 AND m.first_slot <= $3"
    "             ORDER BY m.first_slot DESC LIMIT 1),"
    " chosen AS (SELECT coalesce((SELECT k.slot FROM kept k WHERE k.slot = $3 LIMIT 1),"
    "                            (SELECT $2::timestamptz FROM job j WHERE $2::timestamptz > j.since),"
    "                            (SELECT greatest((SELECT max(k.slot) FROM kept k),"
    "                                             (SELECT least(m.last_slot, $3) FROM missed m)))) AS slot)"
    " SELECT c.slot, k.run_id, k.kind, k.state, k.attempt, k.started_at, k.finished_at, split_part(k.message, E'\\n', "
    "1),"
    "        k.reason, m.reason, chime.unled_words(c.slot), j.log, c.slot > j.last_slot, c.slot > clock_timestamp(),"
    "        j.created_at, c.slot < j.created_at,"
    "        (SELECT string_agg(format('; attempt %s %s: %s', a.attempt, a.state, split_part(a.message, E'\\n', 1)), ''"
    "                           ORDER BY a.attempt) FROM chime.attempt a"
    "          WHERE a.job_id = $1 AND a.kind = k.kind AND a.slot = k.slot),"
    "        (SELECT x.slot FROM chime.run_history x WHERE x.slot < c.slot ORDER BY x.slot LIMIT 1) IS NULL"
    "   FROM job j CROSS JOIN chosen c LEFT JOIN kept k ON k.slot = c.slot"
    "   LEFT JOIN missed m ON c.slot BETWEEN m.first_slot AND m.last_slot ORDER BY k.finished_at DESC LIMIT 1";

static const char *const examples[][QUESTION_PARAMETERS_MAX] = {
    {"1", "2026-01-01 00:00+00", "2026-01-01 00:00+00"}, {"1", NULL, "2100-01-01 00:00+00"}, {NULL}};
const struct report_statement why_slot_statement = {"why_slot", slot_sql, 3, examples};
enum {
    RESULT_SLOT,
    RESULT_RUN,
    RESULT_KIND,
    RESULT_STATE,
    RESULT_ATTEMPT,
    RESULT_STARTED,
    RESULT_FINISHED,
    RESULT_MESSAGE,
    RESULT_REASON,
    RESULT_MISSED,
    RESULT_UNLED,
    RESULT_LOG,
    RESULT_UNDECIDED,
    RESULT_TO_COME,
    RESULT_CREATED,
    RESULT_BEFORE_CREATED,
    RESULT_ATTEMPTS,
    RESULT_FORGOTTEN,
};

struct answer {
    const struct why_facts *facts;
    const struct pg_rows *rows;
};

static const char *value_of(const struct answer *answer, size_t column)
{
    return pg_rows_value(answer->rows, 0, column);
}

static bool is(const struct answer *answer, size_t column)
{
    const char *value = value_of(answer, column);
    return value != NULL && value[0] == 't';
}

static void put_part(struct buffer *text, const char *part)
{
    if (part != NULL && part[0] != '\0') {
        buffer_printf(text, "%s%s", text->length > 0 ? "; " : "", part);
    }
}

static void say_ran(struct buffer *text, const struct answer *answer)
{
    bool succeeded = strcmp(value_of(answer, RESULT_STATE), "succeeded") == 0;
    const char *reason = value_of(answer, RESULT_REASON);
    const char *attempts = value_of(answer, RESULT_ATTEMPTS);
    put_part(text, reason);
    put_part(text, succeeded ? NULL : value_of(answer, RESULT_MESSAGE));
    if (reason != NULL && strstr(reason, "nothing led") != NULL) {
        put_part(text, value_of(answer, RESULT_UNLED));
    }
    if (attempts != NULL) {
        buffer_puts(text, text->length > 0 ? attempts : attempts + 2);
    }
}

/* Nothing is on record of it. Returns the word for programs. */
static const char *say_unrecorded(struct buffer *text, const struct answer *answer)
{
    if (is(answer, RESULT_TO_COME)) {
        buffer_puts(text, "it is not due yet");
        return "to_come";
    }
    if (is(answer, RESULT_BEFORE_CREATED)) {
        buffer_printf(text, "the job was made later, at %s", value_of(answer, RESULT_CREATED));
        return "none";
    }
    if (is(answer, RESULT_UNDECIDED)) {
        buffer_puts(text, "it is not decided yet: pgchime why without --at says what it waits for");
        return "waiting";
    }
    if (strcmp(value_of(answer, RESULT_LOG), "all") != 0) {
        buffer_printf(text, "nothing is on record of it: log_runs is \"%s\"", value_of(answer, RESULT_LOG));
        return "unknown";
    }
    buffer_puts(text, is(answer, RESULT_FORGOTTEN) ? "it is older than the history" : "nothing is on record of it");
    return "unknown";
}

static const char *say_slot(struct buffer *text, const struct answer *answer)
{
    if (value_of(answer, RESULT_SLOT) == NULL) {
        buffer_puts(text, "no slot of it that is on record was due then or before");
        return "none";
    }
    if (value_of(answer, RESULT_RUN) != NULL) {
        say_ran(text, answer);
        return value_of(answer, RESULT_STATE);
    }
    if (value_of(answer, RESULT_MISSED) != NULL) {
        put_part(text, value_of(answer, RESULT_MISSED));
        if (strstr(value_of(answer, RESULT_MISSED), "nothing led") != NULL) {
            put_part(text, value_of(answer, RESULT_UNLED));
        }
        return "missed";
    }
    return say_unrecorded(text, answer);
}

static void set_local(struct output_list *list, const struct why_facts *facts, const char *slot)
{
    struct buffer text = {0};
    instant at;
    if (why_zone(facts) != NULL && slot != NULL && instant_parse(slot, &at, NULL)) {
        put_wall_time(&text, facts->schedule.zone, at);
        output_set(list, COLUMN_LOCAL, buffer_text(&text));
    }
    buffer_finish(&text);
}

/* Of what has no slots by the calendar, what is on record tells. */
static const char *slot_of_schedule(const struct schedule *schedule, instant at, char text[static INSTANT_TEXT_SIZE])
{
    bool counts = schedule->form == SCHEDULE_CRON || schedule->form == SCHEDULE_INTERVAL ||
                  schedule->form == SCHEDULE_ONCE;
    instant slot = counts ? schedule_latest(schedule, at - 10 * 366 * USEC_PER_DAY, at) : INSTANT_NONE;
    return slot != INSTANT_NONE ? instant_format(slot, text) : NULL;
}

void why_slot_ask(struct why_slot *slot, const struct why_facts *facts, instant at)
{
    slot->question = (struct question){.id = REPORT_WHY_SLOT,
                                       .parameters = {facts->job_id, slot_of_schedule(&facts->schedule, at, slot->slot),
                                                      instant_format(at, slot->at)}};
}

struct output_list *why_slot_list_create(void)
{
    return output_create("slots", columns, COUNT_OF(columns));
}

void why_slot_list_take(struct output_list *list, const struct pg_rows *rows, const struct why_facts *facts)
{
    struct answer answer = {.facts = facts, .rows = rows};
    struct buffer text = {0};
    output_add_row(list);
    output_set(list, COLUMN_JOB, facts->job);
    output_set(list, COLUMN_DATABASE, facts->database->name);
    output_set(list, COLUMN_SLOT, value_of(&answer, RESULT_SLOT));
    set_local(list, facts, value_of(&answer, RESULT_SLOT));
    output_set(list, COLUMN_STATE, say_slot(&text, &answer));
    output_set(list, COLUMN_WHY, text.length > 0 ? buffer_text(&text) : NULL);
    output_set(list, COLUMN_RUN, value_of(&answer, RESULT_RUN));
    output_set(list, COLUMN_TRIGGER, value_of(&answer, RESULT_KIND));
    output_set(list, COLUMN_ATTEMPT, value_of(&answer, RESULT_ATTEMPT));
    output_set(list, COLUMN_STARTED, value_of(&answer, RESULT_STARTED));
    output_set(list, COLUMN_FINISHED, value_of(&answer, RESULT_FINISHED));
    buffer_finish(&text);
}
