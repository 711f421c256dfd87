# shellcheck shell=bash disable=SC2154,SC2034,SC2046 # lib.sh and script/package set and use it; paths have no blanks
# docs/getting-started.md, word for word, under a real systemd on a Debian fresh from debootstrap, and the upgrade as
# docs/upgrading.md has it; what the pages say is looked at, and it is all taken away again, as they say.
# SPDX-License-Identifier: PostgreSQL
boot_debian getting-started
database=shop
open_page docs/getting-started.md
expect "blocks to run" "$count" 11
plugin_count=$(($(find plugins -mindepth 1 -maxdepth 1 -type d | wc -l) - 1)) # retention.conf leaves that one off
dump_schema() { in_container runuser -u postgres -- pg_dump --schema-only shop | sed '/^\\\(un\)\?restrict /d'; }
# Where something of pgchime's is, on the disk.
remains() { in_container find / /run /tmp -xdev \( -path /proc -o -path /sys -o -path /root -o -path /var/lib/postgresql \) -prune -o \
    \( -path '*pgchime*' -o -uid "$user" \) -print | sed 's,/usr/lib/[^/]*-linux-gnu/,/usr/lib/TRIPLET/,' | sort | tr '\n' ' '; }

run_blocks 2 # install, look at the service
expect "the service runs" "$(in_container systemctl is-active pgchime)" active
user=$(in_container id -u pgchime)
run_blocks 1 # a database
dump_schema >"$RUN_DIRECTORY/before.sql"
run_blocks 2 # role, configuration
until_it "it leads" 30 status_is 'leads 1 database'
until_it "every plugin is installed" 90 query_is "SELECT count(*) FILTER (WHERE state <> 'installed') || ' of ' || count(*) FROM chime.plugin" \
    "0 of $plugin_count"
until_it "every view is filled" 60 query_is "SELECT count(*) > 20 AND count(*) = count(f.refreshed_at) FROM chime.view v
    LEFT JOIN chime.view_refresh f USING (view_schema, relation)" t
run_blocks 2 # look
expect "the role is no superuser, has no other role and owns nothing of the application" \
    "$(sql "SELECT rolsuper::text || (SELECT count(*) FROM pg_auth_members WHERE member = r.oid)
        || (SELECT count(*) FROM pg_class WHERE relowner = r.oid AND relnamespace = 'public'::regnamespace) FROM pg_roles r WHERE rolname = 'pgchime'")" false00

submissions=$(sql "SELECT count(*) FROM submissions")
counted=$(sql "SELECT sum(submission_count) FROM analytics.mv_agent_progress")
since=$(sql "SELECT clock_timestamp()")
run_blocks 1 # they follow
expect "new submissions" "$(sql "SELECT count(*) - $submissions FROM submissions")" 20
expect "the five views of the submissions and the telemetry were refreshed" "$(sql "SELECT string_agg(relation, ' ' ORDER BY relation) FROM chime.view_refresh
    WHERE refreshed_at >= '$since' AND relation IN ('mv_lane_score_distribution', 'mv_weakness_patterns', 'mv_agent_progress', 'mv_time_to_first_win', 'chat_telemetry_domain_summary')")" \
    "chat_telemetry_domain_summary mv_agent_progress mv_lane_score_distribution mv_time_to_first_win mv_weakness_patterns"
expect "they know them" "$(sql "SELECT sum(submission_count) - $counted FROM analytics.mv_agent_progress")" 20
run_blocks 1 # a job
until_it "the job of the page runs" 30 query_is "SELECT count(*) > 1 FROM chime.runs WHERE job = 'heartbeat' AND state = 'succeeded'" t
run_blocks 1 # a plugin
until_it "the plugin of the page appears" 60 query_is "SELECT to_regclass('analytics.orders_per_day') IS NOT NULL" t
until_it "filled" 60 query_is "SELECT coalesce(string_agg(orders::text, ',' ORDER BY day), '') FROM analytics.orders_per_day" 24,24,24
until_it "schedules refresh views, too" 100 query_is "SELECT count(*) > 0 FROM chime.runs WHERE kind = 'schedule' AND state = 'succeeded' AND job LIKE 'refresh-telemetry%'" t
expect "no run of any plugin failed" "$(sql "SELECT count(*) FROM chime.runs WHERE state IN ('failed', 'timed_out', 'cancelled', 'lost')")" 0

# --- an upgrade ---------------------------------------------------------------------------------------------------------
history() { sql "SELECT md5(string_agg(r::text, ',' ORDER BY run_id)), count(*) FROM chime.runs r WHERE finished_at < '$1'"; }
rows_kept() { sql "SELECT (SELECT count(*) FROM analytics.mv_agent_progress), (SELECT count(*) FROM analytics.mv_lane_score_distribution),
    (SELECT md5(string_agg(t::text, ',' ORDER BY day)) FROM analytics.orders_per_day t)"; }
configuration() { (cd "$root/etc/pgchime" && find . -type f -exec sha256sum {} + | sort -k 2); }
make_next pgchime pgchime-plugins pgchime-dev
version=$(in_container dpkg-query -W -f "\${Version}" pgchime)
process=$(show pgchime MainPID)
since=$(sql "SELECT clock_timestamp()")
past=$(history "$since")
kept=$(rows_kept)
configured=$(configuration)
open_page docs/upgrading.md
number=1 # upgrade.sh looks before
run_blocks 1
since_upgrade=$(sql "SELECT clock_timestamp()")
expect "the new version" "$(in_container dpkg-query -W -f "\${Version}" pgchime pgchime-plugins pgchime-dev)" "$version+next$version+next$version+next"
until_it "it leads again" 30 status_is 'leads 1 database'
[ "$(show pgchime MainPID)" != "$process" ] || die "the old process still serves"
until_it "the job of the page goes on" 30 query_is "SELECT count(*) > 1 FROM chime.runs WHERE job = 'heartbeat' AND state = 'succeeded' AND started_at > '$since_upgrade'" t
expect "history of before" "$(history "$since")" "$past"
expect "rows of views" "$(rows_kept)" "$kept"
expect "configuration" "$(configuration)" "$configured"
expect "plugins" "$(sql "SELECT count(*) FILTER (WHERE state = 'installed') || ' of ' || count(*) FROM chime.plugin")" "$((plugin_count + 1)) of $((plugin_count + 1))"
expect "slots of the job without a row" "$(slots_without_a_row heartbeat '5 s')" ""

# --- away with it -------------------------------------------------------------------------------------------------------
open_page docs/getting-started.md
number=$((count - 1))
run_blocks 1
check "the database is as it was" diff "$RUN_DIRECTORY/before.sql" <(dump_schema)
expect "roles" "$(sql "SELECT count(*) FROM pg_roles WHERE rolname IN ('pgchime', 'analytics_reader', 'pgchime_jobs', 'pgchime_monitor', 'pgchime_operator')")" 0
expect "orders, which are not ours" "$(sql 'SELECT count(*) FROM orders')" 72
expect "what stays, as the page says: files of one's own" "$(remains)" "/etc/pgchime /etc/pgchime/conf.d /etc/pgchime/conf.d/jobs.conf /tmp/pgchime.sql \
/usr/lib/TRIPLET/pgchime /usr/lib/TRIPLET/pgchime/plugins /usr/lib/TRIPLET/pgchime/plugins/orders_per_day.so "
expect "and the user" "$(in_container getent passwd pgchime | cut -d: -f1)" pgchime
