# shellcheck shell=bash disable=SC2154,SC2034,SC2046 # lib.sh and script/package set and use it; paths have no blanks
# docs/upgrading.md, PostgreSQL by pg_upgrade, word for word, under a real systemd: Debian 12's server becomes that of a later Debian, and jobs,
# history and views go on.
# SPDX-License-Identifier: PostgreSQL
# What a later Debian only recommends can be in the way of what is of Debian 12 here.
later=${PGCHIME_LATER_DEBIAN:-trixie} # and its security updates: 15's are as new, and pg_upgrade goes to no older minor version
new_root pg-upgrade
install_in_root systemd systemd-sysv postgresql
in_root apt-get install -y -q $(deb pgchime) >"$RUN_DIRECTORY/apt.log" 2>&1 || die "$(tail -30 "$RUN_DIRECTORY/apt.log")"
in_root apt-get purge -y -q pgchime >"$RUN_DIRECTORY/apt.log" 2>&1 # what it needs stays
printf 'deb %s/debian %s main\ndeb %s/debian-security %s-security main\n' "$debian_mirror" "$later" "$debian_mirror" "$later" \
    >"$root/etc/apt/sources.list.d/later.list"
in_root apt-get -q -o Acquire::Check-Valid-Until=false update >"$RUN_DIRECTORY/apt.log" 2>&1 || skip "Debian $later cannot be reached: $(tail -1 "$RUN_DIRECTORY/apt.log")"
newest=$(in_root apt-cache search --names-only '^postgresql-1[0-9]$' | sed 's/^postgresql-\([0-9]*\) .*/\1/' | sort -n | tail -1)
[ "$newest" -gt 15 ] || skip "Debian $later has no PostgreSQL newer than 15"
echo 'APT::Install-Recommends "false";' >"$root/etc/apt/apt.conf.d/no-recommends"
echo force-overwrite >"$root/etc/dpkg/dpkg.cfg.d/two-releases" # packages of two releases on may have taken files of those here
fetch "postgresql-$newest"
mv "$root/etc/apt/sources.list.d/later.list" "$root/root/"
boot

in_container runuser -u postgres -- createdb app
open_page README.md
run_blocks 1
sql "CREATE TABLE orders (id bigint, day date); CREATE INDEX ON orders (day); GRANT SELECT, TRIGGER ON orders TO pgchime
    ; INSERT INTO orders SELECT n, '2026-11-01'::date + n % 20 FROM generate_series(1, 1000) n" >/dev/null
cat >"$root/etc/pgchime/conf.d/shop.conf" <<'END'
jobs: { tick: { schedule = "1 seconds"; command = "SELECT 1"; }; };
views: { daily_orders: { sql = "SELECT day, count(*) AS orders FROM orders GROUP BY 1"; target_lag = "1s"; }; };
END
check "reload" in_container systemctl reload pgchime
ticks() { query_is "SELECT count(*) > 2 FROM chime.runs WHERE job = 'tick' AND state = 'succeeded' AND started_at > '$1'" t; }
is_fresh() { query_is "SELECT (SELECT sum(orders) FROM analytics.daily_orders) = (SELECT count(*) FROM orders)" t; }
# The first refreshes are of everything: so another row, until one is keyed.
is_keyed()
{
    is_fresh || return 1
    query_is "SELECT method FROM chime.view_status" keyed && return 0
    sql "SELECT method, reason FROM chime.view_status; INSERT INTO orders VALUES (1, '2026-11-06')"
    return 1
}
goes_on()
{
    until_it "it leads" 30 status_is 'leads 1 database'
    until_it "its jobs run" 30 ticks "$(sql 'SELECT clock_timestamp()')"
    sql "INSERT INTO orders VALUES (1, '2026-11-05')" >/dev/null
    until_it "the view follows" 30 is_fresh
    until_it "and is keyed" 60 is_keyed
}
goes_on
since=$(sql "SELECT clock_timestamp()")
history() { sql "SELECT md5(string_agg(r::text, ',' ORDER BY run_id)), count(*) FROM chime.runs r WHERE finished_at < '$since'"; }
past=$(history)
system=$(sql "SELECT system FROM chime.leader")

mv "$root/root/later.list" "$root/etc/apt/sources.list.d/"
open_page docs/upgrading.md
number=3
blocks=$(sed "s/\\b17\\b/$newest/g" <<<"$blocks") # what this Debian has
# pg_upgradecluster keeps the logs of pg_upgrade; what stopped it is only there.
why_not() { [ $? -eq 0 ] || find "$root/var/log/postgresql" "$root/var/lib/postgresql" -name 'pg_upgrade_*.log' -exec grep -H -i -A40 ' error: ' {} + || true; }
trap 'why_not; leave_root "$root"' EXIT # instead of new_root's
run_blocks 1
expect "the server" "$(sql "SELECT current_setting('server_version_num')::int / 10000")" "$newest"
goes_on
[ "$(sql "SELECT system FROM chime.leader")" != "$system" ] || die "it is the old server"
expect "the history" "$(history)" "$past"
expect "jobs that are late or fail" "$(in_container runuser -u pgchime -- pgchime status --no-header -o csv | wc -l)" 1
until_it "verify finds no difference" 20 in_container runuser -u pgchime -- pgchime verify
