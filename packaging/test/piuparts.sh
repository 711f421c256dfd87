# shellcheck shell=bash disable=SC2154,SC2034,SC2046 # lib.sh and script/package set and use it; paths have no blanks
# Install, remove, purge, each alone and together, with piuparts' own eyes for what is left.
# SPDX-License-Identifier: PostgreSQL
make_base
tar -C "$base" --exclude=./.complete -czf "$RUN_DIRECTORY/base.tar.gz" .
# The user stays by intention (docs/getting-started.md, "Remove it").
piuparts --basetgz="$RUN_DIRECTORY/base.tar.gz" --distribution=bookworm --mirror="$debian_mirror/debian main" \
    --warn-on-leftovers-after-purge --scriptsdir=/etc/piuparts/scripts --log-level=info \
    "$packages"/pgchime_*.deb "$packages"/pgchime-plugins_*.deb "$packages"/pgchime-dev_*.deb "$packages"/pgchime-web_*.deb \
    >"$RUN_DIRECTORY/piuparts.log" 2>&1 || {
    tail -40 "$RUN_DIRECTORY/piuparts.log"
    die "piuparts found something"
}
grep -E 'WARN|ERROR|PASS' "$RUN_DIRECTORY/piuparts.log" || true
