# shellcheck shell=bash disable=SC2154,SC2034,SC2046 # lib.sh and script/package set and use it; paths have no blanks
# docs/getting-started.md, word for word, under a real systemd on a Debian fresh from debootstrap; then what the page says
# is looked at, and it is all taken away again.
boot_debian getting-started
database=shop
page=docs/getting-started.md
blocks=$(awk '/^<!-- run -->$/ { marked = 1; next }
    marked && /^```sh$/ { inside = 1; next } /^```$/ { if (inside) print "### end of a block"; inside = 0; marked = 0 } inside' "$page")
count=$(grep -c '^### end of a block$' <<<"$blocks")
[ "$count" -ge 8 ] || die "$page has $count blocks to run"

# Each block in a shell of its own, as typed; `settle` waits for what the page says comes within a moment.
number=0
run_blocks() # how many
{
    local last=$((number + $1)) text
    while [ "$number" -lt "$last" ]; do
        number=$((number + 1))
        text=$(awk -v wanted="$number" '/^### end of a block$/ { count++; next } count == wanted - 1' <<<"$blocks")
        printf 'set -euo pipefail\ncd /root\n%s\n' "$text" >"$root/root/block.sh"
        check "block $number: $(head -1 <<<"$text")" in_container bash /root/block.sh
    done
}
run_blocks 2 # install, look at the service
expect "the service runs" "$(in_container systemctl is-active pgchime)" active
run_blocks 3 # database, role, configuration
until_it "it leads" 30 status_is 'leads 1 database'
until_it "every plugin is installed" 90 query_is "SELECT count(*) FILTER (WHERE state <> 'installed') || ' of ' || count(*) FROM chime.plugin" \
    "0 of $(find plugins -mindepth 1 -maxdepth 1 -type d | wc -l)"
until_it "the five views of the submissions and the telemetry are filled" 60 query_is "SELECT count(*) FROM chime.view v LEFT JOIN chime.view_refresh f USING (view_schema, relation)
    WHERE v.plugin IN ('lane_distribution', 'weakness', 'progress', 'time_to_first_win', 'telemetry') AND f.refreshed_at IS NULL" 0
run_blocks $((count - 6))
until_it "the job of the page runs" 30 query_is "SELECT count(*) > 1 FROM chime.runs WHERE job = 'heartbeat' AND state = 'succeeded'" t
run_blocks 1
until_it "the plugin of the page appears" 60 query_is "SELECT to_regclass('analytics.orders_per_day') IS NOT NULL" t
until_it "filled" 60 query_is "SELECT coalesce(string_agg(orders::text, ',' ORDER BY day), '') FROM analytics.orders_per_day" 24,24,24
expect "the role" "$(sql "SELECT rolsuper::text || (SELECT count(*) FROM pg_class WHERE relowner = r.oid AND relnamespace = 'public'::regnamespace) FROM pg_roles r WHERE rolname = 'pgchime'")" false0
check "purge" in_container apt-get purge -y -q pgchime pgchime-plugins pgchime-dev
expect "what purge leaves, as the page says" "$(cd "$root/etc" && find pgchime | sort | tr '\n' ' ')" \
    "pgchime pgchime/conf.d pgchime/conf.d/jobs.conf "
