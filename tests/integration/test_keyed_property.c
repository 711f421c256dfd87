/* SPDX-License-Identifier: PostgreSQL */
/* Nothing is lost: eight writers do what they can think of, a refresher refreshes three views, and at a hundred moments
 * a judge (support/keyed/keyed_property.sql) compares, in one snapshot, every key without a pending mark with its
 * definition, and all of RELATION__now; writers do the latter, too, amid their transactions.
 *
 * Once; 200 times under PGCHIME_TEST_SOAK. PGCHIME_TEST_SEED repeats what the writers do, if not when. */
#define _GNU_SOURCE
#include <check.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/cluster/cluster.h"
#include "support/keyed/keyed.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define WRITERS 8
#define MOMENTS 100
#define MOMENTS_MAX 200 /* on a machine so slow that fewer are mixed */
#define MIXED_WANTED 90
/* On a machine that does other things nobody runs ahead of the judge: writers would write for minutes. */
#define WRITES_A_MOMENT 8 /* of each writer */
#define WRITES_A_REFRESH 20
#define RUNS_AT_ONCE 20       /* Check fails a test that takes more than half an hour, however it ends */
#define STATISTICS_SECONDS 15 /* an idle session counts after ten at the latest */

static struct cluster *cluster;
static char *conninfo;
/* Shared with the children. */
static struct play {
    atomic_bool stopped;
    atomic_int moments; /* that the judge has seen */
    atomic_int writes;
} * play;

/* --- children ----------------------------------------------------------------------------------------------------- */

struct child {
    PGconn *connection;
    uint64_t random;
    int number;
    int prepared;
};

static uint32_t draw(struct child *child, uint32_t below)
{
    child->random ^= child->random << 13;
    child->random ^= child->random >> 7;
    child->random ^= child->random << 17;
    return (uint32_t)((child->random >> 16) % below);
}

/* Losing against somebody is part of the game. */
static bool is_expected(const char *state)
{
    static const char *const states[] = {"40P01", "40001", "55P03", "CH010", "23505", "23514",
                                         "42P01", "42809", "55000", "42704", "42P07", "42P17"};

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(state, states[i]) == 0)
            return true;
    return false;
}

/* One transaction; what did not work is rolled back. A statement sent alone is its own transaction. */
static bool try_it(struct child *child, const char *sql)
{
    PGresult *result = PQexec(child->connection, sql);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool good = state == NULL && PQstatus(child->connection) == CONNECTION_OK;

    if (!good && (state == NULL || !is_expected(state))) {
        fprintf(stderr, "%s\nfailed with %s: %s", sql, state != NULL ? state : "?", PQerrorMessage(child->connection));
        _exit(2);
    }
    PQclear(result);
    if (PQtransactionStatus(child->connection) != PQTRANS_IDLE)
        PQclear(PQexec(child->connection, "ROLLBACK"));
    return good;
}

static void shop_of(struct child *child, char *text, size_t size)
{
    if (draw(child, 20) == 0)
        snprintf(text, size, "NULL");
    else
        snprintf(text, size, "%u", draw(child, 400));
}

/* Some change of the rows. */
static void put_change(struct child *child, FILE *sql)
{
    char shop[16];
    char other[16];
    uint32_t n = draw(child, 1000);
    uint32_t order = 1 + draw(child, 3500);

    shop_of(child, shop, sizeof(shop));
    shop_of(child, other, sizeof(other));
    switch (draw(child, 14)) {
    case 0:
        fprintf(sql, "INSERT INTO app.orders (shop, kind, extra) VALUES (%s, 'a', '{\"v\": %u}'), (%s, NULL, NULL);",
                shop, n, other);
        break;
    case 1:
        fprintf(sql, "UPDATE app.orders SET shop = %s WHERE id = %u;", shop, order);
        break;
    case 2:
        fprintf(
            sql,
            "UPDATE app.orders SET kind = CASE kind WHEN 'b' THEN NULL ELSE 'b' END WHERE shop = %s AND id %% 3 = 0;",
            shop);
        break;
    case 3:
        fprintf(sql, "UPDATE app.orders SET extra = '{\"v\": %u}', note = 'n' WHERE id BETWEEN %u AND %u;", n, order,
                order + 2);
        break;
    case 4:
        fprintf(sql, "DELETE FROM app.orders WHERE id = %u; DELETE FROM app.items WHERE order_id = %u;", order, order);
        break;
    case 5:
        fprintf(sql, "INSERT INTO app.items (order_id, quantity) VALUES (%u, %u), (%u, 1);", order, n, order + 1);
        break;
    case 6:
        fprintf(sql, "UPDATE app.items SET order_id = %u WHERE item IN (%u, %u);", order, n, n + 1);
        break;
    case 7:
        fprintf(sql, "UPDATE app.items SET quantity = %u WHERE order_id = %u;", n, order);
        break;
    case 8:
        fprintf(sql, "INSERT INTO app.events VALUES (%s, %u, %u), (%s, 3, 1);", shop, draw(child, 20), n, other);
        break;
    case 9:
        fprintf(sql, "INSERT INTO app.events_1 VALUES (%s, %u, %u);", shop, draw(child, 10), n);
        break;
    case 10:
        fprintf(sql, "UPDATE app.events SET day = (day + 10) %% 20, shop = %s WHERE shop = %s;", shop, other);
        break;
    case 11:
        fprintf(sql, "DELETE FROM app.events_1 WHERE shop = %s; UPDATE app.events_2 SET points = %u WHERE shop = %s;",
                shop, n, other);
        break;
    case 12:
        fprintf(sql,
                "INSERT INTO app.orders (id, shop, kind) VALUES (%u, %s, 'c'), (%u, %s, 'd')"
                " ON CONFLICT (id) DO UPDATE SET shop = excluded.shop, kind = excluded.kind;",
                order, shop, order + 1, other);
        break;
    default:
        fprintf(sql, "DELETE FROM app.events WHERE shop IS NULL; UPDATE app.orders SET shop = %s WHERE shop IS NULL;",
                shop);
    }
}

/* What means everything. */
static void do_something_rare(struct child *child)
{
    static const char *const rare[] = {
        "ALTER TABLE app.events DETACH PARTITION app.events_2",
        "DELETE FROM app.events_2 WHERE points % 5 = 0",
        "ALTER TABLE app.events ATTACH PARTITION app.events_2 FOR VALUES FROM (10) TO (20)",
        "CREATE TABLE app.events_3 PARTITION OF app.events FOR VALUES FROM (20) TO (30)",
        "INSERT INTO app.events_3 SELECT i, 20, i FROM generate_series(1, 50) i",
        "DROP TABLE app.events_3",
        "TRUNCATE app.events_1",
        "TRUNCATE app.items; INSERT INTO app.items (order_id, quantity) SELECT i, i FROM generate_series(1, 1500) i",
        ("TRUNCATE app.orders;"
         " INSERT INTO app.orders (id, shop, kind) SELECT i, i % 400, 'a' FROM generate_series(1, 1500) i"),
        ("ALTER TABLE app.orders DISABLE TRIGGER ALL; DELETE FROM app.orders WHERE id % 11 = 0;"
         " ALTER TABLE app.orders ENABLE TRIGGER ALL"),
        "SET LOCAL session_replication_role = replica; TRUNCATE app.events_2",
    };
    char *sql = files_path("SET lock_timeout = '200ms'; BEGIN; %s; COMMIT",
                           rare[draw(child, sizeof(rare) / sizeof(rare[0]))]);

    try_it(child, sql);
    free(sql);
}

static void copy_rows(struct child *child)
{
    if (PQresultStatus(PQexec(child->connection, "COPY app.events FROM STDIN")) != PGRES_COPY_IN)
        return;
    for (int i = 0; i < 5; i++) {
        char line[64];
        int length = snprintf(line, sizeof(line), "%u\t%u\t%u\n", draw(child, 400), draw(child, 20), draw(child, 100));
        PQputCopyData(child->connection, line, length);
    }
    PQputCopyEnd(child->connection, NULL);
    for (PGresult *result = NULL; (result = PQgetResult(child->connection)) != NULL;)
        PQclear(result);
}

static void prepare_and_decide(struct child *child, const char *changes)
{
    char *prepare = files_path("BEGIN; %s PREPARE TRANSACTION 'p%d-%d'", changes, child->number, ++child->prepared);
    char *decide = files_path("%s PREPARED 'p%d-%d'", draw(child, 3) > 0 ? "COMMIT" : "ROLLBACK", child->number,
                              child->prepared);

    if (try_it(child, prepare)) {
        poll(NULL, 0, (int)draw(child, 20)); /* others see it prepared */
        try_it(child, decide);
    }
    free(prepare);
    free(decide);
}

/* Changes, some of them in subtransactions that are kept or rolled back, some around a refresh. */
static char *changes_of(struct child *child)
{
    char *text = NULL;
    size_t length = 0;
    FILE *sql = open_memstream(&text, &length);

    for (uint32_t i = 0, count = 1 + draw(child, 3); i < count; i++) {
        uint32_t how = draw(child, 8);
        if (how < 2)
            fprintf(sql, "SAVEPOINT s; ");
        put_change(child, sql);
        if (how < 2)
            fprintf(sql, how == 0 ? "ROLLBACK TO s; " : "RELEASE s; ");
    }
    fclose(sql);
    return text;
}

static void write_once(struct child *child)
{
    uint32_t how = draw(child, 10000);
    char *changes = changes_of(child);
    char *more = changes_of(child);
    char *sql = files_path(how < 400   ? "BEGIN; %s SELECT * FROM chime.refresh('kind_total'); %s COMMIT"
                           : how < 450 ? "SET lock_timeout = '100ms'; BEGIN; %s SELECT app.check_now(); %s COMMIT"
                           : how < 500
                               ? "SET lock_timeout = '100ms'; BEGIN; %s SELECT * FROM chime.refresh('shop_sum'); %s"
                                 " SELECT app.check_now(); COMMIT"
                           : how < 700 ? "BEGIN ISOLATION LEVEL REPEATABLE READ; %s %s COMMIT"
                                       : "BEGIN; %s COMMIT",
                           changes, more);

    if (how >= 9976)
        do_something_rare(child);
    else if (how >= 9000)
        prepare_and_decide(child, changes);
    else if (how >= 8600)
        copy_rows(child);
    else
        try_it(child, sql);
    free(changes);
    free(more);
    free(sql);
}

static void write_on(struct child *child)
{
    for (int written = 0; !play->stopped;) {
        if (written < WRITES_A_MOMENT * (play->moments + 1)) {
            write_once(child);
            written++;
            play->writes++;
        }
        poll(NULL, 0, (int)draw(child, 30)); /* eight that never rest would keep every key marked */
    }
}

static void refresh_on(struct child *child)
{
    static const char *const work[] = {"SELECT * FROM chime.refresh('event_total')",
                                       "SELECT * FROM chime.refresh('kind_total')",
                                       "SELECT * FROM chime.refresh('shop_sum')"};

    for (int i = 0; !play->stopped;) {
        if (play->writes >= i * WRITES_A_REFRESH)
            try_it(child, work[i++ % (int)(sizeof(work) / sizeof(work[0]))]);
        else
            poll(NULL, 0, 5);
    }
}

static void tend_on(struct child *child)
{
    while (!play->stopped) {
        try_it(child, "CALL chime.tend_capture()");
        try_it(child, "SELECT app.vet()");
        poll(NULL, 0, 30);
    }
}

static pid_t begin_child(void (*work)(struct child *), int number, uint64_t seed)
{
    pid_t pid = process_fork();

    if (pid != 0)
        return pid;
    struct child child = {.connection = PQconnectdb(conninfo),
                          .random = (seed + 1) * 0x9e3779b97f4a7c15u + (uint64_t)number,
                          .number = number};
    if (PQstatus(child.connection) != CONNECTION_OK)
        _exit(3);
    PQclear(PQexec(child.connection, "SET client_min_messages = error"));
    work(&child);
    PQfinish(child.connection);
    _exit(0);
}

static void end_child(pid_t pid)
{
    int status = -1;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0, "a child ended with status %d (its errors are above)", status);
}

/* --- the judge ---------------------------------------------------------------------------------------------------- */

struct verdict {
    int moments;
    int mixed; /* had keys with a mark and keys without in one view */
    int everything;
    long wrong;
    int now_mixed; /* RELATION__now had rows that are not the kept ones, and such that are */
};

/* Locks first: TRUNCATE, ATTACH and a dropped part would show through any snapshot. */
static const char look[] =
    "BEGIN ISOLATION LEVEL REPEATABLE READ;"
    "LOCK TABLE app.orders, app.items, app.events, kept.event_total IN SHARE UPDATE EXCLUSIVE MODE;"
    "LOCK TABLE chime.change_1, chime.change_2, chime.change_3, chime.change_4 IN ACCESS SHARE MODE;"
    "SELECT * FROM app.judge()";

/* In the transaction that looked. */
static void judge_now(PGconn *judge, struct verdict *verdict)
{
    PGresult *result = PQexec(judge, "SELECT * FROM app.judge_now()");

    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(judge));
    ck_assert_msg(PQgetvalue(result, 0, 0)[0] == '\0', "not true now: %s", PQgetvalue(result, 0, 0));
    verdict->now_mixed += atoi(PQgetvalue(result, 0, 1)) > 0;
    PQclear(result);
}

static void judge_moment(PGconn *judge, struct verdict *verdict, bool tell)
{
    PGresult *result = PQexec(judge, look);

    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        verdict->moments++;
        verdict->wrong += atol(PQgetvalue(result, 0, 0));
        verdict->mixed += atoi(PQgetvalue(result, 0, 1)) > 0;
        verdict->everything += atoi(PQgetvalue(result, 0, 2)) > 0;
        if (tell && !PQgetisnull(result, 0, 3))
            printf("wrong without a mark: %s\n", PQgetvalue(result, 0, 3));
        if (tell)
            judge_now(judge, verdict);
    } else {
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        ck_assert_msg(state != NULL && is_expected(state), "%s", PQerrorMessage(judge));
    }
    PQclear(result);
    session_execute(judge, "ROLLBACK");
}

static struct verdict judge_run(uint64_t seed, bool until_wrong)
{
    struct verdict verdict = {0};
    PGconn *judge = cluster_connect(cluster, "postgres");
    pid_t writers[WRITERS];

    play->stopped = false;
    play->moments = 0;
    play->writes = 0;
    pid_t refresher = begin_child(refresh_on, WRITERS, seed);
    pid_t tender = begin_child(tend_on, WRITERS + 1, seed);
    for (int i = 0; i < WRITERS; i++)
        writers[i] = begin_child(write_on, i, seed);
    while ((verdict.moments < MOMENTS || (verdict.mixed < MIXED_WANTED && verdict.moments < MOMENTS_MAX)) &&
           !(until_wrong && verdict.wrong > 0)) {
        judge_moment(judge, &verdict, !until_wrong);
        play->moments++;
        poll(NULL, 0, (int)(20 + seed % 7 + (uint64_t)verdict.moments % 60)); /* moments apart from each other */
    }
    play->stopped = true;
    for (int i = 0; i < WRITERS; i++)
        end_child(writers[i]);
    end_child(refresher);
    end_child(tender);
    PQfinish(judge);
    return verdict;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void set_up(void)
{
    static const char *const settings[] = {"max_prepared_transactions=30", "deadlock_timeout=50ms", "jit=off",
                                           "track_functions=pl", NULL};

    play = mmap(NULL, sizeof(*play), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(play != MAP_FAILED);
    cluster = keyed_create_with(settings);
    conninfo = cluster_conninfo(cluster, "postgres");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/keyed/keyed_property.sql");
    keyed_tend(cluster);
}

static void tear_down(void)
{
    free(conninfo);
    cluster_destroy(cluster);
}

static void refresh_each_once(void)
{
    keyed_tend(cluster);
    cluster_execute(cluster, "SELECT chime.refresh('event_total')");
    cluster_execute(cluster, "SELECT chime.refresh('kind_total')");
    cluster_execute(cluster, "SELECT chime.refresh('shop_sum')");
}

START_TEST(keys_without_a_mark_are_right_at_every_moment)
{
    int runs = getenv("PGCHIME_TEST_SOAK") != NULL ? RUNS_AT_ONCE : 1;
    uint64_t seed = suite_seed() + (uint64_t)(_i * RUNS_AT_ONCE);

    cluster_execute(cluster, "SELECT app.watch(1e9)"); /* each refresh compares a group, and none is called wrong */
    for (int run = 0; run < runs; run++, seed++) {
        struct verdict verdict = judge_run(seed, false);
        char *told = cluster_rows(cluster,
                                  "SELECT count(*), relation, coalesce(reason, 'keyed'), round(avg(duration_us)) AS us"
                                  " FROM app.told GROUP BY 2, 3 ORDER BY 2, 1 DESC");
        printf("seed %llu: %d writes, %d moments, %d mixed, %d with everything pending, %d now, %ld keys wrong\n%s",
               (unsigned long long)seed, play->writes, verdict.moments, verdict.mixed, verdict.everything,
               verdict.now_mixed, verdict.wrong, told);
        fflush(stdout);
        free(told);
        refresh_each_once();
        ck_assert_int_eq(verdict.wrong, 0);
        ck_assert_int_ge(verdict.mixed, MIXED_WANTED);
        ck_assert_int_ge(verdict.now_mixed, MIXED_WANTED / 2);
        EXPECT_SQL(cluster, "SELECT app.differences()", "0");
        EXPECT_SQL(cluster, "SELECT string_agg(relation || ': ' || found_wrong, ', ') FROM chime.view", NULL);
        WAIT_SQL(cluster, "SELECT sum(calls) > 10 FROM pg_stat_user_functions WHERE funcname ~ '^watched_'", "t",
                 STATISTICS_SECONDS);
        WAIT_SQL(cluster, "SELECT sum(calls) > 5 FROM pg_stat_user_functions WHERE funcname = 'check_now'", "t",
                 STATISTICS_SECONDS);
    }
}
END_TEST

/* The judge would notice: the marks taken after the recompute lose what commits in between. */
START_TEST(marks_taken_after_the_recompute_are_caught)
{
    uint64_t seed = suite_seed();

    cluster_execute(cluster, "SELECT app.watch(0)");
    refresh_each_once();
    cluster_execute(cluster, "SELECT app.take_last('kind_total')");
    cluster_execute(cluster, "CREATE OR REPLACE FUNCTION app.check_now() RETURNS void LANGUAGE sql AS ''");
    for (int run = 0; run < (getenv("PGCHIME_TEST_SOAK") != NULL ? 50 : 3); run++, seed++) {
        struct verdict verdict = judge_run(seed, true);
        ck_assert_msg(verdict.wrong > 0, "seed %llu: not caught in %d moments", (unsigned long long)seed,
                      verdict.moments);
        cluster_execute(cluster, "SELECT chime.refresh('kind_total', true)");
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("keyed property");
    TCase *cases = tcase_create("keyed property");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, getenv("PGCHIME_TEST_SOAK") != NULL ? 3 * 3600 : 300);
    int parts = getenv("PGCHIME_TEST_SOAK") != NULL ? 200 / RUNS_AT_ONCE : 1;
    tcase_add_loop_test(cases, keys_without_a_mark_are_right_at_every_moment, 0, parts);
    tcase_add_test(cases, marks_taken_after_the_recompute_are_caught);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
