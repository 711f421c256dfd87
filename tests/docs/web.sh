# shellcheck shell=bash disable=SC2154,SC2034
# docs/web.md: the sample data, a job `nightly` that fails, and the page at a free port. Its first block needs the package.
# SPDX-License-Identifier: PostgreSQL
start_page()
{
    command pgchime web --config web.conf 2>>"$RUN_DIRECTORY/log" &
    page_process=$!
    local tries=600
    until curl -s -o /dev/null "http://127.0.0.1:$port/healthz"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || die "no page in 60 s" "$(tail -5 "$RUN_DIRECTORY/log")"
        sleep 0.1
    done
}
new_token() # NAME ROLE: sets TOKEN
{
    TOKEN=$(pgchime web token "$1" --role "$2" 2>&1 >>web.tokens | sed -n 's/^token: //p')
    chmod 600 web.tokens
}
web_runs()
{
    sample
    cluster_psql "$RUN_DIRECTORY/pg" -Xq -d postgres -c 'CREATE ROLE "pgchime-web" LOGIN IN ROLE pgchime_monitor' \
        -c 'GRANT pgchime_operator TO "pgchime-web"'
    echo 'jobs: { nightly: { schedule = "0 3 * * *"; command = "SELECT 1 / 0"; max_attempts = 1; }; };' >conf.d/nightly.conf
    cat >web.conf <<END
listen = "127.0.0.1:$port";
databases: { main: { conninfo = "host=$PGHOST dbname=sample user=pgchime-web"; }; };
access: { tokens_file = "$folder/web.tokens"; };
END
    new_token alice view
    command pgchime serve 2>>"$RUN_DIRECTORY/log" &
    await "a leader" "SELECT alive FROM chime.leader_status"
    await "the job" "SELECT EXISTS (SELECT FROM chime.job WHERE name = 'nightly')"
    pgchime run nightly --wait >/dev/null || :
    start_page
}
restart_page()
{
    kill "$page_process"
    wait "$page_process" || :
    start_page
}
web_tiles()
{
    sed -i 's,user=pgchime-web,user=pgchime,' web.conf
    restart_page
}
web_actions()
{
    sed -i 's,user=pgchime,user=pgchime-web,' web.conf
    echo 'actions = true;' >>web.conf
    new_token bob operate
    restart_page
}
