// SPDX-License-Identifier: PostgreSQL
export const findings = [];
let done = 0;
export const checks = () => done;

export function check(what, holds, more = '') {
    done++;
    if (!holds) findings.push(`${what}${more ? `: ${more}` : ''}`);
}

/** Nothing is said on the console, nothing goes wrong unseen, nobody else is asked for anything. */
export function watch(page, address) {
    page.on('console', (message) => check('no console message', false, `${page.url()}: ${message.text()}`));
    page.on('pageerror', (error) => check('no error of the script', false, `${page.url()}: ${error.message}`));
    page.on('request', (request) => {
        if (!request.url().startsWith(`${address}/`)) check('no request elsewhere', false, request.url());
    });
}

/** Waits for what no selector can say, and no longer than a minute. */
export async function until(page, what, holds) {
    const end = Date.now() + 60000;
    while (!holds()) {
        if (Date.now() > end) throw new Error(`within a minute: ${what}`);
        await page.waitForTimeout(50);
    }
}

/** Shows a page anew, else what is waited for may be of the page before, and waits until there is something on it. */
export async function show(page, address, hash, wanted = 'h1') {
    await page.goto('about:blank');
    await page.goto(`${address}/${hash}`);
    await page.waitForSelector(wanted);
}
