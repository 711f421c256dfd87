/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "notify/message.h"
#include "support/process/suite.h"

#define NOW (1774603800LL * USEC_PER_SEC) /* 2026-03-27 09:30:00 */
#define BODY                                                                                                          \
    "{\"version\": \"4\", \"status\": \"firing\", \"truncatedAlerts\": 3, \"groupLabels\": {\"alertname\": "          \
    "\"job-failed\", \"database\": \"d\\nBcc: me\"}, \"alerts\": ["                                                   \
    "{\"status\": \"firing\", \"labels\": {\"alertname\": \"job-failed\", \"job\": \"a\", \"severity\": \"info\"},"   \
    " \"annotations\": {\"summary\": \"<!here> & so on\"}, \"startsAt\": \"2026-03-27T09:00:00Z\", \"endsAt\": "      \
    "\"0001-01-01T00:00:00Z\"},"                                                                                      \
    "{\"status\": \"resolved\", \"labels\": {\"alertname\": \"job-failed\", \"job\": \"b\", \"severity\": \"info\"}," \
    " \"annotations\": {\"summary\": \"x\"}, \"startsAt\": \"2026-03-27T09:00:00Z\", \"endsAt\": "                    \
    "\"2026-03-27T09:20:00Z\"}]}"

static char *text;

static void tear_down(void)
{
    free(text);
    text = NULL;
}

static void make_of(enum sink_type type, const char *body)
{
    static const char *const to[] = {"ann@example.com", "ben@example.com", NULL};
    struct config_sink sink = {.name = "s", .type = type, .from = "us@example.com", .to = to};
    struct error err;
    text = message_text(&sink, body, "main-7", NOW, &err);
    ck_assert_msg(text != NULL, "%s", err.message);
}

static void make(enum sink_type type)
{
    make_of(type, BODY);
}

static void has(const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "%s\nis not in\n%s", part, text);
}

START_TEST(slack_is_told_text_that_calls_nobody)
{
    make(SINK_SLACK);
    ck_assert_str_eq(text,
                     "{\"text\":\"[firing] job-failed in database d Bcc: me\\n- firing: a (info): &lt;!here&gt; &amp; "
                     "so on\\n- resolved: b (info): x\\nand 3 more: pgchime alerts lists them\\n\"}");
}
END_TEST

/* Its label is one that a condition of a plugin has beside its subject's. */
START_TEST(a_plugin_that_failed_is_named)
{
    make_of(SINK_SLACK, "{\"status\": \"firing\", \"groupLabels\": {\"alertname\": \"plugin-failed\"}, \"alerts\": "
                        "[{\"status\": \"firing\", \"labels\": {\"alertname\": \"plugin-failed\", \"plugin\": "
                        "\"activity\", \"severity\": \"info\"}, \"annotations\": {\"summary\": \"no table\"}}]}");
    has("- firing: activity (info): no table");
    free(text);
    make_of(SINK_SLACK, "{\"status\": \"firing\", \"groupLabels\": {\"alertname\": \"late\"}, \"alerts\": "
                        "[{\"status\": \"firing\", \"labels\": {\"plugin\": \"activity\", \"subject\": \"shop\", "
                        "\"severity\": \"info\"}, \"annotations\": {\"summary\": \"7\"}}]}");
    has("- firing: shop (info): 7");
}
END_TEST

#define FORGED                                                                                                  \
    "{\"status\": \"firing\", \"groupLabels\": {\"alertname\": \"horizon\", \"database\": \"d\"}, \"alerts\": " \
    "[{\"status\": \"firing\", \"labels\": {\"alertname\": \"horizon\", \"session\": "                          \
    "\"a\\n- resolved: b\", \"severity\": \"info\"}, \"annotations\": {\"summary\": "                           \
    "\"one\\r\\n- firing: c (critical)\\rtwo\\u001b[2J\\u2028three\\u202e\\u00e9\"}}]}"

START_TEST(no_summary_forges_a_line)
{
    make_of(SINK_SLACK, FORGED);
    ck_assert_str_eq(text,
                     "{\"text\":\"[firing] horizon in database d\\n- firing: a - resolved: b (info): one  - firing: c "
                     "(critical) two [2J three \xC3\xA9\\n\"}");
    free(text);
    make_of(SINK_MAIL, FORGED);
    ck_assert_ptr_null(strchr(text, '\r'));
    has("\n\n[firing] horizon in database d\n- firing: a - resolved: b (info): one  - firing: c (critical) two [2J "
        "three \xC3\xA9\n");
}
END_TEST

#define CALLING                                                                                       \
    "{\"status\": \"firing\", \"alerts\": [{\"status\": \"firing\", \"labels\": {\"job\": \"@ann\", " \
    "\"severity\": \"info\"}, \"annotations\": {\"summary\": \"@all @@here\"}}]}"
#define CUT "\xE2\x80\x8B" /* a zero-width space */

START_TEST(no_at_calls_anybody)
{
    make_of(SINK_SLACK, CALLING);
    has("- firing: @" CUT "ann (info): @" CUT "all @" CUT "@" CUT "here\\n");
    free(text);
    make_of(SINK_MAIL, CALLING);
    has("@ann (info): @all @@here\n");
}
END_TEST

#define LINKING                                                                                         \
    "{\"status\": \"firing\", \"alerts\": [{\"status\": \"firing\", \"labels\": {\"job\": \"[a](b)\", " \
    "\"severity\": \"info\"}, \"annotations\": {\"summary\": \"[log in](http://e) ![](e) <http://e|log in>\"}}]}"

START_TEST(no_words_hide_where_a_link_leads)
{
    make_of(SINK_SLACK, LINKING);
    has("- firing: [a]" CUT "(b) (info): [log in]" CUT "(http://e) ![]" CUT "(e) &lt;http://e|log in&gt;\\n");
    free(text);
    make_of(SINK_MAIL, LINKING);
    has("- firing: [a](b) (info): [log in](http://e) ![](e) <http://e|log in>\n");
}
END_TEST

START_TEST(an_alertmanager_keeps_what_fires_for_three_minutes)
{
    make(SINK_ALERTMANAGER);
    has("[{\"labels\":{\"alertname\":\"job-failed\",\"job\":\"a\"");
    has("\"startsAt\":\"2026-03-27T09:00:00Z\",\"endsAt\":\"2026-03-27T09:33:00Z\"}");
    has("\"endsAt\":\"2026-03-27T09:20:00Z\"}]");
}
END_TEST

START_TEST(a_mail_has_the_headers_that_we_give_it_alone)
{
    make(SINK_MAIL);
    has("Date: Fri, 27 Mar 2026 09:30:00 +0000\nFrom: us@example.com\nTo: ann@example.com\nCc: ben@example.com\n"
        "Subject: [firing] job-failed in database d Bcc: me\nMessage-ID: <main-7@pgchime>\n");
    const char *body = strstr(text, "\n\n");
    ck_assert_ptr_nonnull(body);
    const char *forged = strstr(text, "\nBcc:");
    ck_assert(forged == NULL || forged > body);
    ck_assert_ptr_nonnull(strstr(body, "- firing: a (info): <!here> & so on\n"));
}
END_TEST

START_TEST(a_long_line_of_a_mail_is_broken_and_what_is_no_message_is_refused)
{
    static const char *const to[] = {"ann@example.com", NULL};
    struct config_sink sink = {.name = "s", .type = SINK_MAIL, .from = "us@example.com", .to = to};
    struct error err;
    char summary[2401];
    for (size_t i = 0; i < 2400; i += 2) {
        memcpy(summary + i, "\xC3\xA9", 2);
    }
    summary[2400] = '\0';
    char *body = xasprintf("{\"status\": \"firing\", \"alerts\": [{\"annotations\": {\"summary\": \"%s\"}}]}", summary);
    text = message_text(&sink, body, "k", NOW, &err);
    ck_assert_ptr_nonnull(text);
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        ck_assert_uint_le(strcspn(line, "\n"), 998);
        ck_assert_int_ne((unsigned char)*line & 0xC0, 0x80); /* no character is cut */
    }
    free(body);
    ck_assert_ptr_null(message_text(&sink, "[]", "k", NOW, &err));
    ck_assert_ptr_null(message_text(&sink, "{", "k", NOW, &err));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("message");
    TCase *cases = tcase_create("message");
    tcase_add_checked_fixture(cases, NULL, tear_down);
    tcase_add_test(cases, slack_is_told_text_that_calls_nobody);
    tcase_add_test(cases, a_plugin_that_failed_is_named);
    tcase_add_test(cases, no_summary_forges_a_line);
    tcase_add_test(cases, no_at_calls_anybody);
    tcase_add_test(cases, no_words_hide_where_a_link_leads);
    tcase_add_test(cases, an_alertmanager_keeps_what_fires_for_three_minutes);
    tcase_add_test(cases, a_mail_has_the_headers_that_we_give_it_alone);
    tcase_add_test(cases, a_long_line_of_a_mail_is_broken_and_what_is_no_message_is_refused);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
