/* SPDX-License-Identifier: PostgreSQL */
#include "report/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/run_buckets.h"
#include "report/calendars.h"

/* --- what there is ------------------------------------------------------------------------------------------------ */

enum type { GAUGE, COUNTER, HISTOGRAM, SUMMARY, INFO };
static const char *const type_names[] = {"gauge", "counter", "histogram", "summary", "info"};
static const char *const suffixes[] = {"", "_total", "", "", "_info"}; /* of its samples */

/* Names are without pgchime_ and suffix; every family but the web's own has the label database. */
struct family {
    const char *name;
    enum type type;
    const char *unit; /* NULL: none; else the name ends with it */
    const char *labels[2];
    const char *help;
};

static const struct family families[] = {
    {"build", INFO, NULL, {"version"}, "The pgchime that printed this."},
    {"database",
     INFO,
     NULL,
     {"server", "functions"},
     "Versions of the server, and of the pgchime that made its functions."},
    {"database_up", GAUGE, NULL, {0}, "Whether the database answered."},
    {"leader_up", GAUGE, NULL, {0}, "Whether a daemon leads the database."},
    {"leader_heartbeat_age_seconds", GAUGE, "seconds", {0}, "Since the leader was last heard of."},
    {"leader_epoch", GAUGE, NULL, {0}, "Number of the leadership: it changes with each takeover."},
    {"leader_start_timestamp_seconds", GAUGE, "seconds", {0}, "When the present or last leadership began."},
    {"followers", GAUGE, NULL, {0}, "Daemons that would take over."},
    {"schema_version", GAUGE, NULL, {0}, "Of schema chime."},
    {"jobs", GAUGE, NULL, {"state"}, "Jobs; each has one state: ok, failing, suspended, refused or inactive."},
    {"runs", COUNTER, NULL, {"kind", "outcome"}, "Slots that ended, whether they ran or not."},
    {"run_duration_seconds", HISTOGRAM, "seconds", {0}, "From start to end of runs."},
    {"schedule_delay_seconds", HISTOGRAM, "seconds", {0}, "From slot to start of runs of a schedule."},
    {"totals_gaps",
     COUNTER,
     NULL,
     {0},
     "Leaders that went without a word: each may have left a second of runs uncounted."},
    {"live_runs", GAUGE, NULL, {"state"}, "Runs that have been claimed: running, or waiting for another attempt."},
    {"requests", GAUGE, NULL, {0}, "What people asked for and the leader has not done yet."},
    {"waiting_runs", GAUGE, NULL, {0}, "Runs that are due and wait for a session or a place in a pool."},
    {"oldest_due_seconds", GAUGE, "seconds", {0}, "How long the one that waits longest has waited."},
    {"run_sessions", GAUGE, NULL, {0}, "Sessions that are open for runs."},
    {"run_sessions_limit", GAUGE, NULL, {0}, "How many there may be of the daemon's own role."},
    {"pool_used", GAUGE, NULL, {"pool"}, "Places of a pool that runs hold."},
    {"pool_limit", GAUGE, NULL, {"pool"}, "Places that a pool has."},
    {"job_last_success_timestamp_seconds", GAUGE, "seconds", {"job_name"}, "When it succeeded last."},
    {"job_last_duration_seconds", GAUGE, "seconds", {"job_name"}, "How long its last run took."},
    {"job_typical_duration_seconds", GAUGE, "seconds", {"job_name"}, "How long runs that succeed take lately."},
    {"job_consecutive_failures", GAUGE, NULL, {"job_name"}, "Runs in a row that failed, timed out or were lost."},
    {"job_runs",
     COUNTER,
     NULL,
     {"job_name", "outcome"},
     "Its slots that ended as succeeded, failed, skipped or cancelled."},
    {"job_next_slot_timestamp_seconds", GAUGE, "seconds", {"job_name"}, "When it is due next."},
    {"job_late_seconds",
     GAUGE,
     "seconds",
     {"job_name"},
     "How long ago a slot of it was due that has not started; 0: none."},
    {"job_series_omitted", GAUGE, NULL, {0}, "Active jobs that have no series of their own here."},
    {"view_behind_seconds", GAUGE, "seconds", {"view"}, "How far it is behind its sources."},
    {"view_target_seconds", GAUGE, "seconds", {"view"}, "How far it may be: its target_lag."},
    {"view_refresh_duration_seconds", GAUGE, "seconds", {"view"}, "How long its last refresh took."},
    {"view_refreshes", COUNTER, NULL, {"view"}, "Refreshes."},
    {"view_late_groups", COUNTER, NULL, {"view"}, "Frozen groups that a source would have changed."},
    {"view_rows", GAUGE, NULL, {"view"}, "Rows that it holds."},
    {"view_bytes", GAUGE, "bytes", {"view"}, "Its size, with indexes."},
    {"view_verified_timestamp_seconds", GAUGE, "seconds", {"view"}, "When it was last compared with its definition."},
    {"alerts", GAUGE, NULL, {"severity", "state"}, "Alerts that are open."},
    {"notifications_waiting", GAUGE, NULL, {"sink"}, "Messages that a sink has still to be told."},
    {"sink_failing_seconds",
     GAUGE,
     "seconds",
     {"sink"},
     "Since when a message that could not be delivered waits; 0: none does."},
    {"event_loop_lag_seconds", GAUGE, "seconds", {0}, "How late timers of the daemon fire."},
    {"daemon_cpu_seconds", COUNTER, "seconds", {0}, "Time that the leading daemon's process took."},
    {"daemon_resident_bytes", GAUGE, "bytes", {0}, "Memory of the leading daemon's process."},
    {"daemon_start_timestamp_seconds", GAUGE, "seconds", {0}, "When the leading daemon's process began."},
    {"web_streams", GAUGE, NULL, {0}, "Browsers that are told of changes."},
    {"web_connections", GAUGE, NULL, {0}, "Connections to pgchime web."},
    {"web_requests", COUNTER, NULL, {"code"}, "Requests that pgchime web answered."},
    {"web_query_seconds", SUMMARY, "seconds", {0}, "What pgchime web asked of a database."},
};

enum { FAMILIES = COUNT_OF(families) };

struct metrics {
    struct buffer samples[FAMILIES]; /* lines, which are the same in both forms */
    int64_t active;                  /* jobs of the database that is being taken */
    size_t job_bytes;                /* for series of its jobs */
    char limit[24];
    char *patterns;
};

static size_t family_of(const char *name)
{
    for (size_t i = 0; i < FAMILIES; i++) {
        if (strcmp(families[i].name, name) == 0) {
            return i;
        }
    }
    fatal("there is no metric \"%s\"", name);
}

/* What is printed has 1 MiB at most: so much of it is for series of jobs, of all databases alike. Which have none
 * follows from names alone, so that series do not come and go with their values. */
#define JOB_BYTES_MAX ((size_t)900 << 10)
#define JOB_SERIES 10
#define JOB_SERIES_BYTES 720 /* of one job, without names */

/* --- samples ------------------------------------------------------------------------------------------------------ */

/* What is no UTF-8 would spoil the whole text. */
static void put_escaped(struct buffer *text, const char *value)
{
    char *readable = xstrdup(value);
    utf8_repair(readable, strlen(readable));
    for (const char *c = readable; *c != '\0'; c++) {
        if (*c == '\n') {
            buffer_puts(text, "\\n");
        } else {
            buffer_puts(text, *c == '\\' || *c == '"' ? "\\" : "");
            buffer_putc(text, *c);
        }
    }
    free(readable);
}

/* A sample without its value, so that the caller writes it. `bucket`: its bound, or NULL. */
static struct buffer *begin(struct metrics *metrics, size_t family, const char *suffix, const char *database,
                            const char *const *labels, const char *bucket)
{
    struct buffer *text = &metrics->samples[family];
    const char *names[] = {"database", families[family].labels[0], families[family].labels[1], "le"};
    const char *values[] = {database, labels[0], labels[1], bucket};
    char before = '{';
    buffer_printf(text, "pgchime_%s%s", families[family].name, suffix);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (names[i] != NULL && values[i] != NULL) {
            buffer_printf(text, "%c%s=\"", before, names[i]);
            put_escaped(text, values[i]);
            buffer_putc(text, '"');
            before = ',';
        }
    }
    buffer_puts(text, before == ',' ? "} " : " ");
    return text;
}

static const char *const no_labels[2];

static void add(struct metrics *metrics, const char *name, const char *database, const char *const *labels,
                const char *value)
{
    size_t family = family_of(name);
    if (value != NULL) {
        const char *written = strcmp(value, "Infinity") == 0    ? "+Inf"
                              : strcmp(value, "-Infinity") == 0 ? "-Inf"
                                                                : value;
        struct buffer *text = begin(metrics, family, suffixes[families[family].type], database, labels, NULL);
        buffer_printf(text, "%s\n", written);
    }
}

static void put_bound(char text[32], duration bound)
{
    long long whole = (long long)(bound / USEC_PER_SEC);
    long long thousandths = (long long)(bound % USEC_PER_SEC / USEC_PER_MSEC);
    snprintf(text, 32, "%lld.%03lld", whole, thousandths);
    for (size_t last = strlen(text) - 1; text[last] == '0' && text[last - 1] != '.'; last--) {
        text[last] = '\0';
    }
}

/* `counts`: those of each bucket, as PostgreSQL writes an array. Here each counts those below it, too. */
static void add_histogram(struct metrics *metrics, const char *name, const char *database, const char *sum,
                          const char *counts)
{
    size_t family = family_of(name);
    const duration *bounds = strcmp(name, "run_duration_seconds") == 0 ? run_duration_bounds : run_delay_bounds;
    const char *at = counts + 1;
    long long total = 0;
    for (size_t i = 0; i < RUN_BUCKETS; i++) {
        char *end;
        char bound[32] = "+Inf";
        total += strtoll(at, &end, 10);
        at = *end == ',' ? end + 1 : end;
        if (i < RUN_BUCKETS - 1) {
            put_bound(bound, bounds[i]);
        }
        buffer_printf(begin(metrics, family, "_bucket", database, no_labels, bound), "%lld\n", total);
    }
    buffer_printf(begin(metrics, family, "_count", database, no_labels, NULL), "%lld\n", total);
    buffer_printf(begin(metrics, family, "_sum", database, no_labels, NULL), "%s\n", sum);
}

/* --- a database --------------------------------------------------------------------------------------------------- */

#define SECONDS(microseconds) "round(" microseconds "::numeric / 1000000, 6)::text"
#define EPOCH(instant) "extract(epoch FROM " instant ")::text"
#define ROWS(from, values) \
    "SELECT v.* FROM " from " CROSS JOIN LATERAL (VALUES " values ") AS v (family, value, one, two)"
#define ALSO " UNION ALL "
/* A histogram: its sum, and how many are in each bucket, of all kinds and outcomes. */
#define HISTOGRAM_SQL(name, sum, counts)                                                                               \
    "SELECT '" name "', " SECONDS(                                                                                     \
        "coalesce(sum(t." sum                                                                                          \
        "), 0)") ", (SELECT coalesce(array_agg(b.counted ORDER BY "                                                    \
                 "b.n), array_fill(0::numeric, ARRAY[12]))::text FROM (SELECT n, sum(c) AS counted FROM chime.tally u" \
                 " CROSS JOIN LATERAL unnest(u." counts                                                                \
                 ") WITH ORDINALITY AS o (c, n) GROUP BY n) b), NULL FROM chime.tally t"

/* family, value, and values of its labels. A database's figures are few: what they are read from is kept counted. */
static const char database_sql[] = ROWS(
    "(SELECT current_setting('server_version') AS server, (SELECT f.version FROM chime.function_set f) AS made) i",
    "('database', '1', i.server, i.made)")
    ALSO ROWS(
        "chime.leader_status s",
        "('leader_up', (s.alive IS TRUE)::int::text, NULL, NULL),"
        "('leader_heartbeat_age_seconds', " EPOCH(
            "s.heartbeat_age") ", NULL, NULL),"
                               "('leader_epoch', s.epoch::text, NULL, NULL), ('leader_start_timestamp_seconds', " EPOCH(
                                   "s.since") ", NULL, NULL),"
                                              "('followers', cardinality(s.followers)::text, NULL, NULL)") ALSO
    "SELECT 'schema_version', max(m.number)::text, NULL, NULL FROM chime.migration m" ALSO ROWS(
        "(SELECT " ALL_JOBS_SQL " AS jobs, " IDLE_JOBS_SQL " AS idle,"
        " (SELECT count(*) FROM chime.job_state s JOIN chime.job j USING (job_id)"
        "   WHERE s.suspended_at IS NOT NULL AND j.active) AS suspended,"
        " (SELECT count(*) FROM chime.job j JOIN chime.job_state s USING (job_id)"
        "   WHERE j.problem IS NOT NULL AND j.active AND s.suspended_at IS NULL) AS refused,"
        " (SELECT count(*) FROM chime.job_state s JOIN chime.job j USING (job_id) WHERE s.consecutive_failures > 0"
        "   AND s.suspended_at IS NULL AND j.active AND j.problem IS NULL) AS failing) c",
        "('jobs', (c.jobs - c.idle - c.suspended - c.refused - c.failing)::text, 'ok', NULL),"
        "('jobs', c.failing::text, 'failing', NULL), ('jobs', c.suspended::text, 'suspended', NULL),"
        "('jobs', c.refused::text, 'refused', NULL), ('jobs', c.idle::text, 'inactive', NULL)") ALSO
    "SELECT 'runs', t.runs::text, t.kind::text, t.state::text FROM chime.tally t" ALSO HISTOGRAM_SQL(
        "run_duration_seconds", "busy_us", "durations")
        ALSO HISTOGRAM_SQL("schedule_delay_seconds", "late_us", "delays") ALSO
    "SELECT 'totals_gaps', t.gaps::text, NULL, NULL FROM chime.totals t" ALSO ROWS(
        "(SELECT count(r.pid) AS running, count(*) - count(r.pid) AS waiting FROM chime.run r) c",
        "('live_runs', c.running::text, 'running', NULL), ('live_runs', c.waiting::text, 'waiting', NULL)") ALSO
    "SELECT 'requests', count(*)::text, NULL, NULL FROM chime.request" ALSO
    "SELECT 'alerts', count(a.alert_id)::text, s.severity, f.state"
    " FROM (VALUES ('info'), ('warning'), ('critical')) s (severity) CROSS JOIN (VALUES ('pending'), ('firing')) f "
    "(state)"
    " LEFT JOIN chime.alert a ON a.severity = s.severity AND a.state = f.state GROUP BY s.severity, f.state" ALSO ROWS(
        "(SELECT s.name, count(n.sink) AS waiting, min(n.created_at) FILTER (WHERE n.error IS NOT NULL) AS failed"
        " FROM chime.sink s LEFT JOIN chime.notification n ON n.sink = s.name AND n.state = 'waiting' GROUP BY s.name) "
        "c",
        "('notifications_waiting', c.waiting::text, c.name, NULL),"
        "('sink_failing_seconds', coalesce(" EPOCH("clock_timestamp() - c.failed") ", '0'), c.name, NULL)");

/* What only the leader knows, while it writes that down. */
static const char pulse_sql[] = ROWS(
    "(SELECT p.* FROM chime.pulse p WHERE p.at > clock_timestamp() - interval '10 s' AND chime.led()) p",
    "('waiting_runs', p.waiting::text, NULL, NULL),"
    "('oldest_due_seconds', coalesce(" EPOCH(
        "greatest(clock_timestamp() - p.oldest_due, '0')") ", '0'), NULL, NULL),"
                                                           "('run_sessions', p.sessions::text, NULL, NULL), "
                                                           "('run_sessions_limit', p.sessions_most::text, NULL, NULL),"
                                                           "('event_loop_lag_seconds', " SECONDS(
                                                               "p.loop_lag_us") ", NULL, NULL),"
                                                                                "('daemon_cpu_seconds', " SECONDS(
                                                                                    "p.cpu_us") ", NULL, NULL),"
                                                                                                "('daemon_resident_"
                                                                                                "bytes', "
                                                                                                "p.resident_bytes::"
                                                                                                "text, NULL, NULL),"
                                                                                                "('daemon_start_"
                                                                                                "timestamp_seconds',"
                                                                                                " " EPOCH("p.started_"
                                                                                                          "at") ", "
                                                                                                                "NULL, "
                                                                                                                "NULL)")
    ALSO ROWS("(SELECT o.* FROM chime.pulse p CROSS JOIN LATERAL jsonb_to_recordset(p.pools) AS o (pool text, used "
              "text, \"limit\" text)"
              " WHERE p.at > clock_timestamp() - interval '10 s' AND chime.led()) p",
              "('pool_used', p.used, p.pool, NULL), ('pool_limit', p.limit, p.pool, NULL)");

static const char views_sql[] = ROWS(
    "(SELECT w.*, w.view_schema || '.' || w.relation AS name FROM chime.view_status w) w",
    "('view_behind_seconds', " EPOCH(
        "w.behind") ", w.name, NULL),"
                    "('view_target_seconds', " EPOCH(
                        "w.target_lag") ", w.name, NULL),"
                                        "('view_refresh_duration_seconds', " SECONDS(
                                            "w.duration_us") ", w.name, NULL),"
                                                             "('view_refreshes', w.refreshes::text, w.name, NULL), "
                                                             "('view_late_groups', CASE WHEN w.frozen_before IS NOT "
                                                             "NULL THEN w.late::text END, w.name, NULL), "
                                                             "('view_rows', w.rows::text, w.name, NULL),"
                                                             "('view_bytes', w.bytes::text, w.name, NULL),"
                                                             "('view_verified_timestamp_seconds', " EPOCH(
                                                                 "w.verified_at") ", w.name, NULL)");

/* $1: how many there may be; $2: patterns of LIKE, else NULL: all or, where they are more, none. */
static const char metric_jobs_sql[] =
    "SELECT j.name, " EPOCH("x.last_success") ", " SECONDS("x.last_duration_us") ", " SECONDS(
        "x.typical_us") ", x.consecutive_failures::text, x.successes::text, x.failures::text, x.skips::text,"
                        " (x.runs - x.successes - x.failures)::text, " JOB_CALENDAR_COLUMNS
                        "  FROM (SELECT o.job_id FROM chime.job o WHERE o.active AND CASE WHEN $2::text IS NULL"
                        "          THEN " ALL_JOBS_SQL " - " IDLE_JOBS_SQL
                        " <= $1::bigint ELSE o.name LIKE ANY ($2::text[]) END"
                        "         ORDER BY o.name LIMIT $1::bigint) c"
                        "  JOIN chime.job j USING (job_id) JOIN chime.job_state x USING (job_id) JOIN chime.job_status "
                        "s USING (job_id)"
                        " ORDER BY j.name";
enum {
    JOB_SUCCESS = 1,
    JOB_DURATION,
    JOB_TYPICAL,
    JOB_FAILURES_ROW,
    JOB_SUCCEEDED,
    JOB_FAILED,
    JOB_SKIPPED,
    JOB_CANCELLED,
    JOB_CALENDAR
};

enum { JOBS = METRICS_QUESTIONS - 1 };

static const char *const examples[][QUESTION_PARAMETERS_MAX] = {{"500"}, {"5000", "{exam%,\"job 1%\"}"}, {NULL}};
const struct report_statement metrics_statement = {"metrics", database_sql, 0, NULL};
const struct report_statement metric_pulse_statement = {"metric_pulse", pulse_sql, 0, NULL};
const struct report_statement metric_views_statement = {"metric_views", views_sql, 0, NULL};
const struct report_statement metric_jobs_statement = {"metric_jobs", metric_jobs_sql, 2, examples};

/* As LIKE has them, in an array. */
static char *patterns_of(const struct config *config)
{
    struct buffer text = {0};
    for (size_t i = 0; i < config->metrics_jobs.name_count; i++) {
        buffer_puts(&text, i == 0 ? "{\"" : ",\"");
        for (const char *c = config->metrics_jobs.names[i]; *c != '\0'; c++) {
            buffer_printf(&text, *c == '%' || *c == '_' || *c == '\\' ? "\\\\%s%c" : "%s%c",
                          *c == '\\'  ? "\\"
                          : *c == '"' ? "\\"
                                      : "",
                          *c == '*' ? '%' : *c);
        }
        buffer_puts(&text, "\"");
    }
    if (text.length == 0) {
        return NULL;
    }
    buffer_puts(&text, "}");
    return buffer_take(&text);
}

void metrics_ask(struct metrics *metrics, const struct config *config, const struct config_database *database,
                 struct question questions[static METRICS_QUESTIONS])
{
    (void)database;
    metrics->job_bytes = JOB_BYTES_MAX / config->database_count;
    if (metrics->limit[0] == '\0') {
        metrics->patterns = patterns_of(config);
        snprintf(metrics->limit, sizeof(metrics->limit), "%d", config->metrics_jobs.most);
    }
    questions[0] = (struct question){.id = REPORT_METRICS};
    questions[1] = (struct question){.id = REPORT_METRIC_PULSE};
    questions[2] = (struct question){.id = REPORT_METRIC_VIEWS};
    questions[JOBS] = (struct question){.id = REPORT_METRIC_JOBS, .parameters = {metrics->limit, metrics->patterns}};
}

static void take_rows(struct metrics *metrics, const struct config_database *database, const struct pg_rows *rows)
{
    for (size_t row = 0; row < rows->count; row++) {
        const char *name = pg_rows_value(rows, row, 0);
        const char *value = pg_rows_value(rows, row, 1);
        const char *labels[] = {pg_rows_value(rows, row, 2), pg_rows_value(rows, row, 3)};
        if (families[family_of(name)].type == HISTOGRAM) {
            add_histogram(metrics, name, database->name, value, labels[0]);
        } else {
            add(metrics, name, database->name, labels, value);
        }
        if (strcmp(name, "jobs") == 0 && strcmp(labels[0], "inactive") != 0) {
            metrics->active += atoll(value);
        }
    }
}

static void add_seconds(struct metrics *metrics, const char *name, const char *database, const char *label,
                        duration length)
{
    char text[48];
    const char *labels[] = {label, NULL};
    snprintf(text, sizeof(text), "%lld.%06lld", (long long)(length / USEC_PER_SEC), (long long)(length % USEC_PER_SEC));
    add(metrics, name, database, labels, text);
}

static duration late_for(const struct job_calendar *calendar, const struct config_database *database,
                         struct zones *zones)
{
    instant now;
    instant slot = job_late_slot(calendar, database, zones);
    return slot != INSTANT_NONE && instant_parse(calendar->database_now, &now, NULL) && now > slot ? now - slot : 0;
}

static void take_job(struct metrics *metrics, const struct config_database *database, const struct pg_rows *rows,
                     size_t row, struct zones *zones)
{
    static const struct {
        const char *family;
        size_t column;
        const char *outcome;
    } figures[] = {{"job_last_success_timestamp_seconds", JOB_SUCCESS, NULL},
                   {"job_last_duration_seconds", JOB_DURATION, NULL},
                   {"job_typical_duration_seconds", JOB_TYPICAL, NULL},
                   {"job_consecutive_failures", JOB_FAILURES_ROW, NULL},
                   {"job_runs", JOB_SUCCEEDED, "succeeded"},
                   {"job_runs", JOB_FAILED, "failed"},
                   {"job_runs", JOB_SKIPPED, "skipped"},
                   {"job_runs", JOB_CANCELLED, "cancelled"}};
    const char *name = pg_rows_value(rows, row, 0);
    struct job_calendar calendar = job_calendar_of_row(rows, row, JOB_CALENDAR);
    instant next = job_next_slot(&calendar, database, zones);
    for (size_t i = 0; i < COUNT_OF(figures); i++) {
        const char *labels[] = {name, figures[i].outcome};
        add(metrics, figures[i].family, database->name, labels, pg_rows_value(rows, row, figures[i].column));
    }
    if (next != INSTANT_NEVER && next != INSTANT_NONE) {
        add_seconds(metrics, "job_next_slot_timestamp_seconds", database->name, name, next);
    }
    add_seconds(metrics, "job_late_seconds", database->name, name, late_for(&calendar, database, zones));
}

/* Begins with the first job by name. How many have series. */
static size_t take_jobs(struct metrics *metrics, const struct config_database *database, const struct pg_rows *rows)
{
    struct zones *zones = zones_create();
    struct buffer escaped = {0};
    size_t bytes = 0;
    size_t row = 0;
    for (; row < rows->count; row++) {
        escaped.length = 0;
        put_escaped(&escaped, pg_rows_value(rows, row, 0));
        bytes += JOB_SERIES_BYTES + JOB_SERIES * (strlen(database->name) + escaped.length);
        if (bytes > metrics->job_bytes) {
            break;
        }
        take_job(metrics, database, rows, row, zones);
    }
    buffer_finish(&escaped);
    zones_destroy(zones);
    return row;
}

static void add_number(struct metrics *metrics, const char *name, const char *database, const char *label,
                       uint64_t value)
{
    char text[24];
    const char *labels[] = {label, NULL};
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    add(metrics, name, database, labels, text);
}

void metrics_take(struct metrics *metrics, const struct config_database *database,
                  const struct pg_rows answers[static METRICS_QUESTIONS])
{
    metrics->active = 0;
    add_number(metrics, "database_up", database->name, NULL, 1);
    for (size_t i = 0; i < JOBS; i++) {
        take_rows(metrics, database, &answers[i]);
    }
    int64_t omitted = metrics->active - (int64_t)take_jobs(metrics, database, &answers[JOBS]);
    add_number(metrics, "job_series_omitted", database->name, NULL, omitted > 0 ? (uint64_t)omitted : 0);
}

void metrics_take_absent(struct metrics *metrics, const struct config_database *database)
{
    add_number(metrics, "database_up", database->name, NULL, 0);
}

/* --- the web ------------------------------------------------------------------------------------------------------ */

void metrics_add_web(struct metrics *metrics, enum metrics_of_web which, const char *label, uint64_t value)
{
    static const char *const names[] = {"web_streams", "web_connections", "web_requests"};
    add_number(metrics, names[which], NULL, label, value);
}

void metrics_add_queries(struct metrics *metrics, const char *database, uint64_t count, duration sum)
{
    size_t family = family_of("web_query_seconds");
    buffer_printf(begin(metrics, family, "_count", database, no_labels, NULL), "%llu\n", (unsigned long long)count);
    buffer_printf(begin(metrics, family, "_sum", database, no_labels, NULL), "%lld.%06lld\n",
                  (long long)(sum / USEC_PER_SEC), (long long)(sum % USEC_PER_SEC));
}

/* --- the text ----------------------------------------------------------------------------------------------------- */

static void put_family(const struct metrics *metrics, size_t index, enum metrics_form form, struct buffer *text)
{
    const struct family *family = &families[index];
    bool open = form == METRICS_OPEN;
    const char *suffix = open ? "" : suffixes[family->type];
    const char *type = !open && family->type == INFO ? "gauge" : type_names[family->type];
    if (metrics->samples[index].length == 0) {
        return;
    }
    buffer_printf(text, "# TYPE pgchime_%s%s %s\n", family->name, suffix, type);
    if (open && family->unit != NULL) {
        buffer_printf(text, "# UNIT pgchime_%s %s\n", family->name, family->unit);
    }
    buffer_printf(text, "# HELP pgchime_%s%s %s\n", family->name, suffix, family->help);
    buffer_append(text, metrics->samples[index].data, metrics->samples[index].length);
}

void metrics_put(const struct metrics *metrics, enum metrics_form form, struct buffer *text)
{
    for (size_t i = 0; i < FAMILIES; i++) {
        put_family(metrics, i, form, text);
    }
    buffer_puts(text, form == METRICS_OPEN ? "# EOF\n" : "");
}

struct metrics *metrics_create(void)
{
    static const char *const version[] = {PGCHIME_VERSION, NULL};
    struct metrics *metrics = xcalloc(1, sizeof(*metrics));
    add(metrics, "build", NULL, version, "1");
    return metrics;
}

void metrics_destroy(struct metrics *metrics)
{
    if (metrics != NULL) {
        for (size_t i = 0; i < FAMILIES; i++) {
            buffer_finish(&metrics->samples[i]);
        }
        free(metrics->patterns);
        free(metrics);
    }
}
