# shellcheck shell=bash disable=SC2154 # lib.sh and script/package set it
# The tarball in a Debian that has only what it asks for: it needs no newer glibc than it says (script/tarball looks), starts,
# writes a configuration, describes its plugins; made twice it is the same.
# SPDX-License-Identifier: PostgreSQL
script/tarball
made=$(ls build/release/pgchime-*-linux-*.tar.gz)
before=$(sha256sum <"$made")
new_root tarball
install_in_root libpq5 libsmartcols1 libsystemd0
mkdir -p "$root/opt"
tar -xzf "$made" -C "$root/opt"
mv "$root"/opt/pgchime-* "$root/opt/pgchime"
for library in libevent libconfig libjansson libcrypto libz; do
    expect "$library is within" "$(objdump -p "$root"/opt/pgchime/bin/* | grep -c "NEEDED.*$library\.")" 0
done
check "pgchime starts" in_root /opt/pgchime/bin/pgchime version
check "pgchime-web starts" in_root /opt/pgchime/bin/pgchime-web --help
in_root sh -c "mkdir /root/conf.d; /opt/pgchime/bin/pgchime init --config app >/root/pgchime.conf"
expect "its plugins are described" "$(in_root /opt/pgchime/bin/pgchime check --config /root/pgchime.conf)" \
    "ok: 1 database, $(find plugins -mindepth 1 -maxdepth 1 -type d | wc -l) plugins, 17 jobs"
script/tarball
expect "it is made the same twice" "$(sha256sum <"$made")" "$before"
