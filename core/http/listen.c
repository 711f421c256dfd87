/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"

#define WAITING_MAX 128
#define LOCAL "unix:"

static bool refuse(struct error *err, const char *text)
{
    error_set(err, ERROR_CONFIG, "\"%s\" is no address to listen at", text);
    return error_hint(err, "write \"127.0.0.1:8743\", \"[::1]:8743\" or \"unix:/run/pgchime-web/http.sock\"");
}

static bool read_local(const char *path, struct http_place *place, struct error *err)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&place->address;
    if (path[0] != '/' || strlen(path) >= sizeof(address->sun_path)) {
        error_set(err, ERROR_CONFIG, "\"%s\" is no path for a socket", path);
        return error_hint(err, "a path begins with / and has %zu bytes at most", sizeof(address->sun_path) - 1);
    }
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, strlen(path) + 1);
    place->size = sizeof(*address);
    place->local = true;
    return true;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    return address->ss_family == AF_INET ? ntohl(four->sin_addr.s_addr) >> 24 == 127
                                         : IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

/* "127.0.0.1:8743" to its two parts; brackets go. */
static bool split(const char *text, char *host, size_t size, const char **port)
{
    const char *colon = strrchr(text, ':');
    bool bracket = text[0] == '[';
    if (colon == NULL || (bracket && (colon - text < 2 || colon[-1] != ']'))) {
        return false;
    }
    size_t length = (size_t)(colon - text) - (bracket ? 2 : 0);
    if (length == 0 || length >= size || (!bracket && memchr(text, ':', length) != NULL)) {
        return false;
    }
    memcpy(host, text + (bracket ? 1 : 0), length);
    host[length] = '\0';
    *port = colon + 1;
    return true;
}

bool http_place_read(const char *text, struct http_place *place, struct error *err)
{
    struct addrinfo wanted = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char host[INET6_ADDRSTRLEN + 1];
    const char *port;
    int64_t number;
    *place = (struct http_place){.size = 0};
    if (strncmp(text, LOCAL, strlen(LOCAL)) == 0) {
        return read_local(text + strlen(LOCAL), place, err);
    }
    if (!split(text, host, sizeof(host), &port) || !parse_int64(port, 0, 65535, &number) ||
        getaddrinfo(host, port, &wanted, &found) != 0) {
        return refuse(err, text);
    }
    memcpy(&place->address, found->ai_addr, found->ai_addrlen);
    place->size = found->ai_addrlen;
    place->loopback = is_loopback(&place->address);
    freeaddrinfo(found);
    return true;
}

/* --- listening ---------------------------------------------------------------------------------------------------- */

static bool is_listened_to(const struct http_place *place)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool answered = probe >= 0 && (connect(probe, (const struct sockaddr *)&place->address, place->size) == 0 ||
                                   errno == EAGAIN || errno == EACCES);
    if (probe >= 0) {
        close(probe);
    }
    return answered;
}

/* Of a process that was killed. */
static void remove_dead(const struct http_place *place)
{
    const char *path = ((const struct sockaddr_un *)&place->address)->sun_path;
    struct stat file;
    if (!is_listened_to(place) && lstat(path, &file) == 0 && S_ISSOCK(file.st_mode)) {
        unlink(path);
    }
}

int http_place_listen(const struct http_place *place, struct error *err)
{
    int on = 1;
    if (place->local) {
        remove_dead(place);
    }
    int listener = socket(place->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t usual = umask(0117);
    bool bound = listener >= 0 &&
                 (place->local || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0) &&
                 bind(listener, (const struct sockaddr *)&place->address, place->size) == 0;
    umask(usual);
    if (!bound || listen(listener, WAITING_MAX) != 0) {
        error_set(err, ERROR_FAILED, "cannot listen: %s", strerror(errno));
        error_hint(err, "is another process listening there? Choose another address with listen = \"...\";");
        if (listener >= 0) {
            close(listener);
        }
        return -1;
    }
    return listener;
}

char *http_place_text(int socket)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(address);
    char host[INET6_ADDRSTRLEN];
    char port[8];
    if (getsockname(socket, (struct sockaddr *)&address, &size) != 0) {
        return xstrdup("?");
    }
    if (address.ss_family == AF_UNIX) {
        return xasprintf(LOCAL "%s", ((struct sockaddr_un *)&address)->sun_path);
    }
    if (getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return xstrdup("?");
    }
    return xasprintf(address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}
