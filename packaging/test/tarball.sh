# shellcheck shell=bash disable=SC2154 # lib.sh and script/package set it
# The tarball. In a Debian 12 that has only what it asks for it starts, writes a configuration and describes its plugins. On a Debian 11, whose
# glibc is the oldest that is promised, it serves a PostgreSQL 18. Made twice it is the same.
# SPDX-License-Identifier: PostgreSQL
script/tarball
made=$(ls build/release/pgchime-*-linux-*.tar.gz)
before=$(sha256sum <"$made")
programs() { find "$root/opt/pgchime" -type f -exec sh -c 'head -c 4 "$1" | grep -q ELF' sh {} \; -print; }
plugin_count=$(find plugins -mindepth 1 -maxdepth 1 -type d | wc -l)

new_root tarball
install_in_root libpq5 libsmartcols1 libsystemd0
mkdir -p "$root/opt"
tar -xzf "$made" -C "$root/opt"
mv "$root"/opt/pgchime-* "$root/opt/pgchime"
for library in libevent libconfig libjansson libcrypto libz; do
    expect "$library is within" "$(programs | xargs objdump -p | grep -c "NEEDED.*$library")" 0
done
expect "programs and plugins" "$(programs | wc -l)" "$((plugin_count + 2))"
newest=$(programs | xargs objdump -T | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1)
expect "GLIBC_2.31 is enough, and they ask for $newest" "$(printf '%s\n' "$newest" GLIBC_2.31 | sort -V | tail -1)" GLIBC_2.31
check "pgchime starts" in_root /opt/pgchime/bin/pgchime version
check "pgchime-web starts" in_root /opt/pgchime/bin/pgchime-web --help
in_root sh -c "mkdir /root/conf.d; /opt/pgchime/bin/pgchime init --config app >/root/pgchime.conf"
described=$(in_root /opt/pgchime/bin/pgchime check --config /root/pgchime.conf)
expect "its plugins are described: $described" "$(grep -oE '^ok: 1 database, [0-9]+ plugins, [1-9]' <<<"$described" | grep -oE '[0-9]+ plugins')" \
    "$plugin_count plugins"
leave_root "$root"

# --- the oldest glibc, by docs/containers.md ------------------------------------------------------------------------------
# PostgreSQL 18 of npm is made for glibc 2.27. Its libpq is there, as that of apt.postgresql.org would be.
script/bootstrap --all-versions
base=$ROOT_DIRECTORY/build/release/sysroot new_root oldest
cp "$made" "$root/root/"
cp -rL tests/support/postgres/node_modules/postgres-18/native "$root/opt/postgresql"
expect "its glibc" "$(in_root ldd --version | sed -n '1s/.* //p')" 2.31
mount -t tmpfs tmpfs "$root/dev/shm"
cat >"$root/root/server.sh" <<'END'
set -eu
mkdir -p /run/postgresql /srv/data
chown nobody /run/postgresql /srv/data
as_nobody() { setpriv --reuid nobody --regid nogroup --clear-groups "$@"; }
as_nobody /opt/postgresql/bin/initdb -D /srv/data -U postgres -A trust --locale=C.UTF-8 -E UTF8 --no-sync
as_nobody /opt/postgresql/bin/pg_ctl -s -w -D /srv/data -l /srv/data/log -o "-c listen_addresses= -k /run/postgresql -c fsync=off" start
END
cat >"$root/root/page.sh" <<END
set -eu
cd /root
export LD_LIBRARY_PATH=/opt/postgresql/lib
mkdir conf.d
echo 'jobs: { once: { schedule = "1 seconds"; command = "SELECT 1"; }; };' >conf.d/jobs.conf
$(awk '/^<!-- run by packaging\/test\/tarball.sh -->$/ { marked = 1 } marked && inside && /^```/ { exit } inside { print } marked && /^```sh$/ { inside = 1 }' docs/containers.md |
    sed 's/ serve / &--for 5s /')
/opt/pgchime/bin/pgchime runs once --no-header -o csv --config pgchime.conf
END
check "a PostgreSQL 18" in_root sh /root/server.sh
in_root env LD_LIBRARY_PATH=/opt/postgresql/lib sh -c 'cd /root && tar -xzf pgchime-*.tar.gz --strip-components 2 --wildcards "*/bin/pgchime" && ./pgchime init --sql app' \
    >"$RUN_DIRECTORY/init.sql"
PGHOST=$root/run/postgresql PGUSER=postgres "$(postgres_psql)" -Xq -v ON_ERROR_STOP=1 -d postgres -c 'CREATE DATABASE app' -f "$RUN_DIRECTORY/init.sql" >"$RUN_DIRECTORY/init.log" 2>&1 ||
    die "$(cat "$RUN_DIRECTORY/init.log")"
check "the page's commands" in_root sh /root/page.sh
grep -q '^[0-9]*,once,.*succeeded' "$RUN_DIRECTORY/check.log" || die "no run of its job" "$(cat "$RUN_DIRECTORY/check.log")"
say "ok: its job ran"
kill -INT "$(head -1 "$root/srv/data/postmaster.pid")"
leave_root "$root"

script/tarball
expect "it is made the same twice" "$(sha256sum <"$made")" "$before"
