/* SPDX-License-Identifier: PostgreSQL */
/* Sinks: what the ledger has for them, by its functions alone; and a daemon that sends. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/receiver.h"
#include "support/daemon/site.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static struct receiver *receiver;
static char *output;
static char *errors;

#define ASSERT_RUN(status, ...) \
    commands_expect(status, site_config(site), (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
}

static void tear_down(void)
{
    daemon_destroy(served);
    receiver_destroy(receiver);
    site_destroy(site);
    cluster_destroy(cluster);
    free(output);
    free(errors);
    served = NULL;
    receiver = NULL;
    site = NULL;
    output = errors = NULL;
}

/* --- the ledger's part: no daemon runs ---------------------------------------------------------------------------- */

#define TOKEN "'11111111-1111-1111-1111-111111111111'"
#define RULES                                                                                              \
    "[{\"name\": \"slow\", \"condition\": \"x\", \"view_schema\": \"public\", \"severity\": \"warning\"}," \
    " {\"name\": \"lost\", \"condition\": \"x\", \"view_schema\": \"public\", \"severity\": \"critical\"}]"
#define NOTE(found) \
    "SELECT count(*) FROM chime.note_alerts(" TOKEN ", ARRAY['" found "']::jsonb[], '{slow,lost,sink-failing}')"
#define SLOW(subject) "{\"rule\": \"slow\", \"subject\": \"" subject "\"}"
#define LOST(subject) "{\"rule\": \"lost\", \"subject\": \"" subject "\"}"
/* Messages that wait: sink, rule, how many transitions. */
#define WAITING                                                                                               \
    "SELECT string_agg(concat_ws(' ', sink, rule, cardinality(events)), ', ' ORDER BY notification_id) FROM " \
    "chime.notification WHERE state = 'waiting'"
#define DUE "UPDATE chime.notification SET due_at = now() - interval '1 s' WHERE state = 'waiting'"
#define TAKE                                                                                             \
    "SELECT string_agg(concat_ws(' ', sink, notification_id, attempt, again), ', ' ORDER BY sink) FROM " \
    "chime.take_notifications(" TOKEN ", '{}', 4)"

static void lead_by_hand(const char *sinks)
{
    cluster_execute(cluster, "UPDATE chime.leader SET token = " TOKEN ", epoch = 7");
    cluster_execute(cluster, "SELECT chime.set_alert_rules(" TOKEN ", '" RULES "')");
    cluster_execute_format(cluster, "SELECT chime.set_sinks(" TOKEN ", '%s')", sinks);
}

#define TWO_SINKS                                                                                          \
    "[{\"name\": \"all\", \"type\": \"webhook\"}, {\"name\": \"lost\", \"type\": \"mail\", \"matchers\": " \
    "{\"severity\": "                                                                                      \
    "\"crit*\"}}]"

START_TEST(transitions_wait_for_each_sink_once_by_rule)
{
    lead_by_hand(TWO_SINKS);
    EXPECT_SQL(cluster, NOTE("[" SLOW("a") ", " SLOW("b") ", " LOST("c") "]"), "3");
    EXPECT_SQL(cluster, WAITING, "all lost 1, all slow 2, lost lost 1");
    EXPECT_SQL(cluster, NOTE("[" SLOW("a") ", " SLOW("b") ", " SLOW("d") ", " LOST("c") "]"), "1");
    EXPECT_SQL(cluster, WAITING, "all lost 1, all slow 3, lost lost 1");
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT rule, ' ') FROM chime.notification WHERE due_at <= now()", "lost");
    cluster_execute(cluster, DUE);
    EXPECT_SQL(cluster, TAKE, "all 1 1 f, lost 3 1 f");
    /* The second of a rule waits for the first; what is found meanwhile goes into it. */
    EXPECT_SQL(cluster, NOTE("[]"), "0");
    EXPECT_SQL(cluster, NOTE("[]"), "4");
    EXPECT_SQL(cluster, WAITING, "all lost 1, all slow 6, lost lost 1, all lost 1, lost lost 1");
    cluster_execute(cluster, DUE);
    EXPECT_SQL(cluster,
               "SELECT string_agg(notification_id::text, ' ') FROM chime.take_notifications(" TOKEN ", '{all}', 4)",
               "3");
    EXPECT_SQL(cluster, "SELECT chime.note_delivery(" TOKEN ", 3, NULL)", "delivered");
    EXPECT_SQL(cluster,
               "SELECT string_agg(notification_id::text, ' ') FROM chime.take_notifications(" TOKEN ", '{all}', 4)",
               "5");
    EXPECT_SQL(
        cluster,
        "SELECT concat_ws(' ', b ->> 'status', b #>> '{groupLabels,alertname}', jsonb_array_length(b -> 'alerts'),"
        " b #>> '{alerts,0,labels,subject}', b #>> '{alerts,5,status}', b #>> '{alerts,5,endsAt}' > '2020')"
        " FROM chime.notification_body(2) b",
        "firing slow 6 a resolved t");
    /* What waits behind an older one is not what the leader wakes for. */
    cluster_execute(cluster,
                    "UPDATE chime.notification SET due_at = now() + interval '10 min' WHERE notification_id < 3");
    EXPECT_SQL(cluster, "SELECT chime.next_notification('{lost}') > 60000000", "t");
}
END_TEST

START_TEST(who_was_told_that_it_fires_is_told_that_it_is_over)
{
    lead_by_hand("[{\"name\": \"chat\", \"type\": \"slack\", \"matchers\": {\"severity\": \"warning\"}}]");
    EXPECT_SQL(cluster, NOTE("[" SLOW("a") "]"), "1");
    EXPECT_SQL(cluster, NOTE("[{\"rule\": \"slow\", \"subject\": \"a\", \"severity\": \"critical\"}]"), "1");
    EXPECT_SQL(cluster, WAITING, "chat slow 1");
    EXPECT_SQL(cluster, NOTE("[]"), "0");
    EXPECT_SQL(cluster, NOTE("[]"), "1");
    EXPECT_SQL(cluster, WAITING, "chat slow 2");
}
END_TEST

START_TEST(what_fails_is_tried_again_and_what_was_under_way_says_so)
{
    lead_by_hand("[{\"name\": \"all\", \"type\": \"webhook\"}]");
    EXPECT_SQL(cluster, NOTE("[" LOST("c") "]"), "1");
    EXPECT_SQL(cluster, TAKE, "all 1 1 f");
    EXPECT_SQL(cluster, TAKE, "all 1 2 t"); /* whoever had it did not say what became of it */
    EXPECT_SQL(cluster, "SELECT chime.note_delivery(" TOKEN ", 1, 'HTTP 500')", "waiting");
    EXPECT_SQL(cluster, TAKE, NULL);
    EXPECT_SQL(cluster,
               "SELECT due_at BETWEEN now() + interval '20 s' AND now() + interval '30 s' FROM chime.notification",
               "t");
    /* Nobody is told of the trouble of the sink that has it. */
    cluster_execute(cluster, "UPDATE chime.notification SET created_at = now() - interval '6 min'");
    EXPECT_SQL(
        cluster,
        "SELECT f ->> 'subject' || ': ' || (f ->> 'summary') LIKE 'all: 1 messages wait, the oldest since %: HTTP 500'"
        " FROM chime.evaluate_alerts() l, jsonb_array_elements(l.found) f",
        "t");
    EXPECT_SQL(cluster, NOTE("[" LOST("c") ", {\"rule\": \"sink-failing\", \"subject\": \"all\"}]"), "1");
    EXPECT_SQL(cluster, WAITING, "all lost 1");
    cluster_execute(cluster, "UPDATE chime.notification SET created_at = now() - interval '25 h', due_at = now()");
    EXPECT_SQL(cluster, TAKE, "all 1 3 f");
    EXPECT_SQL(cluster, "SELECT chime.note_delivery(" TOKEN ", 1, 'HTTP 500')", "expired");
    EXPECT_SQL(cluster, "SELECT state || ' ' || error FROM chime.notification", "expired HTTP 500");
    /* Nobody writes who does not lead. */
    cluster_execute(cluster, "UPDATE chime.leader SET token = gen_random_uuid(), epoch = 8");
    ck_assert_str_eq(cluster_sqlstate(cluster, TAKE), "CH001");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.note_delivery(" TOKEN ", 1, NULL)"), "CH001");
}
END_TEST

START_TEST(what_goes_on_is_told_again_unless_somebody_knows)
{
    lead_by_hand("[]");
    EXPECT_SQL(cluster, NOTE("[" LOST("c") "]"), "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.notification", "0");
    /* A sink that is new hears of what fires already; a silence that ends, too. */
    cluster_execute(cluster, "INSERT INTO chime.silence (matchers, until, made_by, reason) VALUES"
                             " ('{\"subject\": \"c\"}', now() + interval '1 h', 'me', 'test')");
    lead_by_hand("[{\"name\": \"all\", \"type\": \"webhook\"}, {\"name\": \"am\", \"type\": \"alertmanager\"}]");
    EXPECT_SQL(cluster, NOTE("[" LOST("c") "]"), "0");
    EXPECT_SQL(cluster, WAITING, NULL);
    cluster_execute(cluster, "DELETE FROM chime.silence");
    EXPECT_SQL(cluster, NOTE("[" LOST("c") "]"), "0");
    EXPECT_SQL(cluster, WAITING, "all lost 1, am lost 1");
    EXPECT_SQL(cluster,
               "SELECT string_agg(chime.note_delivery(" TOKEN ", n.notification_id, NULL), ' ') FROM (SELECT * FROM"
               " chime.notification) n",
               "delivered delivered");
    cluster_execute(cluster, "UPDATE chime.notification SET created_at = created_at - interval '2 min'");
    EXPECT_SQL(cluster, NOTE("[" LOST("c") "]"), "0");
    EXPECT_SQL(cluster, WAITING, "am lost 1");
    cluster_execute(cluster, "UPDATE chime.notification SET created_at = created_at - interval '5 h';"
                             "UPDATE chime.alert SET acknowledged_at = now(), acknowledged_by = 'ann'");
    EXPECT_SQL(cluster, NOTE("[" LOST("c") "]"), "0");
    EXPECT_SQL(cluster, WAITING, "am lost 1");
    cluster_execute(cluster, "UPDATE chime.alert SET acknowledged_at = NULL");
    EXPECT_SQL(cluster, NOTE("[" LOST("c") "]"), "0");
    EXPECT_SQL(cluster, WAITING, "am lost 1, all lost 1");
    /* What told an Alertmanager before that all is as it was goes; what waits for a sink that is gone expires. */
    EXPECT_SQL(cluster,
               "SELECT chime.note_delivery(" TOKEN ", (SELECT max(notification_id) FROM chime.notification WHERE"
               " sink = 'am'), NULL)",
               "delivered");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.notification WHERE sink = 'am'", "1");
    lead_by_hand("[]");
    EXPECT_SQL(cluster, "SELECT error FROM chime.notification WHERE state = 'expired'",
               "its sink is no longer configured");
}
END_TEST

/* What waits since a clock was a month ahead is sent, and counts as told at no time. */
START_TEST(a_clock_that_was_ahead_holds_up_no_message)
{
    lead_by_hand("[{\"name\": \"am\", \"type\": \"alertmanager\"}]");
    EXPECT_SQL(cluster, NOTE("[" SLOW("a") "]"), "1");
    cluster_execute(cluster, "UPDATE chime.notification SET created_at = created_at + interval '30 days',"
                             " due_at = due_at + interval '30 days'");
    EXPECT_SQL(cluster, NOTE("[" SLOW("a") ", " SLOW("b") "]"), "1");
    EXPECT_SQL(cluster, "SELECT chime.next_notification('{}') <= 0", "t");
    EXPECT_SQL(cluster, TAKE, "am 1 1 f");
    EXPECT_SQL(cluster, "SELECT chime.note_delivery(" TOKEN ", 1, NULL)", "delivered");
    EXPECT_SQL(cluster, NOTE("[" SLOW("a") ", " SLOW("b") "]"), "0");
    EXPECT_SQL(cluster, WAITING, "am slow 2"); /* it was told in a time that is not yet */
    EXPECT_SQL(cluster, "SELECT due_at < now() + interval '2 min' FROM chime.notification WHERE state = 'waiting'",
               "t");
}
END_TEST

/* A table's rows that this transaction read, by either way. */
#define ROWS_READ                                                                                                 \
    "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) < 1000 FROM pg_stat_xact_user_tables WHERE relname = " \
    "'notification'"

START_TEST(a_look_does_not_read_what_was_told_before)
{
    lead_by_hand("[{\"name\": \"all\", \"type\": \"webhook\"}, {\"name\": \"am\", \"type\": \"alertmanager\"}]");
    EXPECT_SQL(cluster, NOTE("[" LOST("c") ", " SLOW("d") "]"), "2");
    cluster_execute(
        cluster,
        "UPDATE chime.alert SET acknowledged_at = now() WHERE rule = 'slow';"
        "UPDATE chime.notification SET state = 'delivered', ended_at = now(), created_at = now() - interval '5 h';"
        "INSERT INTO chime.notification (sink, rule, events, created_at, due_at, ended_at, state) SELECT s, r,"
        " ARRAY[n + 1000000], t, t, t, 'delivered' FROM generate_series(1, 5000) n, unnest('{all,am}'::text[]) s,"
        " unnest('{slow,lost}'::text[]) r, LATERAL (SELECT now() - n * interval '20 min' - interval '6 h') x (t);"
        "ANALYZE chime.notification");
    cluster_execute(cluster, "BEGIN");
    EXPECT_SQL(cluster, NOTE("[" LOST("c") ", " SLOW("d") "]"), "0");
    EXPECT_SQL(cluster, ROWS_READ, "t");
    /* Told again is what nobody acknowledged; an Alertmanager is told of all. */
    EXPECT_SQL(cluster,
               "SELECT string_agg(concat_ws(' ', sink, rule), ', ' ORDER BY sink, rule) FROM chime.notification"
               " WHERE state = 'waiting'",
               "all lost, am lost, am slow");
    cluster_execute(cluster, "COMMIT");
}
END_TEST

/* Nor what was delivered for months. */
START_TEST(a_delivery_does_not_read_what_was_told_before)
{
    lead_by_hand("[{\"name\": \"am\", \"type\": \"alertmanager\"}]");
    cluster_execute(
        cluster, "INSERT INTO chime.notification (sink, rule, events, created_at, due_at, ended_at, state)"
                 " SELECT 'am', 'lost', ARRAY[n + 1000000], t, t, t, 'delivered' FROM generate_series(1, 5000) n,"
                 " LATERAL (SELECT now() - n * interval '20 min' - interval '6 h') x (t); ANALYZE chime.notification");
    EXPECT_SQL(cluster, NOTE("[" LOST("c") "]"), "1");
    cluster_execute(cluster, "BEGIN");
    EXPECT_SQL(cluster, "SELECT chime.note_delivery(" TOKEN ", 5001, NULL)", "delivered");
    EXPECT_SQL(cluster, ROWS_READ, "t");
    cluster_execute(cluster, "COMMIT");
}
END_TEST

/* The alerts of a role that has many come first. */
START_TEST(nobodys_many_alerts_hide_those_of_others)
{
    lead_by_hand("[{\"name\": \"all\", \"type\": \"webhook\"}, {\"name\": \"am\", \"type\": \"alertmanager\"}]");
    cluster_execute(cluster,
                    "SELECT chime.note_alerts(" TOKEN ", ARRAY[(SELECT jsonb_agg(jsonb_build_object('rule', 'slow',"
                    " 'subject', s)) FROM (SELECT 'hog/' || n FROM generate_series(1, 100) n UNION ALL VALUES"
                    " ('neighbour/a'), ('neighbour/b'), ('ours')) AS x (s))], '{slow}')");
    EXPECT_SQL(cluster, WAITING, "all slow 103, am slow 103");
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(concat_ws(' ', n.sink, b -> 'truncatedAlerts', (SELECT string_agg(a #>> '{labels,subject}',"
        " ' ') FROM jsonb_array_elements(b -> 'alerts') a WHERE a #>> '{labels,subject}' !~ 'hog')), ', ' ORDER BY 1)"
        " FROM chime.notification n, chime.notification_body(n.notification_id) b",
        "all 53 neighbour/a neighbour/b ours, am 0 neighbour/a neighbour/b ours");
}
END_TEST

#define EVENTS                                                                                                    \
    "SELECT string_agg(format('%s %s %s', n.notification_id, n.state, (SELECT string_agg(e.subject, '' ORDER BY " \
    "e.event_id) FROM chime.alert_event e WHERE e.event_id = ANY (n.events))), ', ' ORDER BY n.notification_id)"  \
    " FROM chime.notification n"
#define REFUSED(id) "SELECT chime.note_delivery(" TOKEN ", " id ", 'its answer is HTTP 400', true)"

START_TEST(what_a_receiver_refuses_holds_up_nothing_beside_it)
{
    lead_by_hand("[{\"name\": \"all\", \"type\": \"webhook\"}]");
    EXPECT_SQL(cluster, NOTE("[" LOST("a") ", " LOST("b") ", " LOST("c") "]"), "3");
    EXPECT_SQL(cluster, TAKE, "all 1 1 f");
    EXPECT_SQL(cluster, NOTE("[" LOST("a") ", " LOST("b") ", " LOST("c") ", " LOST("d") "]"), "1");
    EXPECT_SQL(cluster, EVENTS, "1 waiting abc, 2 waiting d");
    EXPECT_SQL(cluster, REFUSED("1"), "split");
    EXPECT_SQL(cluster, EVENTS, "1 expired abc, 3 waiting a, 4 waiting bcd");
    EXPECT_SQL(cluster, NOTE("[" LOST("a") ", " LOST("b") ", " LOST("c") ", " LOST("d") ", " LOST("e") "]"), "1");
    EXPECT_SQL(cluster, EVENTS, "1 expired abc, 3 waiting a, 4 waiting bcde");
    EXPECT_SQL(cluster, TAKE, "all 3 2 f");
    EXPECT_SQL(cluster, REFUSED("3"), "expired"); /* it is the one */
    EXPECT_SQL(cluster, TAKE, "all 4 1 f");
    EXPECT_SQL(cluster, "SELECT chime.note_delivery(" TOKEN ", 4, NULL)", "delivered");
    EXPECT_SQL(cluster, EVENTS, "1 expired abc, 3 expired a, 4 delivered bcde");
    EXPECT_SQL(cluster, REFUSED("4"), NULL); /* it has ended */
}
END_TEST

/* --- a daemon sends ----------------------------------------------------------------------------------------------- */

static bool got_by(const struct receiver *by, const char *text)
{
    char *all = receiver_got(by);
    bool found = strstr(all, text) != NULL;
    free(all);
    return found;
}

static bool got(const char *text)
{
    return got_by(receiver, text);
}

static char *folder;

static bool has_line(const char *text)
{
    char *file = files_path("%s/told", folder);
    char *all = files_read(file);
    bool found = strstr(all, text) != NULL;
    free(all);
    free(file);
    return found;
}

/* Sinks that take: a webhook with a secret in its address and a header, Slack, Alertmanager, a program; one that never
 * answers. */
static void write_sinks(const struct receiver *never)
{
    char *script = files_path("%s/tell", folder);
    char *text = files_path("#!/bin/sh\n{ echo \"$1\"; cat; echo; } >> %s/told\n", folder);
    files_write(script, text);
    chmod(script, 0700);
    char *url = files_path("http://127.0.0.1:%d/hook?key=S3CRET%%22\n", receiver_port(receiver));
    char *url_file = files_path("%s/url", folder);
    files_write(url_file, url);
    char *headers_file = files_path("%s/headers", folder);
    files_write(headers_file, "# ours\nX-Word: \"pass\\word\"\n");
    char *sinks = files_path(
        "sinks: { hook: { type = \"webhook\"; url_file = \"%s\"; headers_file = \"%s\"; };\n"
        " chat: { type = \"slack\"; url = \"http://127.0.0.1:%d/chat\"; };\n"
        " am: { type = \"alertmanager\"; url = \"http://127.0.0.1:%d/\"; };\n"
        " page: { type = \"program\"; command = [\"%s\", \"now\"]; match: { severity = \"critical\"; }; };\n"
        " hang: { type = \"webhook\"; url = \"http://127.0.0.1:%d/\"; }; };\n"
        "alerts: { job-failed: { severity = \"critical\"; }; };\n",
        url_file, headers_file, receiver_port(receiver), receiver_port(receiver), script, receiver_port(never));
    site_file(site, "sinks", sinks);
    free(script);
    free(text);
    free(url);
    free(url_file);
    free(headers_file);
    free(sinks);
}

#define DELIVERED(sink) \
    "SELECT string_agg(DISTINCT state, ' ') FROM chime.notification WHERE sink = '" sink "' AND state <> 'waiting'"

START_TEST(each_kind_of_sink_is_told_and_one_that_hangs_holds_up_nothing)
{
    struct receiver *never = receiver_create(RECEIVER_NEVER);
    receiver = receiver_create(200);
    folder = files_make_directory();
    site = site_create(cluster, "postgres", 2);
    site_job(site, "broken",
             NEVER_DUE "command = \"DO $$ BEGIN RAISE 'no <!channel> \\\"here\\\"'; END $$\"; max_attempts = 1;");
    site_job(site, "sound", NEVER_DUE "command = \"SELECT 1\";");
    write_sinks(never);
    served = site_lead(site);
    ASSERT_RUN(0, "alerts", "test", "chat");
    ck_assert(got("pgchime alerts test: nothing is wrong"));
    runs_ask_and_await(cluster, "broken");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.notification WHERE state = 'delivered'", "4", 120);
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT sink, ' ' ORDER BY sink) FROM chime.notification WHERE state = 'delivered'",
               "am chat hook page");
    ck_assert(got("POST /hook?key=S3CRET%22 HTTP/1.1"));
    ck_assert(got("X-Word: \"pass\\word\""));
    ck_assert(got("Idempotency-Key: main-"));
    ck_assert(got("\"version\":\"4\""));
    ck_assert(got("POST /api/v2/alerts HTTP/1.1"));
    ck_assert(got("no &lt;!channel&gt; \\\"here\\\""));
    ck_assert(has_line("now\n{"));
    ck_assert(has_line("\"job\":\"broken\""));
    /* It is being sent all the while, and runs go on; whoever leads next sends it again. */
    WAIT_SQL(cluster, "SELECT attempts > 0 FROM chime.notification WHERE sink = 'hang'", "t", 60);
    runs_ask_and_await(cluster, "sound");
    WAIT_SQL(cluster, "SELECT sent_at IS NOT NULL FROM chime.notification WHERE sink = 'hang'", "t", 60);
    ck_assert(!daemon_said(served, "S3CRET"));
    daemon_kill(served);
    daemon_destroy(served);
    served = site_lead(site);
    daemon_await(served, "was being sent when its leader ended, and is sent again", 60);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.notification WHERE sink = 'hook'", "1");
    receiver_destroy(never);
}
END_TEST

/* By curl, which says line by line what a mail server hears. A password is said to none that is not encrypted. */
START_TEST(a_mail_is_sent_by_smtp)
{
    receiver = receiver_create(RECEIVER_MAIL);
    folder = files_make_directory();
    site = site_create(cluster, "postgres", 2);
    site_job(site, "broken", NEVER_DUE "command = \"SELECT 1 / 0\"; max_attempts = 1;");
    char *user = files_path("%s/user", folder);
    files_write(user, "pgchime:S3CRET\n");
    chmod(user, 0600);
    int port = receiver_port(receiver);
    char *sinks = files_path(
        "sinks: { desk: { type = \"mail\"; url = \"smtp://127.0.0.1:%d\"; from = \"pgchime@example.com\";\n"
        "  to = [\"ops@example.com\", \"desk@example.com\"]; };\n"
        " gone: { type = \"mail\"; url = \"smtp://127.0.0.1:%d\"; from = \"a@example.com\"; to = "
        "[\"nobody@example.com\"];\n"
        "  match: { alertname = \"none\"; }; };\n"
        " login: { type = \"mail\"; url = \"smtp://127.0.0.1:%d\"; from = \"b@example.com\"; to = "
        "[\"ops@example.com\"];\n"
        "  user_file = \"%s\"; match: { alertname = \"none\"; }; }; };\n"
        "alerts: { job-failed: { severity = \"critical\"; }; };\n",
        port, port, port, user);
    site_file(site, "sinks", sinks);
    served = site_lead(site);
    runs_ask_and_await(cluster, "broken");
    WAIT_SQL(cluster, "SELECT state FROM chime.notification WHERE sink = 'desk'", "delivered", 120);
    ck_assert(got("MAIL FROM:<pgchime@example.com>"));
    ck_assert(got("RCPT TO:<ops@example.com>"));
    ck_assert(got("RCPT TO:<desk@example.com>"));
    ck_assert(got("Subject: "));
    ck_assert(got("division by zero"));
    ck_assert(got("\r\n.\r\n"));
    ASSERT_RUN(1, "alerts", "test", "gone");
    commands_has(errors, "sink gone was not told");
    ASSERT_RUN(1, "alerts", "test", "login");
    commands_has(errors, "sink login was not told");
    ck_assert(!got("MAIL FROM:<b@example.com>"));
    ck_assert(!got("AUTH"));
    free(user);
    free(sinks);
}
END_TEST

START_TEST(a_sink_that_refuses_is_told_later)
{
    char *sinks;
    receiver = receiver_create(301); /* nobody is followed elsewhere */
    folder = files_make_directory();
    site = site_create(cluster, "postgres", 2);
    site_job(site, "broken", NEVER_DUE "command = \"SELECT 1 / 0\"; max_attempts = 1;");
    site_job(site, "worse", NEVER_DUE "command = \"SELECT 1 / 0\"; max_attempts = 1;");
    sinks = files_path("sinks: { hook: { type = \"webhook\"; url = \"http://127.0.0.1:%d/S3CRET\"; };"
                       " open: { type = \"slack\"; url_file = \"%s/url\"; }; };"
                       "alerts: { job-failed: { severity = \"critical\"; }; };",
                       receiver_port(receiver), folder);
    site_file(site, "sinks", sinks);
    free(sinks);
    served = site_lead(site);
    ASSERT_RUN(1, "alerts", "test", "hook");
    commands_has(errors, "sink hook was not told: its answer is HTTP 301");
    ASSERT_RUN(3, "alerts", "test", "open");
    commands_has(errors, "/url: No such file or directory");
    char *file = files_path("%s/url", folder);
    files_write(file, "https://example.invalid/S3CRET");
    chmod(file, 0644);
    ASSERT_RUN(3, "alerts", "test", "open");
    commands_has(errors, "everybody may read");
    chmod(file, 0600);
    files_write(file, "file:///etc/passwd");
    ASSERT_RUN(3, "alerts", "test", "open");
    commands_has(errors, "is not one line with an address of https:// or http://");
    ASSERT_RUN(5, "alerts", "test", "riddle");
    free(file);
    runs_ask_and_await(cluster, "broken");
    WAIT_SQL(cluster, "SELECT error FROM chime.notification WHERE sink = 'hook'", "its answer is HTTP 301", 90);
    receiver_answer(receiver, 204);
    WAIT_SQL(cluster, DELIVERED("hook"), "delivered", 90);
    EXPECT_SQL(cluster, "SELECT error FROM chime.notification WHERE sink = 'hook'", NULL);
    receiver_answer(receiver, 400); /* for what it says: not tried again */
    runs_ask_and_await(cluster, "worse");
    WAIT_SQL(cluster, "SELECT error FROM chime.notification WHERE sink = 'hook' AND state = 'expired'",
             "its answer is HTTP 400", 90);
    WAIT_FOR(daemon_said(served, "sink hook: message"), 20);
    ck_assert(!daemon_said(served, "S3CRET"));
}
END_TEST

/* --- the dead man's switch ---------------------------------------------------------------------------------------- */

static void write_address(int port)
{
    char *file = files_path("%s/url", folder);
    char *url = files_path("http://127.0.0.1:%d/ping/S3CRET\n", port);
    files_write(file, url);
    free(url);
    free(file);
}

#define TIGHT "schedule = \"* * * * *\"; pool = \"tight\"; database = \"main\"; "
#define LONG_AGO                                                                                                       \
    "UPDATE chime.job_state SET last_slot = now() - interval '1 h'; UPDATE chime.job SET since = now() - interval '1 " \
    "h'"

START_TEST(a_heartbeat_is_sent_while_all_is_well_and_else_nothing)
{
    struct receiver *never = receiver_create(RECEIVER_NEVER);
    receiver = receiver_create(500);
    folder = files_make_directory();
    write_address(receiver_port(receiver));
    site = site_create(cluster, "postgres", 2);
    char *members = files_path("heartbeat: { url_file = \"%s/url\"; every = \"1s\"; };", folder);
    site_use_members(site, members);
    site_use_pools(site, "tight = 1;");
    site_file(site, "alerts", "alerts: { job-late: { hold = \"0s\"; }; };");
    site_job(site, "holds", TIGHT "priority = 1; command = \"SELECT pg_sleep(900) WHERE EXISTS (TABLE held)\";");
    site_job(site, "waits", TIGHT "priority = 9; catchup = \"all\"; command = \"SELECT 1\";");
    cluster_execute(cluster, "CREATE TABLE held (at timestamptz)");
    served = site_lead(site);
    daemon_await(served, "its heartbeat does not arrive: its answer is HTTP 500", 60);
    receiver_answer(receiver, 200);
    daemon_await(served, "its heartbeat arrives again", 60);
    ck_assert(got("POST /ping/S3CRET HTTP/1.1"));
    ck_assert(got("database main is led as epoch "));
    /* One that is never answered holds nothing up. */
    write_address(receiver_port(never));
    WAIT_FOR(got_by(never, "POST"), 60);
    runs_ask_and_await(cluster, "waits");
    site_end(served);
    daemon_destroy(served);
    /* Due for an hour, and there is no place for it: nothing is sent until it has run. */
    cluster_execute(cluster, "INSERT INTO held VALUES (now());" LONG_AGO);
    receiver_destroy(receiver);
    receiver = receiver_create(200);
    write_address(receiver_port(receiver));
    served = site_lead(site);
    daemon_await(served, "its heartbeat is not sent: a run has been due for more than 5 minutes", 60);
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'", "1", 60);
    ck_assert(!got("POST"));
    /* What the leader alone knows, `status` and `doctor` say, too. */
    WAIT_SQL(cluster, "SELECT state FROM chime.alert WHERE rule = 'job-late' AND subject = 'waits'", "firing", 60);
    ASSERT_RUN(8, "status");
    commands_has(errors, "alert job-late waits fires since ");
    ASSERT_RUN(8, "doctor", "-o", "csv");
    commands_has(output, "pgchime why waits says what it waits for");
    cluster_execute(cluster, "DELETE FROM held; SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ "
                             "'^SELECT pg_sleep'");
    daemon_await(served, "its heartbeat is sent again", 90);
    WAIT_FOR(got("POST /ping/S3CRET HTTP/1.1"), 60);
    WAIT_SQL(cluster, "SELECT string_agg(state, ' ' ORDER BY event_id) FROM chime.alert_event WHERE rule = 'job-late'",
             "firing resolved", 90);
    ck_assert(!daemon_said(served, "S3CRET"));
    receiver_destroy(never);
    free(members);
}
END_TEST

/* Two roles want the one session that there is for roles, each for more jobs than it can have at once, since an hour
 * ago. */
#define HOGS                                                                                                       \
    "CREATE ROLE hog LOGIN; CREATE ROLE neighbour LOGIN;"                                                          \
    "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command, options) SELECT '', 'j' || n, CASE " \
    "WHEN n"                                                                                                       \
    " > 120 THEN 'neighbour' ELSE 'hog' END, 'sql', '* * * * *', 'SELECT pg_sleep(900)', '{\"catchup\": \"all\"}'" \
    " FROM generate_series(1, 122) n;"                                                                             \
    "INSERT INTO chime.job_state (job_id, last_slot) SELECT job_id, now() FROM chime.job ON CONFLICT DO "          \
    "NOTHING;" LONG_AGO

START_TEST(what_a_role_holds_up_withholds_no_heartbeat_and_hides_no_late_job)
{
    receiver = receiver_create(200);
    folder = files_make_directory();
    write_address(receiver_port(receiver));
    site = site_create(cluster, "postgres", 2);
    char *members = files_path("role_sessions = 1; heartbeat: { url_file = \"%s/url\"; every = \"1s\"; };", folder);
    site_use_members(site, members);
    cluster_execute(cluster, HOGS);
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'", "1", 60);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.alert WHERE rule = 'job-late' AND subject ~ '^hog/'", "100", 60);
    EXPECT_SQL(cluster, "SELECT count(*) > 0 FROM chime.alert WHERE rule = 'job-late' AND subject ~ '^neighbour/'",
               "t");
    receiver_destroy(receiver);
    receiver = receiver_create(200);
    write_address(receiver_port(receiver));
    WAIT_FOR(got("POST /ping/S3CRET HTTP/1.1"), 60);
    free(members);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sinks");
    TCase *tests = tcase_create("sinks");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, transitions_wait_for_each_sink_once_by_rule);
    tcase_add_test(tests, who_was_told_that_it_fires_is_told_that_it_is_over);
    tcase_add_test(tests, what_fails_is_tried_again_and_what_was_under_way_says_so);
    tcase_add_test(tests, what_goes_on_is_told_again_unless_somebody_knows);
    tcase_add_test(tests, a_clock_that_was_ahead_holds_up_no_message);
    tcase_add_test(tests, a_look_does_not_read_what_was_told_before);
    tcase_add_test(tests, a_delivery_does_not_read_what_was_told_before);
    tcase_add_test(tests, nobodys_many_alerts_hide_those_of_others);
    tcase_add_test(tests, what_a_receiver_refuses_holds_up_nothing_beside_it);
    tcase_add_test(tests, each_kind_of_sink_is_told_and_one_that_hangs_holds_up_nothing);
    tcase_add_test(tests, a_mail_is_sent_by_smtp);
    tcase_add_test(tests, a_sink_that_refuses_is_told_later);
    suite_add_tcase(suite, tests);
    tests = tcase_create("heartbeat");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_heartbeat_is_sent_while_all_is_well_and_else_nothing);
    tcase_add_test(tests, what_a_role_holds_up_withholds_no_heartbeat_and_hides_no_late_job);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
