/* SPDX-License-Identifier: PostgreSQL */
#include "notify/message.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/text.h"

#define KEPT_FIRING (3 * USEC_PER_MINUTE) /* by an Alertmanager that hears no more of it */
#define LINE_MAX_BYTES 900                /* of a mail: 998 are allowed */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static const char *label_of(const json_t *alert, const char *label)
{
    return text_of(json_object_get(alert, "labels"), label);
}

static bool fires(const json_t *object)
{
    return strcmp(text_of(object, "status"), "firing") == 0;
}

/* What it is about: its label beside those that every alert has; of one that is about a plugin, that. */
static const char *subject_of(const json_t *alert)
{
    static const char *const common[] = {"alertname", "severity", "database", "plugin"};
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(alert, "labels"), key, value)
    {
        bool is_common = false;
        for (size_t i = 0; i < COUNT_OF(common); i++) {
            is_common = is_common || strcmp(key, common[i]) == 0;
        }
        if (!is_common) {
            return json_string_value(value) != NULL ? json_string_value(value) : "";
        }
    }
    return label_of(alert, "plugin");
}

/* --- for people --------------------------------------------------------------------------------------------------- */

/* Words of others: they stay in their line, which they would forge a further one with. */
static void put_words(struct buffer *text, const char *words)
{
    size_t length = strlen(words);
    for (size_t step; length > 0; words += step, length -= step) {
        step = utf8_length(words, length);
        if (step == 0 || utf8_is_hidden(utf8_decode(words, step))) {
            buffer_putc(text, ' ');
            step = step == 0 ? 1 : step;
        } else {
            buffer_append(text, words, step);
        }
    }
}

static void put_title(struct buffer *text, const json_t *body)
{
    const json_t *group = json_object_get(body, "groupLabels");
    buffer_printf(text, "[%s] %s in database ", fires(body) ? "firing" : "resolved", text_of(group, "alertname"));
    put_words(text, text_of(group, "database"));
}

static void put_alert(struct buffer *text, const json_t *alert)
{
    const char *subject = subject_of(alert);
    buffer_printf(text, "- %s%s", fires(alert) ? "firing" : "resolved", subject[0] != '\0' ? ": " : "");
    put_words(text, subject);
    buffer_printf(text, " (%s): ", label_of(alert, "severity"));
    put_words(text, text_of(json_object_get(alert, "annotations"), "summary"));
    buffer_putc(text, '\n');
}

static char *for_people(const json_t *body)
{
    struct buffer text = {0};
    size_t index;
    json_t *alert;
    json_int_t omitted = json_integer_value(json_object_get(body, "truncatedAlerts"));
    put_title(&text, body);
    buffer_putc(&text, '\n');
    json_array_foreach(json_object_get(body, "alerts"), index, alert)
    {
        put_alert(&text, alert);
    }
    if (omitted > 0) {
        buffer_printf(&text, "and %lld more: pgchime alerts lists them\n", (long long)omitted);
    }
    return buffer_take(&text);
}

#define UNSEEN "\xE2\x80\x8B" /* a space of no width */

/* Else a summary could call everybody of a channel, Slack by <!here> and others by @here, or show another address than
 * its link has: Slack by <address|text>, others by [text](address). */
static char *for_slack(const json_t *body)
{
    struct buffer text = {0};
    char *plain = for_people(body);
    for (const char *c = plain; *c != '\0'; c++) {
        if (*c == '&' || *c == '<' || *c == '>') {
            buffer_puts(&text, *c == '&' ? "&amp;" : *c == '<' ? "&lt;" : "&gt;");
        } else {
            buffer_putc(&text, *c);
            buffer_puts(&text, *c == '@' || (*c == ']' && c[1] == '(') ? UNSEEN : "");
        }
    }
    json_t *message = json_pack("{s:s}", "text", buffer_text(&text));
    char *packed = json_dumps(message, JSON_COMPACT);
    json_decref(message);
    buffer_finish(&text);
    free(plain);
    return packed;
}

/* A header's value: one line of ASCII. */
static void put_plain(struct buffer *mail, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        buffer_putc(mail, (unsigned char)*c < 0x20 || (unsigned char)*c > 0x7E ? '?' : *c);
    }
}

static void put_header(struct buffer *mail, const char *name, const char *value)
{
    buffer_printf(mail, "%s: ", name);
    put_plain(mail, value);
    buffer_putc(mail, '\n');
}

static void put_body(struct buffer *mail, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        size_t kept = length > LINE_MAX_BYTES ? utf8_cut(text, length, LINE_MAX_BYTES) : length;
        buffer_append(mail, text, kept);
        buffer_putc(mail, '\n');
        text += kept + (text[kept] == '\n' ? 1 : 0);
    }
}

static char *for_mail(const struct config_sink *sink, const json_t *body, const char *key, instant now)
{
    struct buffer text = {0};
    struct buffer title = {0};
    char date[64];
    time_t seconds = (time_t)(now / USEC_PER_SEC);
    struct tm utc;
    char *plain = for_people(body);
    put_title(&title, body);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&seconds, &utc));
    put_header(&text, "Date", date);
    put_header(&text, "From", sink->from);
    for (size_t i = 0; sink->to[i] != NULL; i++) {
        put_header(&text, i == 0 ? "To" : "Cc", sink->to[i]);
    }
    put_header(&text, "Subject", buffer_text(&title));
    buffer_puts(&text, "Message-ID: <");
    put_plain(&text, key);
    buffer_puts(&text, "@pgchime>\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n"
                       "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n");
    put_body(&text, plain);
    buffer_finish(&title);
    free(plain);
    return buffer_take(&text);
}

/* --- for programs ------------------------------------------------------------------------------------------------- */

/* Its API takes the alerts alone. What fires ends there by itself, unless it is told again. */
static char *for_alertmanager(const json_t *body, instant now)
{
    char until[INSTANT_TEXT_SIZE];
    size_t index;
    json_t *alert;
    json_t *list = json_array();
    instant_format(now + KEPT_FIRING, until);
    json_array_foreach(json_object_get(body, "alerts"), index, alert)
    {
        json_array_append_new(list, json_pack("{s:O, s:O, s:s, s:s}", "labels", json_object_get(alert, "labels"),
                                              "annotations", json_object_get(alert, "annotations"), "startsAt",
                                              text_of(alert, "startsAt"), "endsAt",
                                              fires(alert) ? until : text_of(alert, "endsAt")));
    }
    char *packed = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return packed;
}

static char *made(const struct config_sink *sink, const json_t *body, const char *key, instant now)
{
    switch (sink->type) {
    case SINK_SLACK:
        return for_slack(body);
    case SINK_ALERTMANAGER:
        return for_alertmanager(body, now);
    case SINK_MAIL:
        return for_mail(sink, body, key, now);
    case SINK_WEBHOOK:
    case SINK_PROGRAM:
        break;
    }
    return json_dumps(body, JSON_COMPACT);
}

char *message_text(const struct config_sink *sink, const char *body, const char *key, instant now, struct error *err)
{
    json_t *read = json_loads(body, 0, NULL);
    char *text = json_is_object(read) ? made(sink, read, key, now) : NULL;
    json_decref(read);
    if (text == NULL) {
        error_set(err, ERROR_FAILED, "the message cannot be made");
    }
    return text;
}

char *message_test_body(const char *sink, const char *database, instant now)
{
    char at[INSTANT_TEXT_SIZE];
    instant_format(now, at);
    json_t *labels = json_pack("{s:s, s:s, s:s, s:s}", "alertname", "test", "severity", "info", "database", database,
                               "sink", sink);
    json_t *body = json_pack(
        "{s:s, s:s, s:s, s:s, s:{s:s, s:s}, s:O, s:{}, s:s, s:i, s:[{s:s, s:o, s:{s:s}, s:s, s:s, s:s, s:s}]}",
        "version", "4", "receiver", sink, "groupKey", "test", "status", "firing", "groupLabels", "alertname", "test",
        "database", database, "commonLabels", labels, "commonAnnotations", "externalURL", "", "truncatedAlerts", 0,
        "alerts", "status", "firing", "labels", labels, "annotations", "summary",
        "pgchime alerts test: nothing is wrong", "startsAt", at, "endsAt", "0001-01-01T00:00:00Z", "generatorURL", "",
        "fingerprint", "0000000000000000");
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}
