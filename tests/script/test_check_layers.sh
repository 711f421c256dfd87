#!/usr/bin/env bash
# script/check-layers finds each kind of breach, at its file and line, and passes a clean tree.
set -uo pipefail
# SPDX-License-Identifier: PostgreSQL
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
passed=0
failed=0

# expect NAME TEXT: the check refuses the tree and says TEXT; without TEXT, it accepts it in silence.
expect()
{
    local output status=0
    output=$("$repository/script/check-layers" "$tree" 2>&1) || status=$?
    if { [ $# -eq 1 ] && [ "$status" -eq 0 ] && [ -z "$output" ]; } ||
        { [ $# -eq 2 ] && [ "$status" -ne 0 ] && [[ $output == *"$2"* ]]; }; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s: status %d\n%s\n' "$1" "$status" "$output"
    fi
}

fresh_tree()
{
    rm -rf "${tree:?}"/*
    mkdir -p "$tree"/core/{base,loop,calendar,pg,config,plugin,report,cli} "$tree"/include/pgchime "$tree/plugins/demo"
    printf '#include <stddef.h>\nsize_t a(void);\n' >"$tree/core/base/a.h"
    printf '#include <libpq-fe.h>\n\n#include "base/a.h"\n' >"$tree/core/pg/b.c"
    printf '#include <event2/event.h>\n#include "base/a.h"\n' >"$tree/core/loop/c.c"
    printf '#include <dlfcn.h>\n#include "pgchime/plugin.h"\n' >"$tree/core/plugin/host.c"
    printf 'int b(void);\n' >"$tree/core/pg/b.h"
    printf '#include <pgchime/plugin.h>\n#include "demo.sql.h"\n' >"$tree/plugins/demo/demo.c"
}

# plant NAME FILE LINE TEXT: with LINE added as line 2 of FILE.
plant()
{
    fresh_tree
    printf '/* first */\n%s\n' "$3" >"$tree/$2"
    expect "$1" "$2:2: $4"
}

fresh_tree
expect "a clean tree passes"
plant "a later layer" core/base/x.c '#include "pg/b.h"' 'core/base may not include "pg/b.h"'
plant "a later layer in angle brackets" core/base/x.c '#  include <pg/b.h>' 'core/base may not include "pg/b.h"'
plant "the loop in a pure layer" core/calendar/x.c '#include "loop/loop.h"' 'core/calendar does no I/O'
plant "a client in the reports" core/report/x.c '#include "pg/client.h"' 'core/report asks nobody'
plant "what speaks HTTP in the command line" core/cli/x.c '#include "web/page.h"' 'core/web is pgchime-web alone'
plant "OpenSSL outside" core/cli/x.c '#include <openssl/sha.h>' '<openssl/sha.h> belongs in core/web'
plant "libpq outside core/pg" core/cli/x.c '#include <libpq-fe.h>' '<libpq-fe.h> belongs in core/pg'
plant "libevent outside" core/pg/x.c '#include <event2/event.h>' '<event2/event.h> belongs in core/loop alone'
plant "libconfig outside" core/cli/x.c '#include <libconfig.h>' '<libconfig.h> belongs in core/config'
plant "dlfcn in the plugin layer outside the host" core/plugin/x.c '#include <dlfcn.h>' '<dlfcn.h> belongs in core/plugin/host'
plant "dlfcn in the host's header" core/plugin/host.h '#include <dlfcn.h>' '<dlfcn.h> belongs in core/plugin/host'
plant "a path that is not from core/" core/pg/x.c '#include "b.h"' '"b.h" is not written from core/'
plant "a path upwards" core/pg/x.c '#include "../base/a.h"' '"../base/a.h" is not written from core/'
plant "the core in a plugin" plugins/demo/demo.c '#include "base/a.h"' 'a plugin includes'
fresh_tree
mkdir "$tree/core/misc" && echo >"$tree/core/misc/x.c"
expect "a folder without a place in the layers" 'core/misc/x.c:1: core/misc is not in the list of layers'
# need FROM TO [QUALIFIER]: a file of core/pg whose function calls that of another.
need() { printf '/* %s() */\n%sint %s(int x)\n{\n    return x > 0 ? %s(x) : x;\n}\n' "$2" "${3:-}" "$1" "$2" >"$tree/core/pg/$1.c"; }
fresh_tree
need one two
need two three
expect "files that need one another in a row"
need three one
expect "a circle of three files" 'core/pg: 3 files need each other: one three two'
need three three 'static '
expect "a function that calls itself"
printf 'int one(int x);\nstatic int two(int x)\n{\n    return x;\n}\nint three(int x)\n{\n    return two(x);\n}\n' >"$tree/core/pg/three.c"
need two one
need one none
expect "a static function of the same name is the file's own"
printf 'extern const int one_table[];\nconst int two_table[] = {1};\nint f(int x)\n{\n    return one_table[x];\n}\n' >"$tree/core/pg/two.c"
printf 'extern const int two_table[];\nconst int one_table[] = {1};\nint g(int x)\n{\n    return two_table[x];\n}\n' >"$tree/core/pg/one.c"
expect "tables that need each other" 'core/pg: 2 files need each other: one two'
fresh_tree
echo 'size_t b(void);' >"$tree/core/pg/b.h"
expect "a header that needs another before it" 'core/pg/b.h:1: does not compile alone'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
