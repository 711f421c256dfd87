// SPDX-License-Identifier: PostgreSQL
// node page.mjs ADDRESS SIGNALS TOKEN VIEWER: the page in a browser, with real data of database "app", which
// tests/script/test_web_page.sh makes. Through SIGNALS, a folder, the test asks for what only the script can do: a file
// begins it, NAME.done ends it.
import { chromium } from 'playwright-core';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, checks, findings, watch } from './checks.mjs';
import { acts } from './acts.mjs';
import { clocks } from './clocks.mjs';
import { looks } from './looks.mjs';
import { states } from './states.mjs';
import { tiles } from './tiles.mjs';
import { uses } from './uses.mjs';

const [address, signals, token, viewer, tilesToken] = process.argv.slice(2);

async function ask(name) {
    writeFileSync(join(signals, name), '');
    while (!existsSync(join(signals, `${name}.done`))) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** A window of its own; but for a stranger's it has signed in. Of a quiet one nobody looks at the console. */
function opener(browser) {
    return async (options = {}, { stranger = false, quiet = false, as = token } = {}) => {
        const sized = { viewport: { width: 1280, height: 900 }, timezoneId: 'Europe/Berlin', ...options };
        const context = await browser.newContext(sized);
        const page = await context.newPage();
        page.setDefaultTimeout(30000);
        if (!quiet) watch(page, address);
        if (token && !stranger) {
            const answer = await context.request.post(`${address}/session`, {
                data: { token: as },
                headers: { Origin: address },
            });
            check('the token is taken', answer.ok(), await answer.text());
        }
        return page;
    };
}

// In a container there may be neither user namespaces for a sandbox nor much of /dev/shm; what is shown is ours.
const args = ['--disable-gpu', '--no-sandbox', '--disable-dev-shm-usage'];
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args });
try {
    const open = opener(browser);
    for (const part of [uses, acts, clocks, looks, tiles, states]) {
        const from = Date.now();
        await part({ open, address, ask, token, viewer, tilesToken });
        console.log(`${part.name}: ${((Date.now() - from) / 1000).toFixed(1)} s`);
    }
} catch (error) {
    check('the test itself', false, error.stack);
} finally {
    await browser.close();
}
for (const finding of findings) console.log(`FAILED: ${finding}`);
console.log(`in the browser ${checks() - findings.length} checks held, ${findings.length} did not`);
process.exitCode = findings.length > 0 ? 1 : 0;
