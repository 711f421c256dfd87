# shellcheck shell=bash disable=SC2154,SC2034,SC2046 # lib.sh and script/package set and use it; paths have no blanks
# docs/writing-a-plugin.md, word for word, against the packages: its plugin is built out of tree, dropped in beside the service
# that runs, seen to appear and to follow, and taken away. Then one for which the drop-in jit-plugins.conf is there.
# SPDX-License-Identifier: PostgreSQL
boot_debian writing-a-plugin cmake
database=app
open_page docs/writing-a-plugin.md
expect "blocks to run" "$count" 11
fenced() { awk -v fence="\`\`\`$1" 'inside && $0 == "```" { exit } inside { print } $0 == fence { inside = 1 }' "$page"; }
plugins=$(in_container sh -c 'echo /usr/lib/*-linux-gnu')/pgchime/plugins
log_says() { in_container journalctl -u pgchime --no-pager -o cat | grep -E "$1"; }

run_blocks 3 # packages, a table, a role and the configuration
until_it "it leads" 30 status_is 'leads 1 database'
run_blocks 1
folder=$root/root/orders_per_day
mkdir "$RUN_DIRECTORY/page"
fenced c >"$RUN_DIRECTORY/page/orders_per_day.c"
fenced sql >"$RUN_DIRECTORY/page/orders_per_day.sql"
for file in orders_per_day.c orders_per_day.sql; do
    check "$file of the page is that of pgchime-dev" \
        cmp "$RUN_DIRECTORY/page/$file" "$root/usr/share/doc/pgchime-dev/examples/orders_per_day/$file"
    cp "$RUN_DIRECTORY/page/$file" "$folder/$file" # what is built is the page's
done
run_blocks 1
expect "the SQL in psql" "$(grep -c '| *24$' "$RUN_DIRECTORY/said")" 3
run_blocks 1 # CMake
cp "$folder/build/orders_per_day.so" "$RUN_DIRECTORY/cmake.so"
run_blocks 1 # a compiler and sed
cp "$folder/build/orders_per_day.so" "$RUN_DIRECTORY/sed.so"
expect "no view before" "$(sql "SELECT to_regclass('analytics.orders_per_day') IS NULL")" t
run_blocks 1 # drop it in
until_it "it appears beside the service" 60 query_is "SELECT to_regclass('analytics.orders_per_day') IS NOT NULL" t
orders_are() { query_is "SELECT coalesce(string_agg(orders::text, ',' ORDER BY day), '') FROM analytics.orders_per_day" "$1"; }
until_it "filled" 60 orders_are 24,24,24
run_blocks 1 # look
check "views and runs show it" grep -qE 'refresh-orders-per-day .*succeeded' "$RUN_DIRECTORY/said"
sql "INSERT INTO orders VALUES (100, '2026-03-04 12:00Z'), (101, '2026-03-02 12:00Z')" >/dev/null
until_it "and follows its table, by its own schedule" 100 orders_are 24,25,24,1
expect "how" "$(sql "SELECT string_agg(DISTINCT kind::text, ',') FROM chime.runs WHERE job = 'refresh-orders-per-day' AND state = 'succeeded'")" \
    install,schedule
install -m 755 "$RUN_DIRECTORY/sed.so" "$root$plugins/orders_per_day.so"
sql "INSERT INTO orders VALUES (102, '2026-03-04 12:00Z')" >/dev/null
until_it "what sed and the compiler built does, too" 100 orders_are 24,25,24,2
run_blocks 1 # the file is taken away
until_it "its removal is seen" 60 query_is "SELECT state FROM chime.plugin WHERE name = 'orders_per_day'" removed
run_blocks 1
expect "what is left of it" "$(sql "SELECT count(*) FROM pg_class WHERE relname LIKE 'orders_per_day%'")" 0

# A library that makes code as it is loaded: the unit forbids it, the drop-in allows it.
mkdir "$root/root/jit"
cat >"$root/root/jit/jit.c" <<'END'
#include <stdlib.h>
#include <sys/mman.h>
int jit_started;
__attribute__((constructor)) static void start(void)
{
    if (mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) {
        abort();
    }
    jit_started = 1;
}
END
sed 's/orders_per_day/orders_by_jit/g; s/orders-per-day/orders-by-jit/g; s/^static const struct chime_job /extern int jit_started;\nint *const jit_needed = \&jit_started;\n&/' \
    "$RUN_DIRECTORY/page/orders_per_day.c" >"$root/root/jit/orders_by_jit.c"
cat >"$root/root/jit/build.sh" <<'END'
set -eu
cd /root/jit
sed 's/orders_per_day/orders_by_jit/g' ../orders_per_day/build/orders_per_day.sql.h >orders_by_jit.sql.h
cc -shared -fPIC -o /usr/lib/libjit.so jit.c
cc -shared -fPIC $(pkg-config --cflags pgchime) -I . -o orders_by_jit.so orders_by_jit.c /usr/lib/libjit.so
install -m 755 orders_by_jit.so "$(pkg-config --variable=plugindir pgchime)/"
END
check "a plugin with a library that makes code" in_container sh /root/jit/build.sh
until_it "is refused by the unit as it is" 30 log_says 'orders_by_jit.*ended by signal 6'
expect "it" "$(sql "SELECT count(*) FROM chime.plugin WHERE name = 'orders_by_jit'")" 0
mkdir -p "$root/etc/systemd/system/pgchime.service.d"
cp "$root/usr/share/doc/pgchime/examples/jit-plugins.conf" "$root/etc/systemd/system/pgchime.service.d/"
in_container systemctl daemon-reload
in_container systemctl restart pgchime
until_it "with the drop-in jit-plugins it works" 60 query_is "SELECT state FROM chime.plugin WHERE name = 'orders_by_jit'" installed
