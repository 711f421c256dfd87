# shellcheck shell=bash disable=SC2154,SC2034,SC2046 # lib.sh and script/package set and use it; paths have no blanks
# The unit as it is installed: systemd takes it, it is as closed as it is said to be, its examples are drop-ins.
# SPDX-License-Identifier: PostgreSQL
new_root unit
# shellcheck disable=SC2046 # paths without blanks
install_in_root systemd $(deb pgchime pgchime-web)
check "systemd-analyze verify" in_root systemd-analyze verify --man=no pgchime.service
[ ! -s "$RUN_DIRECTORY/check.log" ] || die "it says: $(cat "$RUN_DIRECTORY/check.log")"
check "systemd-analyze security is 1.5 at most" in_root systemd-analyze security --offline=true --threshold=15 --no-pager \
    /lib/systemd/system/pgchime.service
tail -1 "$RUN_DIRECTORY/check.log"
for example in credentials databases jit-plugins; do
    mkdir -p "$root/etc/systemd/system/pgchime.service.d"
    cp "$root/usr/share/doc/pgchime/examples/$example.conf" "$root/etc/systemd/system/pgchime.service.d/"
    check "drop-in $example" in_root systemd-analyze verify --man=no pgchime.service
    [ ! -s "$RUN_DIRECTORY/check.log" ] || die "it says: $(cat "$RUN_DIRECTORY/check.log")"
done
mkdir -p "$root/etc/systemd/system/pgchime-reports.service.d"
cp "$root/lib/systemd/system/pgchime.service" "$root/etc/systemd/system/pgchime-reports.service"
cp "$root/usr/share/doc/pgchime/examples/second-daemon.conf" "$root/etc/systemd/system/pgchime-reports.service.d/"
check "drop-in second-daemon" in_root systemd-analyze verify --man=no pgchime-reports.service
[ ! -s "$RUN_DIRECTORY/check.log" ] || die "it says: $(cat "$RUN_DIRECTORY/check.log")"
expect "drop-ins tried" "$(find "$root/etc/systemd/system" -path '*.service.d/*' | wc -l)" "$(find packaging/examples -name '*.conf' | wc -l)"

# The page's.
check "systemd-analyze verify, of the page" in_root systemd-analyze verify --man=no pgchime-web.service
[ ! -s "$RUN_DIRECTORY/check.log" ] || die "it says: $(cat "$RUN_DIRECTORY/check.log")"
check "systemd-analyze security of the page is 1.7 at most" in_root systemd-analyze security --offline=true --threshold=17 --no-pager \
    /lib/systemd/system/pgchime-web.service
expect "the page's user" "$(in_root getent passwd pgchime-web | cut -d: -f1,6,7)" pgchime-web:/nonexistent:/usr/sbin/nologin
# shellcheck disable=SC2016 # the shell in there is meant
in_root sh -c 'umask 027; pgchime web token alice --role view 2>/dev/null >/etc/pgchime-web/tokens
    echo "databases: { main: { conninfo = \"dbname=app\"; }; }; access: { tokens_file = \"tokens\"; };" >/etc/pgchime-web/web.conf
    chgrp pgchime-web /etc/pgchime-web/*'
check "check, as the page's user" in_root setpriv --reuid pgchime-web --regid pgchime-web --clear-groups pgchime web check
