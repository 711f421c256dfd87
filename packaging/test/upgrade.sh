# shellcheck shell=bash disable=SC2154,SC2034,SC2046 # lib.sh and script/package set and use it; paths have no blanks
# An upgrade with a run in flight, under a real systemd: the run is waited for, no slot is lost, none runs twice.
boot_debian upgrade
install_in_container postgresql
install_in_container $(deb pgchime pgchime-plugins)
in_container runuser -u postgres -- psql -Xqc 'CREATE DATABASE app' postgres
in_container sh -c 'pgchime init --sql app | runuser -u postgres -- psql -Xq -v ON_ERROR_STOP=1 -d postgres' >/dev/null
sql 'CREATE TABLE effect (job text, at timestamptz DEFAULT clock_timestamp()); GRANT INSERT ON effect TO pgchime' >/dev/null
cat >>"$root/etc/pgchime/conf.d/jobs.conf" <<'END'
jobs: {
    tick: { schedule = "1 seconds"; command = "INSERT INTO public.effect VALUES ('tick')"; delivery = "transactional"; catchup = "all"; };
    long: { schedule = "0 0 1 1 *"; command = "INSERT INTO public.effect SELECT 'long' FROM pg_sleep(8)"; };
};
END
sed -i 's/^ *# main:/main:/' "$root/etc/pgchime/pgchime.conf"
check "reload" in_container systemctl reload pgchime
until_it "it leads" 30 status_is 'leads 1 database'
until_it "ticks" 30 query_is "SELECT count(*) > 2 FROM chime.runs WHERE job = 'tick'" t

# The next version: the same files under a higher number.
for package in pgchime pgchime-plugins; do
    dpkg-deb -R "$packages/$package"_*.deb "$RUN_DIRECTORY/next-$package"
    sed -i 's/^\(Version: .*\)$/\1+next/; s/\(pgchime (= [^)]*\))/\1+next)/' "$RUN_DIRECTORY/next-$package/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$RUN_DIRECTORY/next-$package" "$root/root/next-$package.deb" >/dev/null
done
before=$(show pgchime MainPID)
in_container runuser -u pgchime -- pgchime run long >/dev/null
until_it "a run is in flight" 20 query_is "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(8)%' AND state = 'active' AND pid <> pg_backend_pid()" 1
check "upgrade" in_container dpkg -i /root/next-pgchime.deb /root/next-pgchime-plugins.deb
expect "the run in flight" "$(sql "SELECT state FROM chime.runs WHERE job = 'long'") $(sql "SELECT count(*) FROM effect WHERE job = 'long'")" "succeeded 1"
[ "$(show pgchime MainPID)" != "$before" ] || die "the old process still serves"
until_it "the new one leads" 30 status_is 'leads 1 database'
expect "the edited configuration stays" "$(grep -c '^main:' "$root/etc/pgchime/pgchime.conf")" 1
until_it "ticks go on" 30 query_is "SELECT max(started_at) > now() - interval '2 s' AND count(*) > 15 FROM chime.runs WHERE job = 'tick' AND state = 'succeeded'" t
in_container systemctl stop pgchime
expect "effects and successes" "$(sql "SELECT (SELECT count(*) FROM effect WHERE job = 'tick') - (SELECT count(*) FROM chime.runs WHERE job = 'tick' AND state = 'succeeded')")" 0
expect "slots without a row" "$(sql "SELECT count(*) FROM generate_series((SELECT min(slot) FROM chime.runs WHERE job = 'tick'),
    (SELECT max(slot) FROM chime.runs WHERE job = 'tick'), '1 s') s WHERE NOT EXISTS (SELECT FROM chime.runs r WHERE r.job = 'tick' AND r.slot = s)
    AND NOT EXISTS (SELECT FROM chime.missed m JOIN chime.job j USING (job_id) WHERE j.name = 'tick' AND s BETWEEN m.first_slot AND m.last_slot)")" 0
expect "slots that ran twice" "$(sql "SELECT count(*) FROM (SELECT slot FROM chime.runs WHERE job = 'tick' AND state = 'succeeded' GROUP BY 1 HAVING count(*) > 1) s")" 0
