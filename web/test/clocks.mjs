// SPDX-License-Identifier: PostgreSQL
// Instants around changes of the clocks, as browsers in three zones show them; and a silence whose text is markup.
import { check, show } from './checks.mjs';

/** The last second before and the first one after a change, and an hour that is there twice. */
const clocksOf = {
    'Europe/Berlin': {
        '2026-03-29T00:59:59Z': '01:59:59',
        '2026-03-29T01:00:00Z': '03:00:00',
        '2026-10-25T00:30:00Z': '02:30:00',
        '2026-10-25T01:30:00Z': '02:30:00',
    },
    'America/New_York': {
        '2026-03-08T06:59:59Z': '01:59:59',
        '2026-03-08T07:00:00Z': '03:00:00',
        '2026-11-01T05:30:00Z': '01:30:00',
        '2026-11-01T06:30:00Z': '01:30:00',
    },
    'Australia/Lord_Howe': {
        '2026-04-04T14:59:59Z': '01:59:59',
        '2026-04-04T15:00:00Z': '01:30:00',
        '2026-10-03T15:29:59Z': '01:59:59',
        '2026-10-03T15:30:00Z': '02:30:00',
    },
};

async function showsTheClockOf(timezoneId, open, address) {
    const page = await open({ timezoneId });
    const wanted = clocksOf[timezoneId];
    await page.route('**/api/v1/d/app/runs?*', async (route) => {
        const headers = { ...route.request().headers() };
        delete headers['if-none-match'];
        const answer = await route.fetch({ headers });
        const body = await answer.json();
        const runs = Object.keys(wanted).map((slot, i) => ({ ...body.runs[0], run_id: 900 + i, slot }));
        await route.fulfill({ response: answer, json: { ...body, runs } });
    });
    await show(page, address, '#/app/runs', 'tbody time');
    for (const [slot, clock] of Object.entries(wanted)) {
        const time = page.locator(`tbody time[datetime="${slot}"]`).first();
        const said = await time.innerText();
        check(`${slot} is ${clock} in ${timezoneId}`, said.includes(clock), said);
        check('and its title has it without doubt', (await time.getAttribute('title')) === slot);
    }
    // An answer that is still being changed would be gone with the context.
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await page.context().close();
}

async function silenceIsText(open, address) {
    const page = await open();
    const markup = '<img src=x onerror="globalThis.attacked = 1"><b>quiet</b>';
    const until = new Date(Date.now() + 3600e3).toISOString();
    const answer = await page.context().request.post(`${address}/api/v1/d/app/silences`, {
        data: { reason: markup, matchers: { job: `no-such ${markup}` }, until },
        headers: { Origin: address },
    });
    check('a silence with markup is taken', answer.status() === 202, await answer.text());
    const said = page.locator('section[aria-label="What people did"] tbody tr:has-text("silence")').first();
    await show(page, address, '#/app/history', 'section[aria-label="What people did"] tbody tr');
    await said.waitFor();
    check('it is shown as it was written', (await said.innerText()).includes(markup), await said.innerText());
    await show(page, address, '#/app/alerts', 'h1');
    for (const hash of ['#/app/history', '#/app/alerts']) {
        await show(page, address, hash, 'main h1');
        check('and makes no element', (await page.locator('main img, main b').count()) === 0, hash);
    }
    check('and runs nothing', (await page.evaluate(() => globalThis.attacked)) === undefined);
    await page.context().close();
}

export async function clocks({ open, address }) {
    for (const zone of Object.keys(clocksOf)) await showsTheClockOf(zone, open, address);
    await silenceIsText(open, address);
}
