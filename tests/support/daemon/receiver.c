/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include "support/daemon/receiver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/process/files.h"
#include "support/process/process.h"

#define REQUEST_MAX 262144

struct receiver {
    pid_t pid;
    int port;
    char *folder;
    char *got;    /* file */
    char *status; /* file */
};

static size_t body_length(const char *head)
{
    const char *header = strcasestr(head, "Content-Length:");
    return header != NULL ? strtoul(header + 15, NULL, 10) : 0;
}

/* One request, whole. */
static void read_request(int connection, char *request)
{
    size_t length = 0;
    ssize_t count;
    const char *end;
    while (length < REQUEST_MAX - 1 && (count = read(connection, request + length, REQUEST_MAX - 1 - length)) > 0) {
        length += (size_t)count;
        request[length] = '\0';
        end = strstr(request, "\r\n\r\n");
        if (end != NULL && length >= (size_t)(end + 4 - request) + body_length(request)) {
            return;
        }
    }
}

static int status_of(const struct receiver *receiver)
{
    char *text = files_read(receiver->status);
    int status = atoi(text);
    free(text);
    return status;
}

/* What a line of a mail client's is answered; NULL: nothing, it is part of a mail. */
static const char *mail_answer(const char *line, bool *in_mail)
{
    if (*in_mail) {
        *in_mail = strcmp(line, ".\r\n") != 0;
        return *in_mail ? NULL : "250 taken\r\n";
    }
    *in_mail = strncasecmp(line, "DATA", 4) == 0;
    if (*in_mail) {
        return "354 go on\r\n";
    }
    if (strncasecmp(line, "QUIT", 4) == 0) {
        return "221 bye\r\n";
    }
    bool nobody = strncasecmp(line, "RCPT", 4) == 0 && strstr(line, "nobody@") != NULL;
    return nobody ? "550 no such mailbox\r\n" : "250 well\r\n";
}

static void serve_mail(const struct receiver *receiver, int connection)
{
    char line[4096];
    bool in_mail = false;
    FILE *stream = fdopen(connection, "r+");
    const char *answer = "220 ready\r\n";
    do {
        if (answer != NULL && write(connection, answer, strlen(answer)) < 0) {
            break;
        }
        if (stream == NULL || fgets(line, sizeof(line), stream) == NULL) {
            break;
        }
        files_append(receiver->got, line);
        answer = mail_answer(line, &in_mail);
    } while (true);
    fclose(stream);
}

static void serve(const struct receiver *receiver, int connection)
{
    static char request[REQUEST_MAX];
    char answer[128];
    if (status_of(receiver) == RECEIVER_MAIL) {
        serve_mail(receiver, connection);
        return;
    }
    request[0] = '\0';
    read_request(connection, request);
    int status = status_of(receiver);
    files_append(receiver->got, request);
    files_append(receiver->got, "\n");
    if (status == RECEIVER_NEVER) {
        while (read(connection, request, REQUEST_MAX) > 0) {
        }
    } else {
        int length = snprintf(
            answer, sizeof(answer),
            "HTTP/1.1 %d Said\r\nContent-Length: 0\r\nLocation: /elsewhere\r\nConnection: close\r\n\r\n", status);
        if (write(connection, answer, (size_t)length) != length) {
            _exit(1);
        }
    }
    close(connection);
}

static void serve_all(const struct receiver *receiver, int listener)
{
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection >= 0) {
            serve(receiver, connection);
        }
    }
}

struct receiver *receiver_create(int status)
{
    struct receiver *receiver = calloc(1, sizeof(*receiver));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receiver == NULL || listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 ||
        listen(listener, 16) != 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        support_fail("no server for a receiver");
    }
    receiver->port = ntohs(address.sin_port);
    receiver->folder = files_make_directory();
    receiver->got = files_path("%s/got", receiver->folder);
    receiver->status = files_path("%s/status", receiver->folder);
    receiver_answer(receiver, status);
    receiver->pid = process_fork();
    if (receiver->pid == 0) {
        serve_all(receiver, listener);
    }
    close(listener);
    return receiver;
}

void receiver_answer(struct receiver *receiver, int status)
{
    char text[16];
    char *next = files_path("%s.next", receiver->status);
    snprintf(text, sizeof(text), "%d", status);
    files_write(next, text);
    if (rename(next, receiver->status) != 0) {
        support_fail("a receiver cannot be told what to answer");
    }
    free(next);
}

int receiver_port(const struct receiver *receiver)
{
    return receiver->port;
}

char *receiver_got(const struct receiver *receiver)
{
    return files_read(receiver->got);
}

void receiver_destroy(struct receiver *receiver)
{
    if (receiver == NULL) {
        return;
    }
    kill(receiver->pid, SIGKILL);
    waitpid(receiver->pid, NULL, 0);
    free(receiver->folder);
    free(receiver->got);
    free(receiver->status);
    free(receiver);
}
