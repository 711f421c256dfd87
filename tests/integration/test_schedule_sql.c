/* SPDX-License-Identifier: PostgreSQL */
/* Schedules in SQL take exactly what the calendar's parser takes: over random texts, a third of them and
 * more valid, and over the texts that are hard. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calendar/schedule.h"
#include "ledger/columns.h"
#include "support/cluster/cluster.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/schedule/random_schedule.h"

#define TEXTS (getenv("PGCHIME_TEST_SOAK") != NULL ? 100000 : 20000)
#define BATCH 2000
#define LONGEST 1100

static struct cluster *cluster;

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

/* --- texts -------------------------------------------------------------------------------------------------------- */

struct draft {
    char text[LONGEST + 32];
    size_t length;
};

static void put(struct draft *draft, const char *text)
{
    size_t length = strlen(text);
    if (draft->length + length <= LONGEST) {
        memcpy(draft->text + draft->length, text, length + 1);
        draft->length += length;
    }
}

static void put_one_of(struct draft *draft, struct random *random, const char *const *choices, size_t count)
{
    put(draft, choices[random_within(random, 0, (int64_t)count - 1)]);
}
#define PUT_ONE_OF(draft, random, ...)                            \
    put_one_of(draft, random, (const char *const[]){__VA_ARGS__}, \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void put_number(struct draft *draft, struct random *random, int64_t low, int64_t high)
{
    char text[40];
    snprintf(text, sizeof(text), random_chance(random, 10) ? "%03lld" : "%lld",
             (long long)random_within(random, low, high));
    put(draft, text);
}

/* Around the edges of what a field takes, seldom far beyond. */
static void put_value(struct draft *draft, struct random *random)
{
    switch (random_within(random, 0, 9)) {
    case 0:
        put_number(draft, random, 22, 33);
        break;
    case 1:
        put_number(draft, random, 57, 61);
        break;
    case 2:
        PUT_ONE_OF(draft, random, "jan", "Feb", "DEC", "sun", "Sat", "monday", "mo", "sunmon", "L", "?", "$");
        break;
    case 3:
        PUT_ONE_OF(draft, random, "00", "0000000000000000000007", "4294967301", "-1", "1.5", "+3");
        break;
    default:
        put_number(draft, random, 0, 12);
        break;
    }
}

static void put_item(struct draft *draft, struct random *random)
{
    if (random_chance(random, 35)) {
        put(draft, "*");
    } else {
        put_value(draft, random);
        if (random_chance(random, 40)) {
            put(draft, "-");
            put_value(draft, random);
        }
    }
    if (random_chance(random, 25)) {
        put(draft, "/");
        put_number(draft, random, 0, random_chance(random, 50) ? 14 : 62);
    }
}

static void put_blank(struct draft *draft, struct random *random)
{
    PUT_ONE_OF(draft, random, " ", " ", " ", "  ", "\t", " \t ");
}

static void put_fields(struct draft *draft, struct random *random)
{
    int64_t count = random_chance(random, 90) ? random_within(random, 5, 6) : random_within(random, 0, 8);
    for (int64_t i = 0; i < count; i++) {
        if (i > 0) {
            put_blank(draft, random);
        }
        do {
            put_item(draft, random);
        } while (random_chance(random, 15) && (put(draft, ","), true));
    }
}

/* One field that is odd, among others that are not: so that its edges decide. */
static void put_odd_field(struct draft *draft, struct random *random)
{
    int64_t count = random_within(random, 5, 6);
    int64_t odd = random_within(random, 0, count - 1);
    for (int64_t i = 0; i < count; i++) {
        put(draft, i > 0 ? " " : "");
        if (i == odd) {
            put_item(draft, random);
        } else {
            PUT_ONE_OF(draft, random, "*", "*", "3", "1-5");
        }
    }
}

/* Days that few months have. */
static void put_rare_day(struct draft *draft, struct random *random)
{
    put(draft, "0 0 ");
    PUT_ONE_OF(draft, random, "29", "30", "31", "30,31", "31-30", "31-1", "29-31/2", "*/30", "$", "30-31");
    put(draft, " ");
    PUT_ONE_OF(draft, random, "2", "feb", "4,6,9,11", "2-4/2", "apr", "11-2/3", "*/2", "6-9/3", "12-2/14", "nov-apr/5",
               "*");
    put(draft, " ");
    PUT_ONE_OF(draft, random, "*", "*/2", "*,mon", "mon", "mon,*", "0-7");
}

static void put_duration(struct draft *draft, struct random *random)
{
    PUT_ONE_OF(draft, random, "1", "0", "36500", "36501", "876000", "876001", "999999", "1000000", "3153600000",
               "00000000000000000000015", "000000000000000000000015", "99999999999999999999", "");
    PUT_ONE_OF(draft, random, "d", "day", "days", "h", "hour", "hours", "min", "m", "minute", "minutes", "s", "sec",
               "second", "seconds", "ms", "us", "S", "w", " s", "");
}

static void put_time(struct draft *draft, struct random *random)
{
    PUT_ONE_OF(draft, random, "2026-12-24", "2026-02-29", "2028-02-29", "0001-01-01", "9999-12-31", "0000-01-01",
               "2026-13-01", "1900-02-29", "2000-02-29", "2026-1-01", "02026-01-01", "2026-04-31");
    PUT_ONE_OF(draft, random, "T", " ", "  ", "\t", "t", "");
    PUT_ONE_OF(draft, random, "18:00", "23:59", "24:00", "00:00:00", "12:30:60", "12:60", "1:00", "12:00:30", "");
    PUT_ONE_OF(draft, random, "", "", "Z", "+01", "-01:30", "+15:59", "+16", "+1", "z", "+01:", "+01:60", " Z", ".5");
}

static void put_word(struct draft *draft, struct random *random)
{
    PUT_ONE_OF(draft, random, "@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually",
               "@reboot", "@restart", "@HOURLY", "@every", "@every", "@every", "@after", "@at", "@at", "@at", "@",
               "@everyday");
    if (random_chance(random, 70)) {
        put_blank(draft, random);
        random_chance(random, 50) ? put_time(draft, random) : put_duration(draft, random);
    }
}

static void put_interval(struct draft *draft, struct random *random)
{
    put_number(draft, random, 0, 62);
    PUT_ONE_OF(draft, random, " ", "", "\t", "  ");
    PUT_ONE_OF(draft, random, "second", "seconds", "SECONDS", "Second", "secs", "s", "minutes", "seconds x", "mon");
}

static void put_valid(struct draft *draft, struct random *random)
{
    static const struct wall_reading focus = {.hour = 2, .day = 29, .month = 3};
    put(draft, random_schedule(random, random_chance(random, 30), &focus).text);
}

/* One byte becomes another, goes, or comes. */
static void mutate(struct draft *draft, struct random *random)
{
    static const char bytes[] = "0123456789**,,--//  \t@$:;.+TZajmnsu\n\x01\x7f\"'\\{}";
    size_t at = (size_t)random_within(random, 0, (int64_t)draft->length);
    char byte = bytes[random_within(random, 0, (int64_t)sizeof(bytes) - 2)];
    int64_t way = random_within(random, 0, 2);
    if (way == 0 && at < draft->length) {
        draft->text[at] = byte;
    } else if (way == 1 && at < draft->length) {
        memmove(draft->text + at, draft->text + at + 1, draft->length - at);
        draft->length--;
    } else if (draft->length < LONGEST) {
        memmove(draft->text + at + 1, draft->text + at, draft->length - at + 1);
        draft->text[at] = byte;
        draft->length++;
    }
}

static void put_long(struct draft *draft, struct random *random)
{
    int64_t items = random_within(random, 480, 500);
    for (int64_t i = 0; i < items; i++) {
        put(draft, i > 0 ? ",7" : "7");
    }
    put(draft, " * * * *");
}

static void write_draft(struct draft *draft, struct random *random)
{
    *draft = (struct draft){.length = 0};
    int64_t kind = random_within(random, 0, 99);
    if (kind < 40) {
        put_valid(draft, random);
    } else if (kind < 60) {
        put_odd_field(draft, random);
    } else if (kind < 70) {
        put_fields(draft, random);
    } else if (kind < 75) {
        put_rare_day(draft, random);
    } else if (kind < 87) {
        put_word(draft, random);
    } else if (kind < 99) {
        put_interval(draft, random);
    } else {
        put_long(draft, random);
    }
    for (int64_t changes = random_chance(random, 35) ? random_within(random, 1, 3) : 0; changes > 0; changes--) {
        mutate(draft, random);
    }
    if (random_chance(random, 10)) { /* last, since no text may have half a character */
        put(draft, random_chance(random, 50) ? " " : "é");
    }
}

/* --- the comparison ----------------------------------------------------------------------------------------------- */

/* A '0' or '1' for each text, in order. */
static char *valid_in_sql(PGconn *connection, const struct columns *texts)
{
    static const char sql[] = "SELECT string_agg(CASE WHEN v.valid THEN '1' ELSE '0' END, '' ORDER BY v.n),"
                              " count(CASE WHEN v.valid THEN chime.schedule_differs(v.t) END) FROM (SELECT t, n,"
                              " chime.schedule_valid(t) AS valid FROM unnest($1::text[]) WITH ORDINALITY AS u (t, n)"
                              " OFFSET 0) v";
    PGresult *result = PQexecParams(connection, sql, 1, NULL, (const char *const[]){texts->values[0]}, NULL, NULL, 0);
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQresultErrorMessage(result));
    char *answers = strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    return answers;
}

static int compare_batch(PGconn *connection, struct draft *drafts, size_t count)
{
    struct columns texts;
    columns_init(&texts);
    for (size_t i = 0; i < count; i++) {
        columns_text(&texts, 0, drafts[i].text);
    }
    columns_close(&texts);
    char *answers = valid_in_sql(connection, &texts);
    ck_assert_uint_eq(strlen(answers), count);
    int valid = 0;
    for (size_t i = 0; i < count; i++) {
        struct schedule schedule;
        struct error err = {0};
        bool parsed = schedule_parse(drafts[i].text, &schedule, &err);
        ck_assert_msg(parsed == (answers[i] == '1'), "\"%s\" is %s in SQL, but the parser says: %s", drafts[i].text,
                      answers[i] == '1' ? "valid" : "refused", parsed ? "valid" : err.message);
        valid += parsed ? 1 : 0;
    }
    free(answers);
    columns_finish(&texts);
    return valid;
}

START_TEST(random_and_mutated_texts_are_valid_in_sql_exactly_where_the_parser_takes_them)
{
    struct random random = {20261122};
    struct draft *drafts = calloc(BATCH, sizeof(*drafts));
    PGconn *connection = cluster_connect(cluster, "postgres");
    int valid = 0;
    for (int done = 0; done < TEXTS; done += BATCH) {
        for (size_t i = 0; i < BATCH; i++) {
            write_draft(&drafts[i], &random);
        }
        valid += compare_batch(connection, drafts, BATCH);
    }
    printf("%d texts, %d of them valid\n", TEXTS, valid);
    ck_assert_int_ge(valid, TEXTS * 3 / 10);
    ck_assert_int_le(valid, TEXTS * 7 / 10);
    PQfinish(connection);
    free(drafts);
}
END_TEST

START_TEST(the_texts_that_pg_cron_takes_for_something_else_are_named)
{
    static const struct {
        const char *schedule;
        const char *differs;
    } cases[] = {
        {"*/30 * * * * *", "six fields: \"*/30\" are seconds here; pg_cron read \"*/30 * * * *\" and ignored \"*\""},
        {"@yearly", "@yearly runs on the 1st of January at 00:00; pg_cron never ran it"},
        {"@annually", "@annually runs on the 1st of January at 00:00; pg_cron never ran it"},
        {"0 0 * * sat-sun", "a range whose end is smaller than its start goes round (sat-sun, 22-2); in pg_cron it was "
                            "empty and never ran"},
        {"0 23-7/2 * * *", "a range whose end is smaller than its start goes round (sat-sun, 22-2); in pg_cron it was "
                           "empty and never ran"},
        {"0 0 * * 6-7", NULL},
        {"0 0 $ * *", NULL},
        {"30 seconds", NULL},
        {"@at 2026-12-24 18:00", NULL},
        {"1-5,7 */2 1 jan-mar mon", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char sql[200];
        snprintf(sql, sizeof(sql), "SELECT chime.schedule_differs('%s')", cases[i].schedule);
        EXPECT_SQL(cluster, sql, cases[i].differs);
    }
}
END_TEST

START_TEST(a_refusal_says_which_field_and_what_it_expected)
{
    EXPECT_SQL(cluster, "SELECT chime.schedule_problem('61 * * * *')",
               "minute \"61\": expected 0-59; a range a-b or * may have a step (*/5), a list has commas");
    EXPECT_SQL(
        cluster, "SELECT chime.schedule_problem('0 0 30 feb *')",
        "this schedule can never fire: day of month \"30\" does not come in month \"feb\", expected a day of 1-29");
    EXPECT_SQL(cluster, "SELECT chime.schedule_problem('5 minutes')",
               "the unit of an interval is seconds; minutes are */5 * * * *, hours 0 */2 * * *");
    EXPECT_SQL(cluster, "SELECT chime.schedule_problem('* * * *')",
               "expected five fields (m h dom mon dow), or six with seconds first, not 4");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedules in SQL");
    TCase *texts = tcase_create("texts");
    tcase_add_checked_fixture(texts, set_up, tear_down);
    tcase_set_timeout(texts, 500);
    tcase_add_test(texts, random_and_mutated_texts_are_valid_in_sql_exactly_where_the_parser_takes_them);
    tcase_add_test(texts, the_texts_that_pg_cron_takes_for_something_else_are_named);
    tcase_add_test(texts, a_refusal_says_which_field_and_what_it_expected);
    suite_add_tcase(suite, texts);
    return suite_run(suite);
}
