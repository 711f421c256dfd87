# shellcheck shell=bash disable=SC2034,SC2154 # script/lib.sh and tests/script/test_docs.sh set and use them
# What the pages' blocks are run with. Sourced by tests/script/test_docs.sh, after script/lib.sh; then comes tests/docs/PAGE.sh,
# if there is one, with functions that the page calls by <!-- first: FUNCTION -->.
# SPDX-License-Identifier: PostgreSQL
#
# A page has a database `app`, which role `shop` owns, as whom psql connects; role `pgchime` comes from `pgchime init --sql`. No
# superuser runs anything that a page shows, but for what it shows with "as an administrator": role `dba`, which has CREATEROLE and
# owns no table. The folder of the page has pgchime.conf, conf.d and plugins, and is where its commands run.

query() { cluster_psql "$RUN_DIRECTORY/pg" -XqAt -d "${PAGE_DATABASE:-app}" -c "$1" 2>&1; } # SQL, by a superuser

admin() { PGOPTIONS='-c client_min_messages=warning' cluster_psql "$RUN_DIRECTORY/pg" -Xq -d postgres -c "$1"; } # SQL, in database postgres

# Until the SQL says t; else the log of the daemon is shown.
await() # WHAT SQL
{
    local tries=${AWAIT_TRIES:-600}
    until [ "$(query "$2")" = t ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || die "$1: not in 60 s" "$(query "$2" | head -3; tail -5 "$RUN_DIRECTORY/log")"
        sleep 0.1 # `read -t` within a function breaks bash 5.2
    done
}

# As whom psql connects.
as() { export PGUSER=$1; } # ROLE

# What `pgchime init --sql` makes, for the tables that are there by now.
init_role() { pgchime init --sql "$PGDATABASE" | cluster_psql "$RUN_DIRECTORY/pg" -Xq -d postgres >/dev/null 2>&1; }

# A daemon, until it leads; a page's end ends it.
serve()
{
    init_role
    command pgchime serve 2>>"$RUN_DIRECTORY/log" &
    daemon=$!
    await "a leader" "SELECT alive FROM chime.leader_status"
}
leave()
{
    kill "$daemon"
    wait "$daemon" || die "the daemon ended with $?" "$(tail -5 "$RUN_DIRECTORY/log")"
    daemon=''
}

# A database with the sample data and the views of every plugin: made once, for all pages of plugins. As role shop.
sample()
{
    export PGDATABASE=sample PAGE_DATABASE=sample
    as shop
    sed -i "s,dbname=app,dbname=sample,; s,\"plugins\",\"$ROOT_DIRECTORY/build/plugins\"," "$PGCHIME_CONFIG"
    if ! admin 'CREATE DATABASE sample OWNER shop' 2>/dev/null; then return 0; fi
    admin 'GRANT analytics_reader TO shop'
    psql -q -v ON_ERROR_STOP=1 -v scale=0.02 -f "$ROOT_DIRECTORY/sql/sample/0_schema.sql" -f "$ROOT_DIRECTORY/sql/sample/1_data.sql" >/dev/null
    init_role
    pgchime serve --once 2>>"$RUN_DIRECTORY/log"
}

# What it prints comes in the order that a terminal shows.
pgchime() { stdbuf -oL pgchime "$@"; }
psql() { "$(postgres_psql)" -X -P pager=off "$@"; }

# Where a page names places of a machine, the folder of the page, the server's socket and a free port stand for them.
places() { sed -e "s,/etc/pgchime\(-web\)\?/,$folder/,g; s,/run/postgresql,$PGHOST,g; s,127\.0\.0\.1:8743,127.0.0.1:$port,g" <<<"$1"; }
unplaced() { sed -i -e "s,$PGHOST,/run/postgresql,g; s,$folder,/etc/pgchime,g; s,127\.0\.0\.1:$port,127.0.0.1:8743,g" "$1"; } # FILE

# --- called for each block -------------------------------------------------------------------------------------------------
page_first() # LINE FUNCTION...
{
    line=$1
    eval "$2"
}

page_file() # LINE NAME TEXT
{
    local file
    line=$1
    file=$(places "$2")
    mkdir -p "$(dirname "$file")"
    places "${3%$'\n'}" >"$file"
    [[ $file != *.conf ]] || page_check "$PGCHIME_CONFIG"
}

page_check() # FILE
{
    pgchime check --config "$1" >"$RUN_DIRECTORY/checked" 2>&1 || [ $? -eq 8 ] ||
        die "line $line: pgchime check says: $(cat "$RUN_DIRECTORY/checked")"
}

# After each command of a page, with its text and the file that has what it printed: where a page says that something has happened by
# then, its functions wait for that here.
settle() { :; }

page_command() # LINE FILE COMMAND
{
    line=$1
    set +e
    eval "$(places "$3")" >"$2" 2>&1 </dev/null
    set -e
    unplaced "$2"
    settle "$3" "$2"
}

page_sh() # LINE FILE COMMANDS
{
    line=$1 printed=$2
    eval "$(places "$3")" >"$2" 2>&1 </dev/null
    printed=''
    settle "$3" "$2"
}

page_sql() # LINE FILE SQL
{
    line=$1 printed=$2
    psql -q -v ON_ERROR_STOP=1 <<<"$3" >"$2" 2>&1
    printed=''
    settle "$3" "$2"
}

# A piece of configuration, in a configuration of its own: a whole pgchime.conf where it names databases, else a file of conf.d.
page_conf() # LINE FILE TEXT
{
    local scratch=$RUN_DIRECTORY/checked.d
    line=$1
    rm -rf "$scratch"
    mkdir -p "$scratch/conf.d" "$scratch/plugins"
    cp ./*.sql "$scratch" 2>/dev/null || :
    if grep -q '^databases:' <<<"$3"; then
        printf '%s' "$3" >"$scratch/pgchime.conf"
    else
        cat >"$scratch/pgchime.conf" <<END
databases: { main: { conninfo = "dbname=app"; pools: { heavy = 1; }; }; };
plugin_dir = "$ROOT_DIRECTORY/build/plugins"; conf_dir = "conf.d";
END
        if [[ $3 == 'roles ='* ]]; then printf '%s' "$3" >>"$scratch/pgchime.conf"; else printf '%s' "$3" >"$scratch/conf.d/page.conf"; fi
    fi
    page_check "$scratch/pgchime.conf"
}

# --- before and after ------------------------------------------------------------------------------------------------------
page_begin()
{
    export PGHOST=$RUN_DIRECTORY/pg PGPORT=5432 PGUSER=shop PGDATABASE=app TZ=UTC
    export PGCHIME_CONFIG=$folder/pgchime.conf PATH=$ROOT_DIRECTORY/build:$PATH
    mkdir -p "$folder/plugins" "$folder/conf.d"
    cd "$folder"
    chmod 755 "$folder" "$folder/plugins" "$folder/conf.d"
    admin 'DROP DATABASE IF EXISTS app WITH (FORCE)'
    admin 'CREATE DATABASE app OWNER shop'
    port=$(find_free_port)
    cat >"$PGCHIME_CONFIG" <<END
databases: { main: { conninfo = "host=$PGHOST dbname=app user=pgchime"; }; };
plugin_dir = "plugins"; conf_dir = "conf.d"; instance = "db1"; control_socket = "$folder/control";
END
    init_role
}

exec 8>&2 # a block that says `exit` ends with its output still led away
page_end()
{
    local status=$?
    trap - EXIT
    exec >&8 2>&8
    [ "$status" -ne 0 ] || [ -n "${finished:-}" ] || status=1
    [ "$status" -eq 0 ] || [ "$status" -eq 77 ] || {
        complain "FAILED: $page:${line:-0}: the block ended with $status"
        [ -z "${printed:-}" ] || cat "$printed" >&2
    }
    # shellcheck disable=SC2046 # several numbers
    kill -KILL $(jobs -p) 2>/dev/null || :
    wait 2>/dev/null
    exit "$status"
}
