#!/usr/bin/env bash
# web/dist is what web/src makes, byte for byte, and no larger than a page may be that comes over a slow line. Node.js and the
# page's packages come by `script/bootstrap --page`; where npm cannot get them, only the sizes are looked at.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL

web=$ROOT_DIRECTORY/web
checks=0
checked() { checks=$((checks + 1)); }

# within WHAT BYTES FILE...: gzipped, each for itself, they take no more.
within()
{
    local what=$1 most=$2 size=0 file
    shift 2
    for file in "$@"; do size=$((size + $(gzip -9 -n <"$file" | wc -c))); done
    [ "$size" -le "$most" ] || die "$what takes $size bytes gzipped, and may take $most"
    checked
}

# needs FILE: the scripts that it imports when it begins, and what those import. import("...") comes later.
needs() { grep -ohE '(from|import)"\./[^"]+"' "$1" | sed 's|.*"\./||; s|"$||' | sort -u; }
needed()
{
    local found=("$@") more
    while :; do
        mapfile -t more < <({ printf '%s\n' "${found[@]}"; for file in "${found[@]}"; do needs "$file"; done; } | sort -u)
        [ "${#more[@]}" -gt "${#found[@]}" ] || break
        found=("${more[@]}")
    done
    printf '%s\n' "${found[@]}"
}

# A new page is no reason to take more here: it belongs into a script of its own (web/src/later.tsx).
cd "$web/dist"
mapfile -t first < <(needed app.js)
within "the script that the first page needs" $((40 * 1024)) "${first[@]}"
within "the style" $((8 * 1024)) app.css
within "the first page" $((50 * 1024)) index.html "${first[@]}" app.css favicon.svg
for page in *-*.js; do
    case $page in
        graph-*) within "the graph page" $((24 * 1024)) "$page" ;;
        *) within "$page" $((20 * 1024)) "$page" ;;
    esac
done
for script in "${first[@]}"; do
    [ "$script" = app.js ] || grep -qF "<link rel=\"modulepreload\" href=\"/$script\">" index.html ||
        die "$script is asked for only when app.js is there"
    checked
done
[ "$(grep -c modulepreload index.html)" -eq $((${#first[@]} - 1)) ] || die "index.html asks for scripts that come later"
checked
! grep -lE '(src|href)="https?:|@import|url\(https?:' index.html app.css || die "the page asks others for something"
checked

if [ -f "$web/node_modules/.complete" ]; then
    make_run_directory
    node "$web/build.mjs" "$RUN_DIRECTORY/dist"
    diff -r "$web/dist" "$RUN_DIRECTORY/dist" >/dev/null ||
        die "web/dist is not what web/src makes" "cd web && npm ci --ignore-scripts && npm run build"
    checked
    (cd "$web" && node_modules/.bin/tsc --noEmit) || die "the types of web/src do not fit"
    checked
else
    say "Node.js with the page's packages is not to be had here: not built again"
fi
echo "$checks passed, 0 failed"
