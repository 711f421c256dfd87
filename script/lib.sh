# shellcheck shell=bash
# Shared by the scripts beside it; sourced, never run. It sets -euo pipefail.
#
#   say, complain, die            words for people, without colours (logs are read in files)
#   on_exit COMMAND...            run at exit, last registered first, also after Ctrl-C
#   make_run_directory            $RUN_DIRECTORY, a short private folder, removed at exit
#   find_free_port                a TCP port of 127.0.0.1 that nobody listens on
#   drop_root "$@"                goes on as an unprivileged user when root: initdb and postgres refuse root
#   as_unprivileged COMMAND...    one command as that user, when root
#   cluster_start, cluster_stop, cluster_psql, cluster_ready    private PostgreSQL clusters on Unix sockets
set -euo pipefail
# SPDX-License-Identifier: PostgreSQL
umask 022
export LC_ALL=C.UTF-8

ROOT_DIRECTORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export ROOT_DIRECTORY

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }
die() {
    complain "error: $1"
    [ $# -lt 2 ] || complain "HINT:  $2"
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# --- clean-up -------------------------------------------------------------------------------------------------------
exit_commands=()
run_exit_commands()
{
    local status=$? i
    trap - EXIT
    trap '' INT TERM HUP
    for ((i = ${#exit_commands[@]} - 1; i >= 0; i--)); do
        eval "${exit_commands[i]}" || true
    done
    exit "$status"
}

on_exit()
{
    if [ ${#exit_commands[@]} -eq 0 ]; then
        trap run_exit_commands EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        trap 'exit 129' HUP
    fi
    exit_commands+=("$(printf '%q ' "$@")")
}

# Short, since a socket's path may have 107 bytes at most. Owned by the unprivileged user when root makes it.
make_run_directory()
{
    local base=${TMPDIR:-/tmp}
    if [ "${#base}" -gt 40 ] || ! as_unprivileged test -x "$base"; then base=/tmp; fi
    RUN_DIRECTORY=$(mktemp -d "$base/pgchime.XXXXXX")
    export RUN_DIRECTORY
    on_exit rm -rf "$RUN_DIRECTORY"
    [ "$(id -u)" -ne 0 ] || chown "$(unprivileged_user):" "$RUN_DIRECTORY"
}

find_free_port()
{
    local port
    for _ in $(seq 200); do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return 0
        fi
    done
    return 1
}

# --- an unprivileged user -------------------------------------------------------------------------------------------
# postgres comes with the server's package; nobody is everywhere.
unprivileged_user()
{
    if getent passwd postgres >/dev/null; then echo postgres; else echo nobody; fi
}

# Sets `unprivileged`: the words before a command that make it run as that user; none when not root.
set_unprivileged()
{
    unprivileged=()
    [ "$(id -u)" -eq 0 ] || return 0
    local user
    user=$(unprivileged_user)
    unprivileged=(env "HOME=${RUN_DIRECTORY:-/tmp}" "USER=$user" "LOGNAME=$user"
        setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups --no-new-privs --)
}

as_unprivileged()
{
    local unprivileged
    set_unprivileged
    "${unprivileged[@]}" "$@"
}

# Can the unprivileged user use the checkout? Always true for those who are not root.
tree_is_reachable()
{
    as_unprivileged test -r "$ROOT_DIRECTORY/script/lib.sh" && as_unprivileged test -x "$ROOT_DIRECTORY/script"
}

# Where the tree is beyond the unprivileged user's reach (a checkout below /root), makes a copy without the history in
# a temporary folder and prints its path; arguments go to tar. Whoever goes on there sets PGCHIME_REMOVE_TREE to it:
# sourcing this file there has it removed at exit.
# shellcheck disable=SC2120 # script/test gives arguments
copy_tree()
{
    local tree
    tree=$(mktemp -d /tmp/pgchime-tree.XXXXXX)
    tar -C "$ROOT_DIRECTORY" --exclude=./.git "$@" -cf - . | tar -C "$tree" --no-same-owner -xf -
    chmod -R u+rwX,go+rX,go-w "$tree"
    echo "$tree"
}

# drop_root "$@": goes on as the unprivileged user, from a copy of the tree where it cannot reach the checkout. What
# needs root (installing, building) comes before; what registers with on_exit comes after.
drop_root()
{
    [ "$(id -u)" -eq 0 ] || return 0
    local unprivileged tree=$ROOT_DIRECTORY
    set_unprivileged
    if ! tree_is_reachable; then
        # shellcheck disable=SC2119
        tree=$(copy_tree)
        chown -R "$(unprivileged_user):" "$tree"
        export PGCHIME_REMOVE_TREE=$tree
    fi
    cd "$tree"
    exec "${unprivileged[@]}" "$tree/script/$(basename "$0")" "$@"
}

# --- private clusters -----------------------------------------------------------------------------------------------
# postgres_bin [VERSION]: the folder of initdb, postgres, psql. 15 is Debian's; others come by
# `script/bootstrap --all-versions`.
postgres_bin()
{
    local version=${1:-${PGCHIME_TEST_PG:-15}} folder
    for folder in "/usr/lib/postgresql/$version/bin" \
        "$ROOT_DIRECTORY/tests/support/postgres/node_modules/postgres-$version/native/bin"; do
        if [ -x "$folder/initdb" ]; then
            echo "$folder"
            return 0
        fi
    done
    complain "error: PostgreSQL $version is not installed"
    complain "HINT:  script/bootstrap installs 15, script/bootstrap --all-versions also 16, 17 and 18"
    return 1
}

# Debian's psql speaks to all versions here; the npm packages have none.
postgres_psql()
{
    if [ -x /usr/lib/postgresql/15/bin/psql ]; then echo /usr/lib/postgresql/15/bin/psql; else command -v psql; fi
}

# cluster_start DIR [VERSION] [NAME=VALUE...]: makes the cluster in DIR/data at the first call, starts it, waits until
# it answers. The superuser is `postgres`, the socket is in DIR, port 5432, no TCP. Settings are server settings, such
# as fsync=off; without one, fsync is on.
cluster_start()
{
    local directory=$1 bin setting options=()
    shift
    local version=''
    if [[ ${1:-} =~ ^[0-9]+$ ]]; then
        version=$1
        shift
    fi
    bin=$(postgres_bin "$version") || return 1
    [ "$(id -u)" -ne 0 ] || die "PostgreSQL refuses to run as root" "call drop_root before cluster_start"
    [ "${#directory}" -le 88 ] || die "the path $directory is too long for a socket" "set TMPDIR to a shorter folder"
    if [ ! -f "$directory/data/PG_VERSION" ]; then
        mkdir -p "$directory"
        "$bin/initdb" -D "$directory/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync --no-instructions \
            >"$directory/initdb.log" 2>&1 || {
            cat "$directory/initdb.log" >&2
            return 1
        }
    fi
    echo "$version" >"$directory/version"
    for setting in listen_addresses= "unix_socket_directories=$directory" port=5432 logging_collector=off "$@"; do
        options+=("-c" "$setting")
    done
    setsid "$bin/postgres" -D "$directory/data" "${options[@]}" >>"$directory/server.log" 2>&1 </dev/null &
    echo $! >"$directory/server.pid"
    cluster_ready "$directory" 60 || {
        tail -20 "$directory/server.log" >&2
        return 1
    }
}

# cluster_ready DIR SECONDS: waits until the server answers a query.
cluster_ready()
{
    local directory=$1 deadline=$((SECONDS + $2))
    while ! cluster_psql "$directory" -d postgres -qAtXc 'SELECT 1' >/dev/null 2>&1; do
        if ! kill -0 "$(cat "$directory/server.pid")" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            complain "error: the server in $directory does not answer"
            return 1
        fi
        sleep 0.05
    done
}

# cluster_stop DIR [fast|immediate|smart]: waits until it is gone; nothing to stop is no fault.
cluster_stop()
{
    local directory=$1 signal=INT pid waited=0
    case ${2:-fast} in
        immediate) signal=QUIT ;;
        smart) signal=TERM ;;
    esac
    [ -f "$directory/server.pid" ] || return 0
    pid=$(cat "$directory/server.pid")
    rm -f "$directory/server.pid"
    kill "-$signal" "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do
        waited=$((waited + 1))
        if [ "$waited" -ge 600 ]; then
            kill -KILL "$pid" 2>/dev/null || true
        fi
        sleep 0.05
    done
}

# cluster_psql DIR [ARGUMENT...]: psql as superuser; -d NAME for a database other than postgres.
cluster_psql()
{
    local directory=$1
    shift
    PGHOST=$directory PGPORT=5432 PGUSER=postgres PGDATABASE=${PGDATABASE:-postgres} PGCONNECT_TIMEOUT=5 \
        "$(postgres_psql)" -v ON_ERROR_STOP=1 "$@"
}

if [ -n "${PGCHIME_REMOVE_TREE:-}" ] && [ "$PGCHIME_REMOVE_TREE" = "$ROOT_DIRECTORY" ]; then
    on_exit rm -rf "$PGCHIME_REMOVE_TREE"
    unset PGCHIME_REMOVE_TREE
fi
