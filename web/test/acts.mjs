// SPDX-License-Identifier: PostgreSQL
// What somebody does from the page, by keyboard alone: it asks why, shows how far it is, and history says who did it.
import { check, show } from './checks.mjs';

async function runsByKeyboard(page, address) {
    await show(page, address, '#/app/job/tokyo', '.acts button');
    await page.locator('.acts button').first().focus();
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog[open] #reason');
    check('what is asked first is why', (await page.evaluate(() => document.activeElement.id)) === 'reason');
    await page.keyboard.press('Enter'); // without a reason nothing is sent
    check('without a reason it stays open', await page.locator('dialog[open]').isVisible());
    await page.keyboard.type('the file <b>came</b> late');
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog', { state: 'detached' });
    await page.waitForSelector('.acted:has-text("succeeded")');
    await show(page, address, '#/app/history', 'section[aria-label="What people did"] tbody tr');
    const said = await page.locator('section[aria-label="What people did"] tbody tr').first().innerText();
    check('history says who, what and why', /tester.*run tokyo.*the file <b>came<\/b> late/s.test(said), said);
}

async function suspendsMany(page, address) {
    await show(page, address, '#/app/jobs?q=tokyo', '.acts button');
    await page.click('.acts button:has-text("suspend 1 job")');
    await page.fill('#reason', 'too early');
    await page.click('dialog button[type=submit]');
    await page.waitForSelector('tbody tr:has-text("suspended")');
    await page.click('.acts button:has-text("resume 1 job")');
    await page.fill('#reason', 'late enough');
    await page.click('dialog button[type=submit]');
    await page.waitForSelector('tbody tr:has-text("ok")');
    check('a job was suspended and resumed', (await page.locator('tbody tr').count()) === 1);
}

async function viewerHasNoButtons(page, address) {
    await show(page, address, '#/app/job/tokyo', '.figures');
    await page.waitForFunction(() => document.querySelector('.why')?.textContent.length > 0);
    check('who only looks has no button', (await page.locator('.acts').count()) === 0);
}

export async function acts({ open, address, viewer }) {
    const page = await open();
    await runsByKeyboard(page, address);
    await suspendsMany(page, address);
    await page.context().close();
    const other = await open({}, { as: viewer });
    await viewerHasNoButtons(other, address);
    await other.context().close();
}
