# shellcheck shell=bash disable=SC2154,SC2034,SC2046 # lib.sh and script/package set and use it; paths have no blanks
# Install, remove and purge in a chroot without systemd: what comes, what stays, what goes.
# SPDX-License-Identifier: PostgreSQL
snapshot() { (cd "$root" && find . -xdev -path ./proc -prune -o -path ./root -prune -o -path ./tmp -prune -o -path ./var/lib/dpkg -prune -o \
    -path ./var/lib/apt -prune -o -path ./var/cache -prune -o -path ./var/log -prune -o -print | sort); }

new_root install
install_in_root tzdata systemd
for need in $(in_root sh -c "apt-get install -s /root/pgchime_*.deb /root/pgchime-plugins_*.deb --no-install-recommends" |
    sed -n 's/^Inst \([^ ]*\).*/\1/p' | grep -v '^pgchime'); do
    install_in_root "$need"
done
snapshot >"$RUN_DIRECTORY/before"
in_root sh -c 'apt-get install -y -q --no-install-recommends /root/pgchime_*.deb /root/pgchime-plugins_*.deb' \
    >"$RUN_DIRECTORY/apt.log" 2>&1 || die "$(tail -20 "$RUN_DIRECTORY/apt.log")"
expect "the user" "$(in_root getent passwd pgchime | cut -d: -f1,6,7)" pgchime:/nonexistent:/usr/sbin/nologin
expect "the configuration's folder" "$(in_root stat -c '%a %U:%G' /etc/pgchime)" "750 root:pgchime"
expect "the configuration" "$(in_root stat -c '%a %U:%G' /etc/pgchime/pgchime.conf)" "644 root:root"
plugins=$(in_root sed -n 's/^plugin_dir = "\(.*\)";/\1/p' /etc/pgchime/pgchime.conf)
expect "the plugins" "$(find "$root$plugins" -name '*.so' | wc -l)" "$(find plugins -mindepth 1 -maxdepth 1 -type d | wc -l)"
expect "check, as root" "$(in_root pgchime check 2>/dev/null)" "ok: 0 databases, 0 plugins, 0 jobs"
expect "check, as the service" "$(in_root setpriv --reuid pgchime --regid pgchime --clear-groups pgchime check 2>/dev/null)" \
    "ok: 0 databases, 0 plugins, 0 jobs"
expect "every file of the configuration is a conffile" "$(in_root dpkg-query -W -f "\${Conffiles}\n" pgchime pgchime-plugins | awk 'NF { print $1 }' | sort)" \
    "$(in_root find /etc/pgchime -type f | sort)"
pages=$root/usr/share/doc/pgchime
expect "pages that are named and not there" "$(find "$pages" -name '*.md' -printf '%P\n' | while read -r file; do
    grep -oE '\]\([^)#:]+\.md' "$pages/$file" | sed 's/^](//' | while read -r link; do
        [ -e "$(dirname "$pages/$file")/$link" ] || echo "$file: $link"
    done
done | sort -u)" "README.md: CONTRIBUTING.md"
in_root apt-get remove -y -q pgchime pgchime-plugins >/dev/null 2>&1
for file in pgchime.conf conf.d/retention.conf; do [ -f "$root/etc/pgchime/$file" ] || die "remove took $file"; done
touch "$root/etc/pgchime/conf.d/mine.conf"
in_root apt-get purge -y -q pgchime pgchime-plugins >/dev/null 2>&1
expect "what purge leaves: a file of the administrator's" "$(snapshot | comm -13 "$RUN_DIRECTORY/before" - | tr '\n' ' ')" \
    "./etc/pgchime ./etc/pgchime/conf.d ./etc/pgchime/conf.d/mine.conf "

# A link in its place: what it leads to keeps owner and mode, whoever put it there.
install_over_link() # what is linked, what it leads to
{
    local before
    ln -s "$2" "$root$1"
    before=$(in_root stat -L -c '%a %U:%G' "$1")
    in_root sh -c 'apt-get install -y -q --no-install-recommends /root/pgchime_*.deb' >"$RUN_DIRECTORY/apt.log" 2>&1 ||
        die "$(tail -20 "$RUN_DIRECTORY/apt.log")"
    expect "a link at $1 is not followed" "$(in_root stat -L -c '%a %U:%G' "$1")" "$before"
    in_root apt-get purge -y -q pgchime >/dev/null 2>&1
    rm -rf "${root:?}$1"
}
rm -rf "$root/etc/pgchime"
mkdir -m 700 "$root/srv/elsewhere"
install_over_link /etc/pgchime /srv/elsewhere
mkdir -p "$root/etc/pgchime"
install -m 600 /dev/null "$root/srv/secret"
install_over_link /etc/pgchime/passfile /srv/secret
