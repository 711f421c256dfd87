/* SPDX-License-Identifier: PostgreSQL */
/* A connection of a client: reads one request after the other, sends answers, ends what takes too long. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "http/answer.h"

#define SEND_WITHIN (60 * USEC_PER_SEC)
#define LINGER_WITHIN (2 * USEC_PER_SEC)
#define CHUNK 4096
#define STREAM_KERNEL_BYTES (16 << 10)

enum state {
    STATE_READING,
    STATE_ASKED, /* somebody is to answer */
    STATE_SENDING,
    STATE_STREAMING,
    STATE_LEAVING, /* all was sent: what still comes is dropped, since closing over it would take the answer back */
};

struct http_request {
    struct loop *loop;
    int socket;
    struct loop_watch *watch;
    struct loop_timer *timer;
    const struct http_handlers *handlers;
    struct http_peer peer;
    enum state state;
    instant since; /* when the client did something last, or was to */
    struct buffer in;
    struct http_head head; /* while has_head */
    bool has_head;
    size_t used; /* bytes of the head */
    char *body;
    struct buffer out;
    size_t sent;
    bool last;
    void (*stream_gone)(void *data); /* while it is a stream */
    void *stream;
};

static void end(struct http_request *request)
{
    if (request->state == STATE_STREAMING) {
        request->stream_gone(request->stream);
    }
    request->handlers->gone(request->handlers->data, request);
    http_connection_destroy(request);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void read_next(void *data);

static void leave(struct http_request *request)
{
    request->state = STATE_LEAVING;
    request->since = clock_boot();
    shutdown(request->socket, SHUT_WR);
    loop_timer_set(request->timer, LINGER_WITHIN);
    loop_watch_set(request->watch, true, false);
}

static void sent_all(struct http_request *request)
{
    buffer_finish(&request->out);
    request->sent = 0;
    if (request->state == STATE_STREAMING) {
        loop_timer_clear(request->timer);
        loop_watch_set(request->watch, true, false);
        return;
    }
    if (request->last) {
        leave(request);
        return;
    }
    request->state = STATE_READING;
    request->since = clock_boot();
    loop_timer_set(request->timer, request->handlers->head_within);
    loop_watch_set(request->watch, true, false);
    if (request->in.length > 0) {
        loop_defer(request->loop, read_next, request); /* not from here: requests may stand in a long line */
    }
}

static void send_more(struct http_request *request)
{
    ssize_t count = send(request->socket, buffer_text(&request->out) + request->sent,
                         request->out.length - request->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
        end(request);
        return;
    }
    if (count > 0) {
        request->sent += (size_t)count;
        request->since = clock_boot();
    }
    if (request->sent == request->out.length) {
        sent_all(request);
    } else {
        loop_watch_set(request->watch, request->state == STATE_STREAMING, true);
    }
}

/* What was read of the request is done with. */
static void forget_request(struct http_request *request)
{
    if (request->has_head) {
        size_t used = request->used + request->head.body_length;
        memmove(request->in.data, request->in.data + used, request->in.length - used);
        request->in.length -= used;
        http_head_finish(&request->head);
        free(request->body);
        request->body = NULL;
        request->has_head = false;
    }
}

/* From the loop alone, so that no caller finds its request freed. */
static void begin_to_send(void *data)
{
    send_more(data);
}

void http_reply(struct http_request *request, const struct http_answer *answer)
{
    const struct http_head *head = request->has_head ? &request->head : NULL;
    http_answer_put(&request->out, answer, head, request->handlers->fields);
    request->handlers->answered[answer->status]++;
    request->last = head == NULL || head->last;
    request->state = STATE_SENDING;
    request->since = clock_boot();
    forget_request(request);
    loop_timer_set(request->timer, SEND_WITHIN);
    loop_defer(request->loop, begin_to_send, request);
}

void http_reply_problem(struct http_request *request, int status, const char *detail, const char *hint,
                        const char *fields)
{
    char *text = http_problem_text(status, detail, hint);
    http_reply(request, &(struct http_answer){.status = status,
                                              .type = "application/problem+json",
                                              .fields = fields,
                                              .body = text,
                                              .length = strlen(text)});
    free(text);
}

/* --- an answer that goes on --------------------------------------------------------------------------------------- */

/* What the kernel keeps for a client that takes nothing is little, too. */
static void keep_small(const struct http_request *request)
{
    int size = STREAM_KERNEL_BYTES;
    setsockopt(request->socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

void http_stream_begin(struct http_request *request, const struct http_answer *answer, void (*gone)(void *data),
                       void *data)
{
    struct http_answer head = *answer;
    head.endless = true;
    keep_small(request);
    request->state = STATE_STREAMING;
    request->last = true;
    request->stream_gone = gone;
    request->stream = data;
    http_answer_put(&request->out, &head, &request->head, request->handlers->fields);
    request->handlers->answered[answer->status]++;
    loop_timer_set(request->timer, SEND_WITHIN);
    loop_defer(request->loop, begin_to_send, request);
}

static void cut(void *data)
{
    end(data);
}

void http_stream_say(struct http_request *request, const char *bytes, size_t length)
{
    bool idle = request->out.length == 0;
    if (request->out.length - request->sent + length > HTTP_STREAM_UNSENT_MAX) {
        loop_forget(request->loop, request);
        loop_defer(request->loop, cut, request);
        return;
    }
    if (request->sent > 0) {
        request->out.length -= request->sent;
        memmove(request->out.data, request->out.data + request->sent, request->out.length);
        request->sent = 0;
    }
    buffer_append(&request->out, bytes, length);
    if (idle) {
        loop_timer_set(request->timer, SEND_WITHIN);
        loop_defer(request->loop, begin_to_send, request);
    }
}

void http_stream_end(struct http_request *request)
{
    request->state = STATE_SENDING;
    request->stream_gone = NULL;
    forget_request(request);
    loop_forget(request->loop, request);
    loop_timer_set(request->timer, SEND_WITHIN);
    loop_defer(request->loop, begin_to_send, request);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void refuse(struct http_request *request, int status)
{
    const char *detail = status == 405   ? "only GET, HEAD and POST are known"
                         : status == 408 ? "the request was not whole in time"
                         : status == 413 ? "a body has 16 KiB at most"
                         : status == 414 ? "a target has 4096 bytes at most"
                         : status == 431 ? "a head has 8 KiB and 64 fields at most"
                         : status == 505 ? "only HTTP/1.1 is spoken"
                                         : "the head of the request is not as HTTP/1.1 has it";
    loop_watch_set(request->watch, false, false);
    http_reply_problem(request, status, detail, NULL, status == 405 ? "Allow: GET, HEAD, POST\r\n" : NULL);
}

static void hand_over(struct http_request *request)
{
    size_t length = request->head.body_length;
    request->body = xstrndup(request->in.data + request->used, length);
    request->state = STATE_ASKED;
    loop_timer_clear(request->timer);
    loop_watch_set(request->watch, false, false);
    request->handlers->asked(request->handlers->data, request);
}

static void read_next(void *data)
{
    struct http_request *request = data;
    int status;
    if (!request->has_head) {
        switch (
            http_head_read(buffer_text(&request->in), request->in.length, &request->head, &request->used, &status)) {
        case HTTP_MORE:
            return;
        case HTTP_REFUSED:
            refuse(request, status);
            return;
        case HTTP_WHOLE:
            request->has_head = true;
        }
    }
    if (request->in.length - request->used >= request->head.body_length) {
        hand_over(request);
    }
}

static void hear(struct http_request *request)
{
    char bytes[CHUNK];
    ssize_t count = recv(request->socket, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (count <= 0) {
        end(request);
    } else if (request->state == STATE_READING) {
        buffer_append(&request->in, bytes, (size_t)count);
        read_next(request);
    }
}

static void ready(void *data, bool readable, bool writable)
{
    struct http_request *request = data;
    if (writable && (request->state == STATE_SENDING || request->state == STATE_STREAMING)) {
        send_more(request);
    } else if (readable && request->state != STATE_ASKED && request->state != STATE_SENDING) {
        hear(request);
    }
}

static void took_too_long(void *data)
{
    struct http_request *request = data;
    if (request->state == STATE_READING && (request->has_head || request->in.length > 0)) {
        request->last = true;
        if (request->has_head) { /* its body has not come */
            http_head_finish(&request->head);
            request->has_head = false;
        }
        refuse(request, 408);
    } else {
        end(request);
    }
}

/* --- from outside ------------------------------------------------------------------------------------------------- */

struct http_request *http_connection_create(struct loop *loop, int socket, const struct http_peer *peer,
                                            const struct http_handlers *handlers)
{
    struct http_request *request = xcalloc(1, sizeof(*request));
    *request = (struct http_request){
        .loop = loop, .socket = socket, .peer = *peer, .handlers = handlers, .since = clock_boot()};
    request->watch = loop_watch_create(loop, socket, ready, request);
    request->timer = loop_timer_create(loop, took_too_long, request);
    loop_watch_set(request->watch, true, false);
    loop_timer_set(request->timer, request->handlers->head_within);
    return request;
}

void http_connection_destroy(struct http_request *request)
{
    loop_forget(request->loop, request);
    loop_watch_destroy(request->watch);
    loop_timer_destroy(request->timer);
    close(request->socket);
    if (request->has_head) {
        http_head_finish(&request->head);
    }
    free(request->body);
    buffer_finish(&request->in);
    buffer_finish(&request->out);
    free(request);
}

instant http_connection_waits(const struct http_request *request)
{
    return request->state == STATE_ASKED || request->state == STATE_STREAMING ? INSTANT_NEVER : request->since;
}

void http_connection_end(struct http_request *request)
{
    end(request);
}

const struct http_head *http_request_head(const struct http_request *request)
{
    return &request->head;
}

const char *http_request_body(const struct http_request *request)
{
    return request->body;
}

const struct http_peer *http_request_peer(const struct http_request *request)
{
    return &request->peer;
}
