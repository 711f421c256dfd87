#!/usr/bin/env bash
# The web page in Debian's chromium, on a cluster, a daemon and a server of its own: what web/test/page.mjs does and looks at.
# Node.js, chromium and the packages come by `script/bootstrap --page`; where they are not to be had, this tests nothing.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "${BASH_SOURCE[0]}")/transcript.sh"

if [ "$(id -u)" -eq 0 ]; then # initdb and postgres refuse root
    set_unprivileged
    exec "${unprivileged[@]}" bash "$ROOT_DIRECTORY/tests/script/test_web_browser.sh"
fi
if [ ! -f "$ROOT_DIRECTORY/web/node_modules/.complete" ] || ! have chromium; then
    say "chromium and the page's packages are not to be had here: the page is not tried"
    exit 0
fi

make_run_directory
export HOME=$RUN_DIRECTORY # chromium leaves things there
signals=$RUN_DIRECTORY/signals
web=$ROOT_DIRECTORY/build/pgchime-web
mkdir "$signals" "$RUN_DIRECTORY/conf.d"
cluster_start "$RUN_DIRECTORY/pg" fsync=off
on_exit cluster_stop "$RUN_DIRECTORY/pg" immediate
cluster_psql "$RUN_DIRECTORY/pg" -XqAt -d postgres -c 'CREATE DATABASE app'

# --- jobs of each kind ----------------------------------------------------------------------------------------------
cat >"$RUN_DIRECTORY/pgchime.conf" <<END
databases: { app: { conninfo = "host='$RUN_DIRECTORY/pg' user=postgres dbname=app"; }; };
conf_dir = "conf.d";
plugin_dir = "plugins";
END
mkdir "$RUN_DIRECTORY/plugins"
cp "$ROOT_DIRECTORY/build/tests/fixtures/plugins/shop_tiles.so" "$RUN_DIRECTORY/plugins"
chmod 755 "$RUN_DIRECTORY/plugins" "$RUN_DIRECTORY/plugins/shop_tiles.so"
cluster_psql "$RUN_DIRECTORY/pg" -XqAt -d app -c "CREATE TABLE shop_sales (id serial, shop text, amount numeric, words text)" \
    -c "CREATE TABLE shop_notes (words text)" -c "INSERT INTO shop_sales (shop, amount, words) VALUES ('a', 2.5, '<img src=x>'), ('b', 1, '')"
cat >"$RUN_DIRECTORY/conf.d/jobs.conf" <<'END'
jobs:
{
    broken:  { schedule = "2 seconds"; command = "TABLE no_such_table"; suspend_after_failures = 0; };
    markup:  { schedule = "2 seconds"; suspend_after_failures = 0;
               command = "DO $$ BEGIN RAISE USING message = '<img src=x onerror=\"globalThis.attacked = 1\"> <b>bold</b>' || chr(8238) || 'gnp'; END $$"; };
    sleeper: { schedule = "10 seconds"; command = "SELECT pg_sleep(3)"; };
    after:   { after = ["sleeper"]; command = "SELECT 1"; };
    tokyo:   { schedule = "30 4 * * *"; timezone = "Asia/Tokyo"; command = "SELECT 1"; };
};
END
chmod 644 "$RUN_DIRECTORY/pgchime.conf" "$RUN_DIRECTORY/conf.d/jobs.conf"
"$ROOT_DIRECTORY/build/pgchime" serve --config "$RUN_DIRECTORY/pgchime.conf" 2>"$RUN_DIRECTORY/log" &
daemon=$!
stop_daemon() { kill "$daemon" 2>/dev/null || return 0; wait "$daemon" || true; }
on_exit stop_daemon
"$web" token tester --role operate >"$RUN_DIRECTORY/tokens" 2>"$RUN_DIRECTORY/secret"
"$web" token viewer --role view >>"$RUN_DIRECTORY/tokens" 2>"$RUN_DIRECTORY/secret.viewer"
viewer=$(sed -n 's/^token: //p' "$RUN_DIRECTORY/secret.viewer")
token=$(sed -n 's/^token: //p' "$RUN_DIRECTORY/secret")
"$web" token wall --role tiles >>"$RUN_DIRECTORY/tokens" 2>"$RUN_DIRECTORY/secret"
tiles_token=$(sed -n 's/^token: //p' "$RUN_DIRECTORY/secret")
chmod 600 "$RUN_DIRECTORY/tokens"
cat >"$RUN_DIRECTORY/web.conf" <<END
listen = "127.0.0.1:0";
databases: { app: { conninfo = "host='$RUN_DIRECTORY/pg' user=postgres dbname=app"; }; };
access: { tokens_file = "$RUN_DIRECTORY/tokens"; };
actions = true;
END
"$web" --config "$RUN_DIRECTORY/web.conf" 2>"$RUN_DIRECTORY/web.log" &
server=$!
on_exit kill "$server"
await "tiles" "SELECT count(*) = 11 FROM chime.tile WHERE vetted IS NOT NULL"
await "runs that failed" "SELECT count(*) >= 3 FROM chime.runs WHERE job = 'broken' AND state = 'failed'"

port=''
until [ -n "$port" ]; do
    kill -0 "$server" || die "the server ended: $(cat "$RUN_DIRECTORY/web.log")"
    port=$(sed -n 's/.*listening at http:..127.0.0.1:\([0-9]*\).*/\1/p' "$RUN_DIRECTORY/web.log")
    read -r -t 0.1 <> <(:) || :
done

# --- in the browser -------------------------------------------------------------------------------------------------------
node "$ROOT_DIRECTORY/web/test/page.mjs" "http://127.0.0.1:$port" "$signals" "$token" "$viewer" "$tiles_token" \
    >"$RUN_DIRECTORY/browser.log" 2>&1 &
browser=$!
while kill -0 "$browser" 2>/dev/null; do
    if [ -f "$signals/take-plugin" ] && [ ! -f "$signals/take-plugin.done" ]; then
        rm "$RUN_DIRECTORY/plugins/shop_tiles.so"
        kill -HUP "$daemon"
        touch "$signals/take-plugin.done"
    fi
    if [ -f "$signals/stop-daemon" ] && [ ! -f "$signals/stop-daemon.done" ]; then
        stop_daemon
        touch "$signals/stop-daemon.done"
    fi
    read -r -t 0.1 <> <(:) || :
done
status=0
wait "$browser" || status=$?
cat "$RUN_DIRECTORY/browser.log"
[ "$status" -eq 0 ] || die "the page is not as it should be" "$(tail -3 "$RUN_DIRECTORY/log")"
