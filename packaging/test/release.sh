# shellcheck shell=bash disable=SC2154 # script/package sets it
# script/release makes what it says, and of HEAD it makes the same bytes as before: the packages that the other tests had, and its own tarball
# once more.
# SPDX-License-Identifier: PostgreSQL
before=$(cd "$packages" && sha256sum -- *.deb *.dsc *.tar.xz)
check "script/release" script/release
release=$(dirname "$(ls build/release/*/SHA256SUMS)")
version=$(basename "$release")
check "SHA256SUMS" env -C "$release" sha256sum -c SHA256SUMS
expect "files that it has a sum of" "$(cut -d' ' -f3 "$release/SHA256SUMS")" "$(cd "$release" && LC_ALL=C ls | grep -vx SHA256SUMS)"
expect "what is there" "$(cd "$release" && LC_ALL=C ls | sed 's/[-_][0-9].*\.\(deb\|dsc\|tar.xz\|tar.gz\)$/.\1/' | sort -u | tr '\n' ' ')" \
    "NOTES.md SHA256SUMS pgchime-dbgsym.deb pgchime-dev.deb pgchime-plugins-dbgsym.deb pgchime-plugins.deb pgchime-web-dbgsym.deb pgchime-web.deb pgchime.deb \
pgchime.dsc pgchime.tar.gz pgchime.tar.xz "
expect "the notes are the changelog's section" "$(cat "$release/NOTES.md")" \
    "$(awk -v heading="## $version" 'index($0, heading) == 1 { inside = 1; next } /^## / { inside = 0 } inside' CHANGELOG.md | sed '/./,$!d')"
check "the packages and their source are those from before" env -C "$release" sha256sum -c --quiet - <<<"$before"
tarball=$(cd "$release" && sha256sum -- *linux*.tar.gz)
check "script/tarball" script/tarball
check "the tarball is the same" env -C build/release sha256sum -c --quiet - <<<"$tarball"
