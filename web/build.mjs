// SPDX-License-Identifier: PostgreSQL
// node build.mjs [FOLDER]: makes FOLDER (default dist) anew: the same bytes each time and on every machine.
import { build } from 'esbuild';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, 'dist'));
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: { app: 'src/main.tsx' },
    outdir: out,
    bundle: true,
    splitting: true,
    // A window that was opened before an upgrade asks for scripts that are not there any more, and says so; under one
    // name it would get those of another version.
    chunkNames: '[name]-[hash]',
    minify: true,
    format: 'esm',
    target: 'es2023',
    charset: 'utf8',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    banner: { js: '/* pgchime, PostgreSQL licence; of others: /licenses.txt */' },
    metafile: true,
    logLevel: 'warning',
});
await build({
    absWorkingDir: here,
    entryPoints: ['src/app.css'],
    outdir: out,
    bundle: true,
    minify: true,
    charset: 'utf8',
    logLevel: 'warning',
});
copyFileSync(join(here, 'src', 'favicon.svg'), join(out, 'favicon.svg'));

// What app.js begins with is asked for together with it. Pages that are loaded later are none of it.
const first = new Set();
function addFirst(path) {
    for (const { path: other, kind } of metafile.outputs[path].imports) {
        if (kind !== 'import-statement' || first.has(other)) continue;
        first.add(other);
        addFirst(other);
    }
}
addFirst(Object.keys(metafile.outputs).find((path) => metafile.outputs[path].entryPoint === 'src/main.tsx'));
const preload = [...first].sort().map((path) => `<link rel="modulepreload" href="/${basename(path)}">\n`);
const page = readFileSync(join(here, 'src', 'index.html'), 'utf8');
const script = '<script type="module"';
writeFileSync(join(out, 'index.html'), page.replace(script, `${preload.join('')}${script}`));

// What goes into the scripts is from these packages: their licences go with it.
const packages = new Set();
for (const input of Object.keys(metafile.inputs)) {
    const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) packages.add(found[1]);
}
let text = 'The scripts of this page contain the packages below, each under its licence.\n';
for (const name of [...packages].sort()) {
    const folder = join(here, 'node_modules', name);
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file || !existsSync(join(folder, file))) throw new Error(`${name} has no licence file`);
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    text += `\n== ${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').replace(/\r/g, '').trim()}\n`;
}
writeFileSync(join(out, 'licenses.txt'), text);
