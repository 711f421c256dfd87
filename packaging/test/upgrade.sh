# shellcheck shell=bash disable=SC2154,SC2034,SC2046 # lib.sh and script/package set and use it; paths have no blanks
# An upgrade by docs/upgrading.md, word for word, with a run in flight, under a real systemd: the run is waited for, no slot is lost, none runs
# twice. Then the way back that the page has.
# SPDX-License-Identifier: PostgreSQL
boot_debian upgrade
install_in_container postgresql
in_container runuser -u postgres -- createdb app
open_page README.md # for a Debian host
run_blocks 1
sql 'CREATE TABLE effect (job text, at timestamptz DEFAULT clock_timestamp()); GRANT INSERT ON effect TO pgchime' >/dev/null
cat >>"$root/etc/pgchime/conf.d/jobs.conf" <<'END'
jobs: {
    tick: { schedule = "1 seconds"; command = "INSERT INTO public.effect VALUES ('tick')"; delivery = "transactional"; catchup = "all"; };
    long: { schedule = "0 0 1 1 *"; command = "INSERT INTO public.effect SELECT 'long' FROM pg_sleep(8)"; };
};
END
check "reload" in_container systemctl reload pgchime
until_it "it leads" 30 status_is 'leads 1 database'
until_it "ticks" 30 query_is "SELECT count(*) > 2 FROM chime.runs WHERE job = 'tick'" t

make_next pgchime pgchime-plugins pgchime-dev
open_page docs/upgrading.md
run_blocks 1 # a backup, and a look
expect "the new program looked at the schema" "$(grep -c 'schema chime is at migration [0-9]*, the newest' "$RUN_DIRECTORY/said")" 1
before=$(show pgchime MainPID)
in_container runuser -u pgchime -- pgchime run long >/dev/null
until_it "a run is in flight" 20 query_is "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(8)%' AND state = 'active' AND pid <> pg_backend_pid()" 1
run_blocks 1
expect "the run in flight" "$(sql "SELECT state FROM chime.runs WHERE job = 'long'") $(sql "SELECT count(*) FROM effect WHERE job = 'long'")" "succeeded 1"
[ "$(show pgchime MainPID)" != "$before" ] || die "the old process still serves"
until_it "the new one leads" 30 status_is 'leads 1 database'
expect "the edited configuration stays" "$(grep -c '^ *main:' "$root/etc/pgchime/pgchime.conf")" 1
until_it "ticks go on" 30 query_is "SELECT max(started_at) > now() - interval '2 s' AND count(*) > 15 FROM chime.runs WHERE job = 'tick' AND state = 'succeeded'" t
in_container systemctl stop pgchime
expect "effects and successes" "$(sql "SELECT (SELECT count(*) FROM effect WHERE job = 'tick') - (SELECT count(*) FROM chime.runs WHERE job = 'tick' AND state = 'succeeded')")" 0
expect "slots without a row" "$(slots_without_a_row tick '1 s')" ""
expect "slots that ran twice" "$(sql "SELECT count(*) FROM (SELECT slot FROM chime.runs WHERE job = 'tick' AND state = 'succeeded' GROUP BY 1 HAVING count(*) > 1) s")" 0

# --- back ---------------------------------------------------------------------------------------------------------------
for file in "$root"/root/pgchime{,-plugins,-dev}_[0-9]*.deb; do
    cp "$file" "${file%%_*}_OLD_amd64.deb"
done
run_blocks 1
expect "the old version" "$(in_container dpkg-query -W -f "\${Version}" pgchime pgchime-plugins pgchime-dev | grep -c next)" 0
until_it "it leads again, where it was restored" 30 status_is 'leads 1 database'
since=$(sql "SELECT clock_timestamp()")
until_it "and runs" 30 query_is "SELECT count(*) > 2 FROM chime.runs WHERE job = 'tick' AND state = 'succeeded' AND started_at > '$since'" t
