/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE
#include "support/cluster/network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/process/files.h"
#include "support/process/process.h"

#define IP_PROGRAM "/sbin/ip"
#define PASSED_DESCRIPTOR 100 /* where `ip` finds the machine's namespace */
#define SETTINGS_MAX 20

struct network_machine {
    int number;
    int namespace;
};

static int machine_count;

/* --- the namespaces ----------------------------------------------------------------------------------------------- */

static void write_map(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);

    if (file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text)) {
        fprintf(stderr, "error: %s cannot be written: %s\n", path, strerror(errno));
        exit(2);
    }
    close(file);
}

static void map_self(const char *path, unsigned id)
{
    char *text = files_path("%u %u 1", id, id);

    write_map(path, text);
    free(text);
}

/* `ip` is another program: what it may do has to be handed down on purpose. */
static void keep_net_admin(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &header, sets) != 0)
        _exit(124);
    sets[0].inheritable |= 1u << CAP_NET_ADMIN;
    if (syscall(SYS_capset, &header, sets) != 0 ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) != 0)
        _exit(124);
}

/* Runs "ip WORDS" in the namespace `where` (-1: the test's), with `passed` (-1: none) as PASSED_DESCRIPTOR. */
static int try_ip(int where, int passed, const char *words)
{
    pid_t pid = fork();

    if (pid < 0)
        support_fail("fork: %s", strerror(errno));
    if (pid == 0) {
        char *command = files_path("exec %s %s", IP_PROGRAM, words);
        if (where >= 0 && setns(where, CLONE_NEWNET) != 0)
            _exit(125);
        if (passed >= 0 && dup2(passed, PASSED_DESCRIPTOR) < 0)
            _exit(125);
        keep_net_admin();
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    return process_wait(pid, 20);
}

static void ip(int where, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void ip(int where, const char *format, ...)
{
    char *words = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&words, format, arguments) < 0)
        support_fail("out of memory");
    va_end(arguments);
    int status = try_ip(where, -1, words);
    if (status != 0)
        support_fail("ip %s ended with %d\nHINT:  script/bootstrap installs iproute2", words, status);
    free(words);
}

void network_enter(void)
{
    unsigned user = (unsigned)geteuid();
    unsigned group = (unsigned)getegid();

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        fprintf(stderr,
                "error: no network namespace can be made: %s\n"
                "HINT:  this test needs user namespaces: sysctl kernel.unprivileged_userns_clone=1,"
                " user.max_user_namespaces above 0\n",
                strerror(errno));
        exit(2);
    }
    write_map("/proc/self/setgroups", "deny");
    map_self("/proc/self/uid_map", user);
    map_self("/proc/self/gid_map", group);
    ip(-1, "link set lo up");
}

struct cluster *network_cluster_create(const char *const *settings)
{
    const char *all[SETTINGS_MAX + 2] = {"listen_addresses=0.0.0.0"};

    for (size_t i = 0; settings != NULL && settings[i] != NULL; i++) {
        if (i == SETTINGS_MAX)
            support_fail("too many settings");
        all[i + 1] = settings[i];
    }
    struct cluster *cluster = cluster_create(all);
    char *access = files_path("%s/data/pg_hba.conf", cluster_directory(cluster));
    files_append(access, "host all all 10.77.0.0/16 trust\nhost replication all 10.77.0.0/16 trust\n");
    free(access);
    cluster_execute(cluster, "SELECT pg_reload_conf()");
    return cluster;
}

/* --- machines ----------------------------------------------------------------------------------------------------- */

static int make_namespace(void)
{
    int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    if (own < 0 || unshare(CLONE_NEWNET) != 0)
        support_fail("no further network namespace: %s", strerror(errno));
    int made = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (made < 0 || setns(own, CLONE_NEWNET) != 0)
        support_fail("cannot leave the new network namespace: %s", strerror(errno));
    close(own);
    return made;
}

static void lay_cable(const struct network_machine *machine)
{
    int n = machine->number;

    ip(-1, "link add s%d address 02:00:00:00:%02x:01 type veth peer name m%d address 02:00:00:00:%02x:02", n, n, n, n);
    char *move = files_path("link set m%d netns /proc/self/fd/%d", n, PASSED_DESCRIPTOR);
    int status = try_ip(-1, machine->namespace, move);
    if (status != 0)
        support_fail("ip %s ended with %d", move, status);
    free(move);
    ip(-1, "addr add 10.77.%d.1/24 dev s%d", n, n);
    ip(-1, "link set s%d up", n);
    ip(machine->namespace, "link set lo up");
    ip(machine->namespace, "addr add 10.77.%d.2/24 dev m%d", n, n);
    ip(machine->namespace, "link set m%d up", n);
}

struct network_machine *network_machine_create(void)
{
    struct network_machine *machine = calloc(1, sizeof(*machine));

    if (machine == NULL)
        support_fail("out of memory");
    machine->number = ++machine_count;
    machine->namespace = make_namespace();
    lay_cable(machine);
    network_heal(machine);
    return machine;
}

void network_machine_destroy(struct network_machine *machine)
{
    if (machine == NULL)
        return;
    ip(-1, "link del s%d", machine->number);
    close(machine->namespace);
    free(machine);
}

char *network_conninfo(const struct network_machine *machine, int port, const char *database)
{
    return files_path("host=10.77.%d.1 port=%d user=postgres dbname=%s", machine->number, port, database);
}

void network_live_on(const struct network_machine *machine)
{
    process_use_network(machine != NULL ? machine->namespace : -1);
}

/* Frames addressed to nobody's card are dropped by whoever gets them, silently; works without any module of the
 * kernel. */
static void address_cards(const struct network_machine *machine, const char *server_card, const char *machine_card)
{
    int n = machine->number;

    ip(machine->namespace, "neigh replace 10.77.%d.1 lladdr 02:00:00:00:%02x:%s nud permanent dev m%d", n, n,
       server_card, n);
    ip(-1, "neigh replace 10.77.%d.2 lladdr 02:00:00:00:%02x:%s nud permanent dev s%d", n, n, machine_card, n);
}

void network_cut(struct network_machine *machine, enum network_direction ways)
{
    address_cards(machine, (ways & NETWORK_TO_SERVER) != 0 ? "ff" : "01",
                  (ways & NETWORK_FROM_SERVER) != 0 ? "ff" : "02");
}

void network_heal(struct network_machine *machine)
{
    address_cards(machine, "01", "02");
}
