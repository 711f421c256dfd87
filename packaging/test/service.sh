# shellcheck shell=bash disable=SC2154,SC2034,SC2046 # lib.sh and script/package set and use it; paths have no blanks
# The service under a real systemd: it idles, goes to work, reloads, is watched, and its drop-ins do what they say.
# SPDX-License-Identifier: PostgreSQL
boot_debian service zsh fish bash-completion curl
install_in_container postgresql
install_in_container $(deb pgchime pgchime-plugins)
expect "it is enabled" "$(in_container systemctl is-enabled pgchime)" enabled
until_it "it runs" 30 in_container systemctl is-active pgchime
until_it "and idles, and says what to do" 10 status_is 'idle: no database is configured; write databases: *'

in_container runuser -u postgres -- psql -Xqc 'CREATE DATABASE app' postgres
in_container sh -c 'pgchime init --sql app | runuser -u postgres -- psql -Xq -v ON_ERROR_STOP=1 -d postgres' >/dev/null
configure()
{
    cat >"$root/etc/pgchime/pgchime.conf" <<END
databases: { main: { conninfo = "$1"; }; };
plugin_dir = "$(in_container sh -c 'echo /usr/lib/*/pgchime/plugins')";
conf_dir = "conf.d";
jobs: { tick: { schedule = "1 seconds"; command = "SELECT 42"; }; };
END
}
configure 'host=/run/postgresql dbname=app user=pgchime'
check "systemctl reload" in_container systemctl reload pgchime
until_it "it leads" 30 status_is 'leads 1 database'
until_it "and runs" 30 query_is "SELECT count(*) > 2 FROM chime.runs WHERE job = 'tick' AND state = 'succeeded'" t
expect "no start but the first" "$(show pgchime NRestarts)" 0
expect "status, as the service's user" "$(in_container runuser -u pgchime -- pgchime status --no-header -o csv | cut -d, -f1,2)" main,true

sed -i 's/conninfo =/coninfo =/' "$root/etc/pgchime/pgchime.conf"
if in_container systemctl reload pgchime 2>/dev/null; then die "a faulty configuration was reloaded"; fi
until_it "a faulty configuration changes nothing" 10 status_is 'leads 1 database; the last reload was refused*'
sed -i 's/coninfo =/conninfo =/' "$root/etc/pgchime/pgchime.conf"
check "and mended" in_container systemctl reload pgchime
until_it "the remark is gone" 10 status_is 'leads 1 database'

# The page, as docs/web.md has it: by peer, as a role of its own.
install_in_container curl $(deb pgchime-web)
expect "without web.conf it does not begin" "$(in_container systemctl is-active pgchime-web)" inactive
open_page docs/web.md
run_blocks 1
token=$(sed -n 's/^token: //p' "$RUN_DIRECTORY/said")
page() { in_container curl -fsS -H "Authorization: Bearer $token" "http://127.0.0.1:8743$1"; }
until_it "the page answers" 20 page /readyz
expect "it shows the job's runs" "$(page '/api/v1/d/main/runs?state=succeeded&limit=1' | grep -c '"job": *"tick"')" 1
expect "nobody without a token" "$(in_container curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8743/api/v1/d/main/runs)" 401
check "it stops at once" in_container systemctl stop pgchime-web

# A password by LoadCredential, as the drop-in says.
sql "ALTER ROLE pgchime PASSWORD 'geheim'" >/dev/null
mkdir -p "$root/etc/systemd/system/pgchime.service.d"
cp "$root/usr/share/doc/pgchime/examples/credentials.conf" "$root/usr/share/doc/pgchime/examples/databases.conf" \
    "$root/etc/systemd/system/pgchime.service.d/"
install -m 600 /dev/null "$root/etc/pgchime/passfile"
echo 'localhost:5432:app:pgchime:geheim' >"$root/etc/pgchime/passfile"
configure 'host=localhost dbname=app user=pgchime passfile=/run/credentials/pgchime.service/passfile'
in_container systemctl daemon-reload
check "restart with credentials" in_container systemctl restart pgchime
until_it "it leads by a password that root alone can read" 30 status_is 'leads 1 database'
expect "its files" "$(show pgchime LimitNOFILE)" 16384
rm -r "$root/etc/systemd/system/pgchime.service.d"
configure 'host=/run/postgresql dbname=app user=pgchime'

# A second one beside it, by the commands that its example tells, word for word.
in_container runuser -u postgres -- createdb reports
in_container sh -c 'pgchime init --sql reports | runuser -u postgres -- psql -Xq -v ON_ERROR_STOP=1 -d postgres' >/dev/null
example=$root/usr/share/doc/pgchime/examples/second-daemon.conf
{
    echo 'databases: { reports: { conninfo = "host=/run/postgresql dbname=reports user=pgchime"; }; };'
    echo 'jobs: { report: { schedule = "1 seconds"; command = "SELECT 1"; }; };'
    sed -n 's/^#   \(instance\|control_socket\) = /\1 = /p' "$example"
} >"$root/etc/pgchime/reports.conf"
in_container systemctl daemon-reload
check "the first, as it was" in_container systemctl restart pgchime
until_it "leads" 30 status_is 'leads 1 database'
while IFS= read -r command; do check "$command" in_container sh -c "$command"; done < <(sed -n 's/^#   \(cp\|install\|systemctl\) /\1 /p' "$example")
# shellcheck disable=SC2053 # a pattern
second_is() { [[ $(show pgchime-reports StatusText) = $1 ]]; }
report_runs() { [ "$(database=reports sql "SELECT count(*) > 1 FROM chime.runs WHERE job = 'report' AND state = 'succeeded'")" = t ]; }
until_it "the second leads its own" 30 second_is 'leads 1 database'
until_it "and runs its job" 30 report_runs
expect "it is called" "$(database=reports sql 'SELECT instance FROM chime.leader')" reports
expect "the first leads alone" "$(sql "SELECT (instance <> 'reports')::text || (SELECT count(*) FROM chime.follower) FROM chime.leader")" true0
read -ra command < <(sed -n 's/^# Its commands name the file: //p' "$example")
expect "${command[*]}" "$(in_container runuser -u pgchime -- "${command[@]}" --no-header -o csv | cut -d, -f1,2)" reports,true
sed -i 's/schedule/shedule/' "$root/etc/pgchime/reports.conf"
if in_container systemctl reload pgchime-reports 2>/dev/null; then die "a faulty configuration was reloaded"; fi
until_it "its reload is its own" 10 second_is 'leads 1 database; the last reload was refused*'
check "that of the first goes well" in_container systemctl reload pgchime
expect "it" "$(show pgchime StatusText)" 'leads 1 database'
check "stopped and forgotten" in_container systemctl disable --now pgchime-reports
expect "the first is still there" "$(in_container sh -c 'test -S /run/pgchime/control.sock && ls -d /run/pgchime*')" /run/pgchime

# Completions, as they are installed, with names of the database.
install_in_container zsh fish bash-completion
shell() { in_container runuser -u pgchime -- env HOME=/tmp "$@"; }
# shellcheck disable=SC2016 # for the shells in there
{
expect "bash completes a job" "$(shell bash --norc -c '. /usr/share/bash-completion/bash_completion; _completion_loader pgchime
    complete -p pgchime; COMP_WORDS=(pgchime show ti); COMP_CWORD=2; _pgchime 2>/dev/null; echo "${COMPREPLY[@]}"')" \
    "complete -F _pgchime pgchime
tick"
expect "zsh finds its script" "$(shell zsh -f -c 'autoload -Uz compinit && compinit -u -D && echo $_comps[pgchime]')" _pgchime
expect "zsh completes a job" "$(shell zsh -f -c 'compdef() { : }; _describe() { print -r -- ${(@P)4} }
    source /usr/share/zsh/vendor-completions/_pgchime; words=(pgchime show ti); CURRENT=3; _pgchime' | tr ' ' '\n' | grep -c '^tick')" 1
expect "fish completes a job" "$(shell fish -c 'complete -C "pgchime show ti"')" tick
}

# The watchdog: a daemon that hangs is ended and started again.
mkdir -p "$root/etc/systemd/system/pgchime.service.d"
printf '[Service]\nWatchdogSec=4\nTimeoutAbortSec=2\n' >"$root/etc/systemd/system/pgchime.service.d/impatient.conf"
in_container systemctl daemon-reload
in_container systemctl restart pgchime
until_it "it leads again" 30 status_is 'leads 1 database'
sleep_until=$((SECONDS + 9))
until [ "$SECONDS" -ge "$sleep_until" ]; do sleep 0.5; done # two times its patience: fed, it is left alone
expect "fed, it is left alone" "$(show pgchime NRestarts)" 0
before=$(show pgchime MainPID)
in_container sh -c "kill -STOP $before"
was_restarted() { [ "$(show pgchime NRestarts)" = 1 ]; }
until_it "hung, it is started again" 40 was_restarted
until_it "and leads again" 60 status_is 'leads 1 database'
[ "$(show pgchime MainPID)" != "$before" ] || die "it is the old process"

# A configuration that is faulty from the start is not tried for ever.
sed -i 's/conninfo =/coninfo =/' "$root/etc/pgchime/pgchime.conf"
in_container systemctl restart pgchime 2>/dev/null && die "it started with a faulty configuration"
expect "it gives up and says so" "$(show pgchime ActiveState) $(show pgchime ExecMainStatus)" "failed 3"
