# shellcheck shell=bash disable=SC2154,SC2046 # script/package sets what is not set here
# For the tests of script/package: chroots over a debootstrap'ed Debian 12, and containers in which its systemd runs.
# Needs root. Everything that is made lies in $RUN_DIRECTORY and goes with it, but for the base, which is kept in
# build/package-test and made once.
#
#   new_root NAME               sets `root`, a fresh Debian with only what debootstrap makes, the packages in /root
#   in_root COMMAND...          a command in it, with network
#   fetch PACKAGE...            has apt in it download what these need, so that it can be installed without network
#   boot, in_container COMMAND..., halt     systemd as its init, without network
#   open_page FILE, run_blocks HOW-MANY     what a page has people type, typed in there
#   make_next NAME...           in /root, these packages as NAME_NEW_amd64.deb, under a higher version
#   check WHAT COMMAND..., expect WHAT IS SHOULD-BE
#   skip REASON                 ends a test that this machine does not allow
# SPDX-License-Identifier: PostgreSQL
base=$ROOT_DIRECTORY/build/package-test/base
debian_mirror=${PGCHIME_DEBIAN_MIRROR:-http://deb.debian.org}
root=''
leader=''
container=''
clean_environment=(env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
    DEBIAN_FRONTEND=noninteractive)

skip_status=77
skip()
{
    say "skipped: $1"
    exit "$skip_status"
}

expect()
{
    [ "$2" = "$3" ] || die "$1: is \"$2\"" "should be \"$3\""
    say "ok: $1"
}

check()
{
    local what=$1
    shift
    "$@" >"$RUN_DIRECTORY/check.log" 2>&1 || {
        cat "$RUN_DIRECTORY/check.log"
        die "$what"
    }
    say "ok: $what"
}

# until_it WHAT SECONDS COMMAND...: waits for a command to succeed.
until_it()
{
    local what=$1 deadline=$((SECONDS + $2))
    shift 2
    until "$@" >"$RUN_DIRECTORY/check.log" 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || {
            cat "$RUN_DIRECTORY/check.log"
            die "never came true: $what"
        }
        sleep 0.2
    done
    say "ok: $what"
}

make_base()
{
    [ ! -f "$base/.complete" ] || return 0
    say "debootstrap, once"
    rm -rf "$base"
    mkdir -p "$base"
    debootstrap --variant=minbase --include=ca-certificates bookworm "$base" "$debian_mirror/debian" \
        >"$RUN_DIRECTORY/debootstrap.log" 2>&1 || {
        tail "$RUN_DIRECTORY/debootstrap.log"
        die "debootstrap could not make a Debian 12" "PGCHIME_DEBIAN_MIRROR names another mirror"
    }
    printf 'deb %s/debian bookworm main\ndeb %s/debian-security bookworm-security main\n' "$debian_mirror" \
        "$debian_mirror" >"$base/etc/apt/sources.list"
    touch "$base/.complete"
}

leave_root()
{
    halt
    umount -R "$1" 2>/dev/null || true
}

new_root()
{
    local folder=$RUN_DIRECTORY/$1
    make_base
    mkdir -p "$folder/up" "$folder/work" "$folder/root"
    root=$folder/root
    trap 'leave_root "$root"' EXIT # of the subshell that is this test
    mount -t overlay overlay -o "lowerdir=$base,upperdir=$folder/up,workdir=$folder/work" "$root" ||
        die "an overlay cannot be mounted here" "the tests of the packages need a kernel that lets root mount"
    mount -t proc proc "$root/proc"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io" # quick; nobody needs it after a crash
    cp "$packages"/pgchime_*.deb "$packages"/pgchime-plugins_*.deb "$packages"/pgchime-dev_*.deb "$packages"/pgchime-web_*.deb "$root/root/"
    in_root apt-get -q -o Acquire::Check-Valid-Until=false update >"$RUN_DIRECTORY/apt.log" 2>&1 ||
        die "$(tail "$RUN_DIRECTORY/apt.log")"
}

in_root() { chroot "$root" "${clean_environment[@]}" "$@"; }

install_in_root()
{
    in_root apt-get install -y -q --no-install-recommends "$@" >"$RUN_DIRECTORY/apt.log" 2>&1 ||
        die "$(tail -30 "$RUN_DIRECTORY/apt.log")"
}

fetch()
{
    in_root apt-get install -y -q --download-only "$@" >"$RUN_DIRECTORY/apt.log" 2>&1 ||
        die "$(tail -30 "$RUN_DIRECTORY/apt.log")"
}

# --- a booted one -------------------------------------------------------------------------------------------------------
in_container() { nsenter -t "$leader" -m -u -i -n -p -C -- "${clean_environment[@]}" "$@"; }

boot()
{
    umount "$root/proc"
    systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe -b -D "$root" \
        >"$RUN_DIRECTORY/container.log" 2>&1 </dev/null &
    container=$!
    has_begun() { pgrep -P "$container" || ! kill -0 "$container"; }
    until_it "the container has an init" 20 has_begun
    kill -0 "$container" 2>/dev/null || skip "systemd-nspawn boots nothing here: $(tail -1 "$RUN_DIRECTORY/container.log")"
    leader=$(pgrep -P "$container" | head -1)
    until_it "systemd runs in it" 90 in_container systemctl is-active basic.target
    in_container systemctl is-system-running --wait >/dev/null 2>&1 || true
}

halt()
{
    [ -n "$container" ] || return 0
    in_container systemctl poweroff --force --force >/dev/null 2>&1 || true
    timeout 20 tail --pid="$container" -f /dev/null || kill -KILL "$container"
    wait "$container" 2>/dev/null || true
    container=''
}

# boot_debian NAME [PACKAGE...]: a Debian with PostgreSQL and systemd, booted; the packages in /root, not installed, but all
# that they and those named need at hand.
boot_debian()
{
    new_root "$1"
    shift
    install_in_root systemd systemd-sysv
    fetch postgresql gcc libc6-dev pkg-config "$@" $(deb pgchime pgchime-plugins pgchime-dev pgchime-web)
    boot
}

# deb NAME...: the files of these packages, as they are called inside.
deb()
{
    local name
    for name in "$@"; do (cd "$root" && printf '/%s\n' "root/$name"_*.deb); done
}

install_in_container()
{
    in_container apt-get install -y -q --no-install-recommends "$@" >"$RUN_DIRECTORY/apt.log" 2>&1 ||
        die "$(tail -30 "$RUN_DIRECTORY/apt.log")"
}

show() { in_container systemctl show "$1" -p "$2" --value; }
sql() { in_container runuser -u postgres -- psql -XqAt -v ON_ERROR_STOP=1 -d "${database:-app}" -c "$1"; }
query_is() { [ "$(sql "$1")" = "$2" ]; }
# shellcheck disable=SC2053 # a pattern
status_is() { [[ $(show pgchime StatusText) = $1 ]]; }

# The next version: the same files under a higher number.
make_next()
{
    local name folder
    for name in "$@"; do
        folder=$(mktemp -d "$RUN_DIRECTORY/next.XXXXXX")
        chmod 755 "$folder"
        dpkg-deb -R "$packages/$name"_*.deb "$folder"
        sed -i 's/^\(Version: .*\)$/\1+next/; s/\(pgchime (= [^)]*\))/\1+next)/' "$folder/DEBIAN/control"
        dpkg-deb --root-owner-group -b "$folder" "$root/root/${name}_NEW_amd64.deb" >/dev/null
    done
}

# slots_without_a_row JOB STEP: those between its first and its last run by schedule that have neither a run nor are known as
# missed.
slots_without_a_row()
{
    sql "SELECT string_agg(s::text, ', ' ORDER BY s) FROM (SELECT min(slot), max(slot) FROM chime.runs WHERE job = '$1' AND kind = 'schedule') r,
        generate_series(r.min, r.max, '$2') s WHERE NOT EXISTS (SELECT FROM chime.runs r WHERE r.job = '$1' AND r.slot = s)
        AND NOT EXISTS (SELECT FROM chime.missed m JOIN chime.job j USING (job_id) WHERE j.name = '$1' AND s BETWEEN m.first_slot AND m.last_slot)"
}

# --- what a page has people type ----------------------------------------------------------------------------------------
# open_page FILE: its fenced blocks of commands below a line "<!-- run -->", to be run in order, word for word, as by somebody
# who logged in once as root: what one block exports and where it goes to, the next one finds.
open_page()
{
    page=$1
    number=0
    rm -f "$root/root/.session"
    blocks=$(awk '/^<!-- run -->$/ { marked = 1; next } marked && /^```(sh|bash)$/ { inside = 1; next }
        /^```$/ { if (inside) print "### end of a block"; inside = 0 } { marked = 0 } inside' "$page")
    count=$(grep -c '^### end of a block$' <<<"$blocks" || true)
}

# run_blocks HOW-MANY: the next ones. What the last one says is in $RUN_DIRECTORY/said.
run_blocks()
{
    local last=$((number + $1)) text
    [ "$last" -le "$count" ] || die "$page has $count blocks to run"
    while [ "$number" -lt "$last" ]; do
        number=$((number + 1))
        text=$(awk -v wanted="$number" '/^### end of a block$/ { count++; next } count == wanted - 1' <<<"$blocks")
        # shellcheck disable=SC2016 # for the shell in there
        printf 'set -euo pipefail\ncd /root\n[ ! -f .session ] || . ./.session\n%s\n%s\n' "$text" \
            '{ declare -px; printf "cd %q\n" "$PWD"; } >/root/.session' >"$root/root/.block"
        check "block $number of $page: $(head -1 <<<"$text")" in_container bash /root/.block
        cp "$RUN_DIRECTORY/check.log" "$RUN_DIRECTORY/said"
    done
}
