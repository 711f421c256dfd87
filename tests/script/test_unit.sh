#!/usr/bin/env bash
# The unit: systemd takes it, and it is as closed as docs/operating.md says. Also its examples, and the package's own files.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL

have systemd-analyze || { say "systemd-analyze is not here: not tested"; exit 0; }
build=${PGCHIME_TEST_BUILD:-$ROOT_DIRECTORY/build}
[ -f "$build/generated/pgchime.service" ] || build=$ROOT_DIRECTORY/build/asan
checks=0
make_run_directory
unit=$RUN_DIRECTORY/pgchime.service
sed "s,/[^ ]*/bin/pgchime,$build/pgchime," "$build/generated/pgchime.service" >"$unit"

passes() # what, command...
{
    local what=$1
    shift
    "$@" >"$RUN_DIRECTORY/out" 2>&1 || die "$what: $(cat "$RUN_DIRECTORY/out")"
    checks=$((checks + 1))
}

# verify [UNIT]: what systemd has to say of this unit alone: the machine's other units are not ours.
verify()
{
    local words
    words=$(systemd-analyze verify --man=no "${1:-$unit}" 2>&1 | grep -F pgchime || true)
    [ -z "$words" ] || { say "$words"; return 1; }
}

passes "verify" verify
passes "security of 1.5 at most" systemd-analyze security --offline=true --threshold=15 --no-pager "$unit"
for example in credentials databases jit-plugins; do
    mkdir -p "$unit.d"
    cp "$ROOT_DIRECTORY/packaging/examples/$example.conf" "$unit.d/"
    passes "drop-in $example" verify
done
second=$RUN_DIRECTORY/pgchime-reports.service
mkdir "$second.d"
cp "$unit" "$second"
sed "s,/usr/bin/pgchime,$build/pgchime," "$ROOT_DIRECTORY/packaging/examples/second-daemon.conf" >"$second.d/second-daemon.conf"
passes "drop-in second-daemon" verify "$second"
sed -i 's/ serve / \n/' "$second.d/second-daemon.conf"
! verify "$second" >/dev/null || die "a drop-in that is wrong passes"

# It can fail.
sed -i 's/^WatchdogSec=.*/WatchdogSec=soon/' "$unit"
! verify >/dev/null || die "a unit that is wrong passes"
sed -i '/^Protect/d; /^Private/d' "$unit"
! systemd-analyze security --offline=true --threshold=15 --no-pager "$unit" >/dev/null 2>&1 || die "an open unit passes"
checks=$((checks + 2))
printf '%d passed, 0 failed\n' "$checks"
