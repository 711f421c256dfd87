#!/usr/bin/env bash
# The pages: what they link to is there, and the version is one.
set -uo pipefail
# SPDX-License-Identifier: PostgreSQL
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
failed=0

complain() # WHAT LINES: unless there are none
{
    [ -n "$2" ] || return 0
    printf 'FAILED: %s:\n%s\n' "$1" "$2"
    failed=$((failed + 1))
}

mapfile -t pages < <(find README.md CONTRIBUTING.md SECURITY.md CHANGELOG.md docs -name '*.md' | sort)
[ ${#pages[@]} -ge 60 ] || complain "this test found too few pages" "${#pages[@]}"
complain "links that lead nowhere" "$(for page in "${pages[@]}"; do
    grep -oE '\]\([^)#: ]+' "$page" | sed 's/^](//' | grep -v '^https*$' | while read -r link; do
        [ -e "$(dirname "$page")/$link" ] || echo "$page: $link"
    done
done)"
version=$(sed -n 's/^project(pgchime VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
complain "what CHANGELOG.md does not have, in this order" "$(grep -E '^## ' CHANGELOG.md | head -2 | cut -d' ' -f1,2 |
    diff - <(printf '## Unreleased\n## %s\n' "$version"))"
complain "packaging/debian/changelog has another version" "$(sed -n '1s/^pgchime (\([0-9.]*\)-.*/\1/p' packaging/debian/changelog | grep -vxF "$version")"

echo "$((4 - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
