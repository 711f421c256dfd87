// SPDX-License-Identifier: PostgreSQL
// Answers as pgchime-web does, by asking the command line, until there is one: node standin.mjs PORT PGCHIME [ARGUMENT...]
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [port, program, ...before] = process.argv.slice(2);
const dist = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist');
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.txt': 'text/plain' };
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

function commandOf(url) {
    const parts = url.pathname.split('/').slice(3).map(decodeURIComponent);
    if (parts[0] === 'databases') return ['status'];
    const [, database, what, name, of] = parts;
    const options = ['--database', database];
    for (const [key, value] of url.searchParams) options.push(...(value === 'true' ? [`--${key}`] : [`--${key}`, value]));
    if (what === 'job') return [{ runs: 'runs', why: 'why', next: 'next', undefined: 'show' }[of], name, ...options];
    return [what, ...options];
}

function answer(response, status, type, body, more = {}) {
    response.writeHead(status, { 'Content-Type': type, 'Content-Security-Policy': policy, 'Cache-Control': 'private, no-cache', ...more });
    response.end(body);
}

createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost');
    if (!url.pathname.startsWith('/api/')) {
        try {
            const name = url.pathname === '/' ? 'index.html' : url.pathname.slice(1);
            answer(response, 200, types[/\.\w+$/.exec(name)[0]], readFileSync(join(dist, name)));
        } catch {
            answer(response, 404, 'application/problem+json', JSON.stringify({ status: 404, detail: 'no such page' }));
        }
        return;
    }
    execFile(program, [...before, ...commandOf(url), '-o', 'json'], { maxBuffer: 1 << 26 }, (error, out, said) => {
        if (!out) {
            const [detail, hint] = said.trim().split('\nHINT:');
            const status = error?.code === 5 ? 404 : 503;
            answer(response, status, 'application/problem+json', JSON.stringify({ status, detail: detail.replace('pgchime: ', ''), hint: hint?.trim() }));
            return;
        }
        const etag = `"${createHash('sha256').update(out).digest('hex').slice(0, 16)}"`;
        if (request.headers['if-none-match'] === etag) answer(response, 304, 'application/json', '', { ETag: etag });
        else answer(response, 200, 'application/json', out, { ETag: etag });
    });
}).listen(Number(port), '127.0.0.1');
