# shellcheck shell=bash disable=SC2154,SC2034,SC2046 # lib.sh and script/package set and use it; paths have no blanks
# No error and no warning of lintian that is not explained in an override.
# SPDX-License-Identifier: PostgreSQL
as_unprivileged lintian --fail-on error,warning --tag-display-limit 0 --pedantic "$packages"/*.changes
while read -r file; do
    awk -v file="$file" '/^#/ { why = 1; next } /./ && !why { print file ": no reason for " $0; bad = 1 } { why = 0 } END { exit bad }' "$file"
done < <(find packaging/debian -name '*lintian-overrides')
