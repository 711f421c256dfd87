# shellcheck shell=bash disable=SC2154,SC2034,SC2046 # lib.sh and script/package set and use it; paths have no blanks
# The tests that the source package declares, on the built packages, in a chroot with a PostgreSQL of its own.
# SPDX-License-Identifier: PostgreSQL
new_root autopkgtest
status=0
autopkgtest --no-built-binaries --apt-upgrade "$packages"/pgchime_*.dsc "$packages"/pgchime_*.deb "$packages"/pgchime-plugins_*.deb \
    "$packages"/pgchime-dev_*.deb -- chroot "$root" >"$RUN_DIRECTORY/autopkgtest.log" 2>&1 || status=$?
[ "$status" -eq 0 ] || {
    tail -60 "$RUN_DIRECTORY/autopkgtest.log"
    die "autopkgtest ended with $status"
}
grep -aE 'PASS|FAIL|SKIP' "$RUN_DIRECTORY/autopkgtest.log"
