/* SPDX-License-Identifier: PostgreSQL */
#include "web/streams.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "web/page.h"

#define BETWEEN_EVENTS (250 * USEC_PER_MSEC)
#define BETWEEN_COMMENTS (15 * USEC_PER_SEC)
#define VERSION_SIZE 48

/* A page that one stream is about. */
struct topic {
    char *name;
    struct kept *kept;
    char said[VERSION_SIZE];
};

struct stream {
    struct streams *streams;
    struct stream *next;
    struct http_request *request;
    struct stream_rights rights;
    struct topic topics[STREAM_TOPICS_MAX];
    size_t topic_count;
};

struct streams {
    struct loop *loop;
    struct pages *pages;
    streams_allowed *allowed;
    void *data;
    struct stream *streams;
    size_t count;
    struct loop_timer *events;
    bool planned;
    instant last;
    struct loop_timer *comments;
};

static void destroy_stream(struct stream *stream)
{
    for (size_t i = 0; i < stream->topic_count; i++) {
        pages_release(stream->streams->pages, stream->topics[i].kept);
        free(stream->topics[i].name);
    }
    free(stream);
}

/* --- saying ------------------------------------------------------------------------------------------------------- */

/* What changed since it was said last; NULL: nothing. */
static json_t *news(struct stream *stream)
{
    json_t *versions = NULL;
    for (size_t i = 0; i < stream->topic_count; i++) {
        struct topic *topic = &stream->topics[i];
        const char *version = kept_version(topic->kept);
        if (version[0] != '\0' && strcmp(version, topic->said) != 0) {
            snprintf(topic->said, sizeof(topic->said), "%s", version);
            versions = versions != NULL ? versions : json_object();
            json_object_set_new(versions, topic->name, json_string(version));
        }
    }
    return versions;
}

static void say_news(struct stream *stream)
{
    json_t *versions = news(stream);
    if (versions == NULL) {
        return;
    }
    char *data = json_dumps(versions, JSON_COMPACT);
    char *event = xasprintf("event: v\ndata: %s\n\n", data);
    http_stream_say(stream->request, event, strlen(event));
    free(event);
    free(data);
    json_decref(versions);
}

static void say_all(void *data)
{
    struct streams *streams = data;
    streams->planned = false;
    streams->last = clock_boot();
    for (struct stream *stream = streams->streams; stream != NULL; stream = stream->next) {
        say_news(stream);
    }
}

static void changed(void *data)
{
    struct streams *streams = data;
    if (!streams->planned) {
        streams->planned = true;
        loop_timer_set(streams->events, streams->last + BETWEEN_EVENTS - clock_boot());
    }
}

/* --- its end ------------------------------------------------------------------------------------------------------ */

static void take_out(struct stream *stream)
{
    struct streams *streams = stream->streams;
    struct stream **link = &streams->streams;
    while (*link != stream) {
        link = &(*link)->next;
    }
    *link = stream->next;
    streams->count--;
    if (streams->count == 0) {
        loop_timer_clear(streams->comments);
    }
    destroy_stream(stream);
}

static void gone(void *data)
{
    take_out(data);
}

static void comment(void *data)
{
    static const char text[] = ":\n\n";
    struct streams *streams = data;
    struct stream *next;
    for (struct stream *stream = streams->streams; stream != NULL; stream = next) {
        next = stream->next;
        if (streams->allowed(streams->data, stream->request, &stream->rights)) {
            http_stream_say(stream->request, text, strlen(text));
        } else {
            http_stream_end(stream->request);
            take_out(stream);
        }
    }
    if (streams->count > 0) {
        loop_timer_set(streams->comments, BETWEEN_COMMENTS);
    }
}

/* --- its beginning ------------------------------------------------------------------------------------------------ */

static bool has_topic(const struct stream *stream, const struct kept *kept)
{
    for (size_t i = 0; i < stream->topic_count; i++) {
        if (stream->topics[i].kept == kept) {
            return true;
        }
    }
    return false;
}

static bool is_of_tiles(const char *name)
{
    struct http_target target;
    if (!http_target_read(name, &target)) {
        return false;
    }
    bool is = page_is_for_tiles(&target);
    http_target_finish(&target);
    return is;
}

static bool add_topic(struct stream *stream, const char *name, struct error *err)
{
    struct pages *pages = stream->streams->pages;
    if (stream->topic_count == STREAM_TOPICS_MAX) {
        error_set(err, ERROR_USAGE, "a stream is about %d pages at most", STREAM_TOPICS_MAX);
        return error_hint(err, "ask for the others from time to time, with the ETag that each had");
    }
    if (name[0] != '/') {
        return error_set(err, ERROR_USAGE, "\"%s\" is no path below /api/v1", name);
    }
    bool of_tiles = is_of_tiles(name);
    if (stream->rights.tiles_alone && !of_tiles) {
        error_set(err, ERROR_USAGE, "the role tiles hears of tiles alone");
        return error_hint(err, "topics as /d/DATABASE/tiles and /d/DATABASE/tile/PLUGIN/NUMBER");
    }
    char *target = xasprintf("/api/v1%s", name);
    struct kept *kept = pages_hold(pages, target, stream->rights.hides_commands && !of_tiles, err);
    free(target);
    if (kept == NULL) {
        return false;
    }
    if (has_topic(stream, kept)) {
        pages_release(pages, kept);
        return true;
    }
    stream->topics[stream->topic_count++] = (struct topic){.name = xstrdup(name), .kept = kept};
    return true;
}

static bool add_topics(struct stream *stream, const char *topics, struct error *err)
{
    char *text = xstrdup(topics);
    char *rest = text;
    bool good = true;
    for (char *name = strtok_r(rest, " ", &rest); name != NULL && good; name = strtok_r(NULL, " ", &rest)) {
        good = add_topic(stream, name, err);
    }
    free(text);
    if (good && stream->topic_count == 0) {
        error_set(err, ERROR_USAGE, "a stream needs \"topics\": paths below /api/v1");
        return error_hint(err, "/api/v1/stream?topics=/databases%%20/d/main/jobs");
    }
    return good;
}

static void begin(struct stream *stream)
{
    static const struct http_answer head = {
        .status = 200, .type = "text/event-stream", .fields = "X-Accel-Buffering: no\r\n"};
    struct streams *streams = stream->streams;
    stream->next = streams->streams;
    streams->streams = stream;
    if (streams->count++ == 0) {
        loop_timer_set(streams->comments, BETWEEN_COMMENTS);
    }
    http_stream_begin(stream->request, &head, gone, stream);
    say_news(stream);
}

void streams_begin(struct streams *streams, struct http_request *request, const char *topics,
                   struct stream_rights rights)
{
    struct error err = {.kind = ERROR_NONE};
    struct stream *stream = xcalloc(1, sizeof(*stream));
    *stream = (struct stream){.streams = streams, .request = request, .rights = rights};
    if (streams->count == STREAMS_MAX) {
        error_set(&err, ERROR_REFUSED, "%d streams are open already", STREAMS_MAX);
        error_hint(&err, "ask for the pages from time to time, with the ETag that each had");
    } else if (add_topics(stream, topics, &err)) {
        begin(stream);
        return;
    }
    destroy_stream(stream);
    http_reply_problem(request, pages_status(&err), err.message, err.hint[0] != '\0' ? err.hint : NULL, NULL);
}

size_t streams_count(const struct streams *streams)
{
    return streams->count;
}

struct streams *streams_create(struct loop *loop, struct pages *pages, streams_allowed *allowed, void *data)
{
    struct streams *streams = xcalloc(1, sizeof(*streams));
    *streams = (struct streams){.loop = loop, .pages = pages, .allowed = allowed, .data = data};
    streams->events = loop_timer_create(loop, say_all, streams);
    streams->comments = loop_timer_create(loop, comment, streams);
    pages_on_change(pages, changed, streams);
    return streams;
}

void streams_destroy(struct streams *streams)
{
    if (streams == NULL) {
        return;
    }
    while (streams->streams != NULL) {
        take_out(streams->streams); /* NOLINT(clang-analyzer-unix.Malloc): it leaves the list */
    }
    loop_timer_destroy(streams->events);
    loop_timer_destroy(streams->comments);
    free(streams);
}
