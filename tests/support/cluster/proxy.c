/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE
#include "support/cluster/proxy.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/process/files.h"
#include "support/process/process.h"

#define PAIRS_MAX 100
#define SOCKET_NAME ".s.PGSQL.5432"
#define BREAK 'b' /* beside the digits of the modes */

struct proxy {
    char *directory;
    pid_t pid;
    int orders; /* one byte each; one comes back when it is in force */
};

/* --- in the proxy's process --------------------------------------------------------------------------------------- */

struct pair {
    int client;
    int server;
};

struct relay {
    int listener;
    int orders;
    char *server_path;
    enum proxy_mode mode;
    size_t count;
    struct pair pairs[PAIRS_MAX];
};

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) < sizeof(address.sun_path))
        memcpy(address.sun_path, path, strlen(path) + 1);
    return address;
}

static void take_connection(struct relay *relay)
{
    struct sockaddr_un address = address_of(relay->server_path);
    int client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (client < 0 || server < 0 || relay->count == PAIRS_MAX ||
        connect(server, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(client);
        close(server);
        return;
    }
    relay->pairs[relay->count++] = (struct pair){client, server};
}

static void drop_pair(struct relay *relay, size_t i)
{
    close(relay->pairs[i].client);
    close(relay->pairs[i].server);
    relay->pairs[i] = relay->pairs[--relay->count];
}

static bool write_all(int to, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = send(to, bytes, length, MSG_NOSIGNAL);
        if (written <= 0)
            return false;
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

/* False when either side has ended. */
static bool pass_on(int from, int to, bool lose)
{
    char bytes[65536];
    ssize_t length = read(from, bytes, sizeof(bytes));

    return length > 0 && (lose || write_all(to, bytes, (size_t)length));
}

static void obey(struct relay *relay)
{
    char order;

    if (read(relay->orders, &order, 1) != 1)
        _exit(0); /* the test is gone */
    if (order == BREAK) {
        while (relay->count > 0)
            drop_pair(relay, 0);
    } else {
        relay->mode = (enum proxy_mode)(order - '0');
    }
    if (write(relay->orders, &order, 1) != 1)
        _exit(1);
}

static bool serve_pair(const struct relay *relay, const struct pair *pair, const struct pollfd *polled)
{
    bool lose = relay->mode == PROXY_SWALLOW_ANSWERS;

    return (polled[0].revents == 0 || pass_on(pair->client, pair->server, false)) &&
           (polled[1].revents == 0 || pass_on(pair->server, pair->client, lose));
}

static void relay_once(struct relay *relay)
{
    struct pollfd polled[2 + 2 * PAIRS_MAX] = {{relay->orders, POLLIN, 0}, {relay->listener, POLLIN, 0}};
    size_t count = relay->mode == PROXY_STOP ? 0 : relay->count;

    for (size_t i = 0; i < count; i++) {
        polled[2 + 2 * i] = (struct pollfd){relay->pairs[i].client, POLLIN, 0};
        polled[3 + 2 * i] = (struct pollfd){relay->pairs[i].server, POLLIN, 0};
    }
    if (poll(polled, (nfds_t)(2 + 2 * count), -1) < 0)
        return;
    if (polled[0].revents != 0) {
        obey(relay); /* what was polled may be gone */
        return;
    }
    for (size_t i = count; i-- > 0;)
        if (!serve_pair(relay, &relay->pairs[i], &polled[2 + 2 * i]))
            drop_pair(relay, i);
    if (polled[1].revents != 0)
        take_connection(relay);
}

/* --- in the test -------------------------------------------------------------------------------------------------- */

static int listen_at(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listener < 0 || bind(listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, PAIRS_MAX) != 0)
        support_fail("cannot listen at %s: %s", path, strerror(errno));
    return listener;
}

static void launch(struct proxy *proxy, struct relay *relay, int orders_end)
{
    proxy->pid = process_fork();
    if (proxy->pid == 0) {
        close(proxy->orders);
        relay->orders = orders_end;
        for (;;)
            relay_once(relay);
    }
}

struct proxy *proxy_create(const struct cluster *cluster)
{
    struct proxy *proxy = calloc(1, sizeof(*proxy));
    struct relay *relay = calloc(1, sizeof(*relay));
    int ends[2];

    if (proxy == NULL || relay == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        support_fail("no proxy: %s", strerror(errno));
    proxy->directory = files_make_directory();
    proxy->orders = ends[0];
    char *path = files_path("%s/%s", proxy->directory, SOCKET_NAME);
    relay->listener = listen_at(path);
    relay->server_path = files_path("%s/%s", cluster_directory(cluster), SOCKET_NAME);
    launch(proxy, relay, ends[1]);
    close(ends[1]);
    close(relay->listener);
    free(relay->server_path);
    free(relay);
    free(path);
    return proxy;
}

void proxy_destroy(struct proxy *proxy)
{
    if (proxy == NULL)
        return;
    close(proxy->orders);
    if (process_wait(proxy->pid, 10) < 0)
        support_fail("the proxy does not end");
    files_remove_tree(proxy->directory);
    guard_forget_directory(proxy->directory);
    free(proxy->directory);
    free(proxy);
}

char *proxy_conninfo(const struct proxy *proxy, const char *database)
{
    return files_path("host=%s port=5432 user=postgres dbname=%s", proxy->directory, database);
}

static void order(struct proxy *proxy, char what)
{
    char answer;

    if (write(proxy->orders, &what, 1) != 1 || read(proxy->orders, &answer, 1) != 1)
        support_fail("the proxy does not obey");
}

void proxy_set(struct proxy *proxy, enum proxy_mode mode)
{
    order(proxy, (char)('0' + (int)mode));
}

void proxy_break(struct proxy *proxy)
{
    order(proxy, BREAK);
}
