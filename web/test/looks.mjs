// SPDX-License-Identifier: PostgreSQL
// Every page, light and dark, wide and 390 pixels: no fault that axe knows, nothing that scrolls sideways but tables.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { check, show } from './checks.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const pages = [
    ['#/app', '.timeline'],
    ['#/app/jobs', 'tbody tr'],
    ['#/app/job/broken', 'svg.chart'],
    ['#/app/job/after', '.facts'],
    ['#/app/runs', 'tbody tr'],
    ['#/app/runs?state=skipped,missed', '.empty, tbody tr'],
    ['#/app/views', '.empty, tbody tr'],
    // Those whose queries go wrong are 503, which the console has.
    ['#/app/tiles?show=shop_tiles/0,shop_tiles/1,shop_tiles/9,shop_tiles/10,shop_tiles/11,shop_tiles/12', '.box'],
    ['#/app/graph', 'svg.graph'],
    ['#/app/alerts', 'nav[aria-label="Which alerts"]'],
    ['#/app/history', 'svg.leaderships'],
    ['#/app/doctor', 'h2'],
    ['#/app/no-such-page', 'main a'],
];

/** By evaluate: the policy refuses a script tag, as it should. */
async function inspect(page, what) {
    await page.evaluate(axe);
    const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    const said = found.violations.map(({ id, nodes }) => {
        const places = nodes.map((node) => `${node.html} ${node.failureSummary}`).slice(0, 3);
        return `${id} (${places.join(' ')})`;
    });
    check(`axe: ${what}`, said.length === 0, said.join('; '));
}

async function narrow(page, what) {
    const { wide, room, beyond } = await page.evaluate(() => {
        const { scrollWidth: wide, clientWidth: room } = document.documentElement;
        const beyond = [...document.body.querySelectorAll('*')].filter(
            (element) => element.getBoundingClientRect().right > room + 1 && !element.closest('.wide, svg'),
        );
        return { wide, room, beyond: beyond.slice(0, 5).map((element) => element.outerHTML.slice(0, 120)) };
    });
    const said = `it is ${wide} wide: ${beyond.join(' ')}`;
    check(`${what} does not scroll sideways at ${room} pixels`, wide <= room, said);
}

/** Two pictures, where somebody wants them. */
async function pictures(page, address) {
    const folder = process.env.PGCHIME_SCREENSHOTS;
    if (!folder) return;
    await show(page, address, '#/app', '.timeline');
    await page.screenshot({ path: `${folder}/overview.png` });
    await show(page, address, '#/app/job/broken', 'svg.chart');
    await page.screenshot({ path: `${folder}/job.png` });
}

export async function looks({ open, address }) {
    const light = await open({ colorScheme: 'light' });
    const dark = await open({ colorScheme: 'dark', viewport: { width: 390, height: 800 } });
    for (const [hash, wanted] of pages) {
        for (const [page, name] of [
            [light, 'light'],
            [dark, 'dark, narrow'],
        ]) {
            await show(page, address, hash, wanted);
            await inspect(page, `${hash}, ${name}`);
            await narrow(page, hash);
        }
        check(`${hash} has one heading`, (await light.locator('h1').count()) === 1);
    }
    await pictures(light, address);
    await light.context().close();
    await dark.context().close();
}
