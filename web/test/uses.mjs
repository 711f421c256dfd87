// SPDX-License-Identifier: PostgreSQL
// What somebody does with it: finds what fails, since when and why; filters; goes by keys; sets the clock.
import { check, show } from './checks.mjs';

const text = (page, what) => page.locator(what).first().innerText();

async function findsTheFailure(page, address) {
    await show(page, address, '#/app', '.attention');
    await page.waitForFunction(() => document.querySelector('.attention')?.textContent.includes('broken'));
    const attention = await text(page, '.attention');
    check('the overview says that broken fails', /failing|suspended/.test(attention), attention);
    await page.click('.attention a:text-is("broken")');
    await page.waitForSelector('.why:has-text("no_such_table")');
    const why = await text(page, '.why .first');
    check('the job says first since when and why', /^It failed .*at slot .*: 42P01 .*no_such_table/.test(why), why);
    await page.click('nav[aria-label="Which runs"] >> text=failed');
    await page.waitForSelector('a[aria-current]:text-is("failed")');
    await page.click('tbody a.row');
    await page.waitForSelector('pre.whole');
    const message = await text(page, 'pre.whole');
    check('the run has its message whole', /42P01.*no_such_table/.test(message), message);
    const attempts = await text(page, 'section[aria-label="Attempt"] tbody tr');
    check('and its attempt', /failed.*no_such_table/s.test(attempts), attempts);
    const ran = await text(page, 'section[aria-label^="What it ran"] pre');
    check('and the text that it ran', ran.includes('TABLE no_such_table'), ran);
    await page.goBack();
    await page.waitForSelector('.why');
    check('back is the job, with its choice', page.url().includes('/job/broken?state='), page.url());
}

async function filters(page, address) {
    await show(page, address, '#/app/jobs', 'tbody tr');
    await page.keyboard.press('/');
    await page.keyboard.type('brok');
    await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
    check('the filter is in the address', page.url().endsWith('?q=brok'), page.url());
    await page.reload();
    await page.waitForSelector('tbody tr');
    check('reload keeps the filter', (await page.locator('tbody tr').count()) === 1);
}

async function goesByKeys(page, address) {
    await show(page, address, '#/app', 'nav');
    await page.keyboard.press('Tab');
    const first = await page.evaluate(() => document.activeElement.className);
    check('the first stop skips to what is here', first === 'skip', first);
    await page.keyboard.press('Enter');
    check('it goes there', (await page.evaluate(() => document.activeElement.id)) === 'main');
    await page.keyboard.press('g');
    await page.keyboard.press('j');
    await page.waitForSelector('h1:text-is("Jobs")');
    await page.waitForSelector('tbody a.row');
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    const name = await page.evaluate(() => document.activeElement.textContent);
    check('j goes from row to row', name === (await page.locator('tbody a.row').nth(1).innerText()), name);
    await page.keyboard.press('Enter');
    await page.waitForSelector(`h1:text-is("${name}")`);
    await page.keyboard.press('?');
    await page.waitForSelector('dialog[open]');
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog', { state: 'detached' });
    await page.keyboard.press('.');
    await page.waitForSelector('text=updates are paused');
    await page.keyboard.press('.');
    await page.waitForSelector('text=updates are paused', { state: 'detached' });
}

/** The next slots of a job of another zone than the browser's. */
async function setsTheClock(page, address) {
    await show(page, address, '#/app/job/tokyo', '.narrow tbody tr');
    const heads = await page.locator('.narrow th').allInnerTexts();
    check('a job with a zone of its own shows it', heads.includes('Asia/Tokyo'), heads.join(', '));
    const slot = page.locator('.narrow tbody tr').first().locator('time');
    const instant = await slot.first().getAttribute('datetime');
    const there = await slot.nth(1).innerText();
    check("a slot is at 04:30 by the job's clock", there.includes('04:30:00'), there);
    const local = await slot.first().innerText();
    check("and by the browser's at another hour", /2[01]:30:00/.test(local), local);
    await page.click('button:has-text("Times: local time")');
    await page.waitForSelector('button:has-text("Times: UTC")');
    const utc = await slot.first().innerText();
    check('UTC is as the ledger has it', utc.includes(instant.slice(11, 19)), `${utc} of ${instant}`);
    await page.reload();
    await page.click('button:has-text("Times: UTC")');
    await page.waitForSelector('button:has-text("Times: Asia/Tokyo")');
    await page.waitForSelector('.narrow tbody tr');
    const own = await slot.first().innerText();
    check("the job's own clock is the third", own.includes('04:30:00'), own);
    await page.click('button:has-text("Times: Asia/Tokyo")');
}

/** Names and messages are text, whatever is in them. */
async function showsMarkupAsText(page, address) {
    await show(page, address, '#/app/job/markup', 'td.message:has-text("<img")');
    check('a message makes no element', (await page.locator('main img, main b').count()) === 0);
    const message = await text(page, 'td.message');
    const shown = message.includes('\\u202egnp') && !message.includes('\u202e');
    check('a message turns no direction around', shown, message);
    check('a message runs nothing', (await page.evaluate(() => globalThis.attacked)) === undefined);
}

export async function uses({ open, address }) {
    const page = await open();
    for (const use of [findsTheFailure, filters, goesByKeys, setsTheClock, showsMarkupAsText]) await use(page, address);
    await page.context().close();
}
