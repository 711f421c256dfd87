# shellcheck shell=bash disable=SC2154,SC2034,SC2046 # lib.sh and script/package set and use it; paths have no blanks
# The unit as it is installed: systemd takes it, it is as closed as it is said to be, its examples are drop-ins.
# SPDX-License-Identifier: PostgreSQL
new_root unit
# shellcheck disable=SC2046 # paths without blanks
install_in_root systemd $(deb pgchime)
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
