#!/usr/bin/env bash
# Every source file says its licence.
set -uo pipefail
# SPDX-License-Identifier: PostgreSQL
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

mapfile -t files < <(
    find CMakeLists.txt .ci bench cmake core include packaging plugins script sql tests tools \
        -name node_modules -prune -o -type f \
        \( -name '*.[ch]' -o -name '*.sql' -o -name '*.sh' -o -name '*.py' -o -name '*.cmake' -o -name CMakeLists.txt \
        -o ! -name '*.*' -exec grep -q '^#!' {} \; \) -print 2>/dev/null
)
without=$(grep -L 'SPDX-License-Identifier: PostgreSQL' "${files[@]}")
if [ -n "$without" ] || [ ${#files[@]} -lt 500 ]; then
    printf 'FAILED: %d files; without "SPDX-License-Identifier: PostgreSQL":\n%s\n' "${#files[@]}" "$without"
    echo "0 passed, 1 failed"
    exit 1
fi
echo "1 passed, 0 failed"
