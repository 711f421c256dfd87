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

cd "$web/dist"
within "the script" $((48 * 1024)) app.js chunk.js
within "the style" $((8 * 1024)) app.css
within "the page" $((60 * 1024)) index.html app.js chunk.js app.css favicon.svg
within "the graph's script" $((20 * 1024)) graph.js
within "the script of tiles" $((6 * 1024)) tiles.js
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
