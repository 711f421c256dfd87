#!/usr/bin/env bash
# script/bootstrap leaves no server running, and no link that starts one at boot, that was not there before. Here apt-get, dpkg-query and
# id are ours, and what it would change of the machine lies in a folder.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL

checks=0
make_run_directory
machine=$RUN_DIRECTORY/machine
programs=$RUN_DIRECTORY/programs
policy=$machine/usr/sbin/policy-rc.d
mkdir -p "$RUN_DIRECTORY/copy/script" "$programs"
cp "$ROOT_DIRECTORY/script/lib.sh" "$RUN_DIRECTORY/copy/script/"
sed "s,/etc/,$machine/etc/,g; s,/usr/sbin/,$machine/usr/sbin/,g" "$ROOT_DIRECTORY/script/bootstrap" >"$RUN_DIRECTORY/copy/script/bootstrap"
chmod +x "$RUN_DIRECTORY/copy/script/bootstrap"

program() # name: what it does comes in
{
    { printf '#!/bin/sh\n'; cat; } >"$programs/$1"
    chmod +x "$programs/$1"
}

program id <<<'echo 0'
program dpkg-query <<<'exit 1'
# As packages of servers do: each asks policy-rc.d whether it may start, and puts links there.
program apt-get <<DONE
case "\$*" in *install*) ;; *) exit 0 ;; esac
ln -s ../init.d/postgresql "$machine/etc/rc3.d/S02postgresql"
ln -s x "$machine/etc/systemd/system/multi-user.target.wants/pgbouncer.service"
ln -s x "$machine/etc/rc3.d/S02cups"
"$policy" postgresql start
[ \$? -eq 101 ] || touch "$machine/started"
exit "\${INSTALL_STATUS:-0}"
DONE

fresh()
{
    rm -rf "$machine"
    mkdir -p "$machine/etc/rc2.d" "$machine/etc/rc3.d" "$machine/etc/systemd/system/multi-user.target.wants" "$machine/usr/sbin"
    ln -s ../init.d/postgresql "$machine/etc/rc2.d/S01postgresql"
}

bootstrap() # what it has to end with
{
    local status=0
    PATH=$programs:$PATH "$RUN_DIRECTORY/copy/script/bootstrap" >"$RUN_DIRECTORY/out" 2>&1 || status=$?
    [ "$status" -eq "$1" ] || die "it ended with $status, not $1: $(cat "$RUN_DIRECTORY/out")"
}

has() # what, what the machine has beside folders
{
    local found
    found=$(cd "$machine" && find . ! -type d | sort | tr '\n' ' ')
    [ "$found" = "$2" ] || die "$1: the machine has $found, not $2"
    checks=$((checks + 1))
}

before=./etc/rc2.d/S01postgresql
fresh
bootstrap 0
has "installed" "$before ./etc/rc3.d/S02cups "

fresh
INSTALL_STATUS=100 bootstrap 100
has "an installation that fails" "$before ./etc/rc3.d/S02cups "

fresh
printf '#!/bin/sh\nexit 101 # ours\n' >"$policy"
chmod +x "$policy"
bootstrap 0
has "a policy of the machine's own" "$before ./etc/rc3.d/S02cups ./usr/sbin/policy-rc.d "
grep -q ours "$policy" || die "the machine's own policy is another one"

say "$checks passed, 0 failed"
