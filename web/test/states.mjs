// SPDX-License-Identifier: PostgreSQL
// What a page says when there is nothing, when it may not say it, when it cannot know, and when nobody leads.
import { check, show, until } from './checks.mjs';

const problem = (status, detail, hint) => ({
    status,
    contentType: 'application/problem+json',
    body: JSON.stringify({ status, detail, hint }),
});

/** The server's own answer, changed. */
const changed = (change) => async (route) => {
    const headers = { ...route.request().headers() };
    delete headers['if-none-match'];
    const answer = await route.fetch({ headers });
    await route.fulfill({ response: answer, json: change(await answer.json()) });
};

async function readingFails(page, address) {
    await show(page, address, '#/app/jobs', 'tbody tr');
    await page.route('**/api/v1/d/app/jobs*', (route) => route.fulfill(problem(503, 'it was cancelled', 'ask again')));
    await page.waitForSelector('.as-of');
    const said = await page.locator('.as-of').innerText();
    check('old data says how old, and why', /as of .*reading fails since: it was cancelled/.test(said), said);
    check('old data stays', (await page.locator('tbody tr').count()) > 0);
    await page.unroute('**/api/v1/d/app/jobs*');
    await page.waitForSelector('.as-of', { state: 'detached' });
}

async function mayNot(page, address) {
    const why = problem(403, 'role tiles may not see runs', 'pgchime web token NAME --role view');
    await page.route('**/api/v1/d/app/runs*', (route) => route.fulfill(why));
    await show(page, address, '#/app/runs', '.notice');
    const said = await page.locator('.notice').innerText();
    check('what may not be seen is no empty list', /You may not see this.*--role view/s.test(said), said);
    await page.unroute('**/api/v1/d/app/runs*');
}

async function nothingYet(page, address) {
    await page.route('**/api/v1/d/app/jobs*', changed((body) => ({ ...body, jobs: [] })));
    await show(page, address, '#/app/jobs', '.empty');
    const said = await page.locator('.empty').innerText();
    check('an empty list says how the first is made', said.includes('conf.d/jobs.conf'), said);
    await page.unroute('**/api/v1/d/app/jobs*');
}

async function disconnected(page, address) {
    await show(page, address, '#/app/jobs', 'tbody tr');
    await page.route('**/api/**', (route) => route.abort('connectionrefused'));
    await page.waitForSelector('text=not connected for');
    await page.waitForFunction(() => document.title.startsWith('(!)'));
    check('what was there stays', (await page.locator('tbody tr').count()) > 0);
    await page.unroute('**/api/**');
    await page.waitForSelector('text=not connected for', { state: 'detached' });
    await page.waitForFunction(() => !document.title.startsWith('(!)'));
}

async function scriptIsGone(page, address) {
    await page.route('**/history-*.js', (route) => route.fulfill({ status: 404, body: '' }));
    await show(page, address, '#/app/history', '.notice');
    const said = await page.locator('.notice').innerText();
    check('a page whose script is gone says so, and the way out', /upgraded.*load all of it again/s.test(said), said);
    await page.unroute('**/history-*.js');
    await page.click('.notice button');
    await page.waitForSelector('section[aria-label="Who led"]');
}

/** The page reads when it is told to, not from time to time; hidden, it gives its stream back. */
async function followsTheStream(page, address) {
    let streams = 0;
    const ended = [];
    page.on('request', (request) => {
        if (request.url().includes('/stream?')) streams++;
    });
    page.on('requestfailed', (request) => {
        if (request.url().includes('/stream?')) ended.push(request);
    });
    await show(page, address, '#/app/jobs', 'tbody tr');
    await until(page, 'it opens a stream', () => streams > 0);
    const hide = (hidden) =>
        page.evaluate((it) => {
            Object.defineProperty(document, 'hidden', { value: it, configurable: true });
            document.dispatchEvent(new Event('visibilitychange'));
        }, hidden);
    const before = streams;
    const endedBefore = ended.length;
    await hide(true);
    await until(page, 'it ends its stream', () => ended.length > endedBefore);
    check('a tab that is hidden gives its stream back', streams === before);
    await hide(false);
    await until(page, 'it opens another', () => streams > before);
    check('and takes one again when it is looked at', streams === before + 1, String(streams - before));
}

/** Where streams are refused it asks from time to time. */
async function withoutStream(page, address) {
    await page.route('**/stream?*', (route) => route.fulfill(problem(503, '200 streams are open already')));
    let reads = 0;
    page.on('request', (request) => {
        if (request.url().includes('/d/app/jobs?')) reads++;
    });
    await show(page, address, '#/app/jobs', 'tbody tr');
    await until(page, 'without a stream it reads again', () => reads >= 3);
    await page.unroute('**/stream?*');
}

async function oneOfTwoAway(page, address) {
    const away = { database: 'other', reachable: false, leader: null, problem: 'connection refused' };
    const add = ({ databases, ...rest }) => ({ ...rest, databases: [...databases, { ...databases[0], ...away }] });
    await page.route('**/api/v1/databases', changed(add));
    await show(page, address, '#/', '.card');
    const cards = await page.locator('.card').allInnerTexts();
    const said = cards.join(' | ');
    check(
        'the one that is away says why',
        cards.some((it) => /other[^]*connection refused/.test(it)),
        said,
    );
    check(
        'the other lives',
        cards.some((it) => /^app[^]*running/.test(it)),
        said,
    );
    await page.unroute('**/api/v1/databases');
}

/** A run that has gone on for so long that it is not among the latest ones is drawn from the left edge. */
async function longRunning(page, address) {
    await show(page, address, '#/app', '.timeline');
    let old = null;
    const started_at = new Date(Date.now() - 864e5).toISOString();
    const begunLongAgo = (body) => {
        old ??= { ...body.runs[0], run_id: 1e9, job: 'long-one', state: 'running', started_at, finished_at: null };
        return body;
    };
    await page.route('**/api/v1/d/app/runs?limit=200', changed(begunLongAgo));
    await page.route('**/api/v1/d/app/runs?state=running*', changed((body) => ({ ...body, runs: old ? [old] : [] })));
    await show(page, address, '#/app', '.timeline a[href$="/long-one"]');
    const bar = page.locator('.timeline g:has(> a[href$="/long-one"]) > rect.live');
    await bar.first().waitFor();
    const [from, name] = [await bar.boundingBox(), await page.locator('.timeline #names rect').getAttribute('width')];
    const left = (await page.locator('.timeline').boundingBox()).x + Number(name);
    check('a long run does not reach over the names', from.x >= left, `${from.x} < ${left}`);
    await page.unroute('**/api/v1/d/app/runs?limit=200');
    await page.unroute('**/api/v1/d/app/runs?state=running*');
}

async function nobodyLeads(page, address, ask) {
    await show(page, address, '#/app', '.strip');
    await ask('stop-daemon');
    await page.waitForSelector('.strip.bad:has-text("nobody leads")');
    check('the page lives without a daemon', (await page.locator('.figures').count()) === 1);
}

async function stranger(page, address, token) {
    await page.goto(`${address}/`);
    await page.fill('#token', 'wrong');
    await page.click('button[type=submit]');
    await page.waitForFunction(() => document.querySelector('[role=alert]')?.textContent !== '');
    await page.goto('about:blank');
    await page.goto(`${address}/#token=${encodeURIComponent(token)}`);
    await page.waitForSelector('.figures');
    check('the token does not stay in the address', !page.url().includes('token'), page.url());
    await page.context().close();
}

export async function states({ open, address, ask, token }) {
    if (token) await stranger(await open({}, { stranger: true, quiet: true }), address, token);
    // A browser writes a line for each answer that is not good: here they are meant.
    const page = await open({}, { quiet: true });
    for (const state of [
        readingFails,
        mayNot,
        nothingYet,
        disconnected,
        scriptIsGone,
        followsTheStream,
        withoutStream,
        oneOfTwoAway,
        longRunning,
    ]) await state(page, address);
    await nobodyLeads(page, address, ask);
    await page.context().close();
}
