// SPDX-License-Identifier: PostgreSQL
// Tiles of a plugin of somebody's (tests/fixtures/plugins/shop_tiles.c), also for who may see nothing else, and what is
// said when the plugin goes.
import { check, show } from './checks.mjs';

const tile = (page, title) => page.locator(`article[aria-label="${title}"]`);

async function shows(page, address) {
    await show(page, address, '#/app/tiles', '.tile svg.chart');
    await tile(page, 'Sales').locator('.large').waitFor();
    const number = await tile(page, 'Sales').locator('.large').innerText();
    check('a number is large', number === '2', number);
    const table = tile(page, 'Sales of a shop');
    await table.locator('tbody tr').waitFor();
    const row = await table.locator('tbody tr').innerText();
    const images = await page.locator('main img').count();
    check('markup in a cell is text', row.includes('<img src=x>') && images === 0, row);
    check('a unit is shown', row.includes('$2.5'), row);
    check('a state is a shape and a word', (await table.locator('.mark .shape').count()) === 1);
    await table.locator('select').selectOption('b');
    await table.locator('tbody th:text-is("b")').waitFor();
    check('the choice is in the address', page.url().includes('shop_tiles%2F1=b'), page.url());
    const charts = await tile(page, 'By day').locator('svg.chart').count();
    check('each column has a chart of its own', charts === 2, charts);
    for (const title of ['By day', 'By shop', 'Spread']) {
        const button = tile(page, title).locator('button');
        await button.focus();
        await page.keyboard.press('Enter');
        await tile(page, title).locator('tbody tr').first().waitFor();
        check(`${title} is a table, too`, (await button.getAttribute('aria-pressed')) === 'true');
    }
    await tile(page, 'Many').locator('.hint').waitFor();
    const cut = await tile(page, 'Many').locator('.hint').innerText();
    check('what is cut says so', /The first 500 rows: there are more/.test(cut), cut);
    await tile(page, 'Broken').locator('.notice').waitFor();
    const broken = await tile(page, 'Broken').locator('.notice').innerText();
    check('what cannot be read says why', /cannot be read.*doctor/s.test(broken), broken);
}

async function isForAWall(page, address) {
    await page.goto('about:blank');
    await page.goto(`${address}/tiles?show=shop_tiles/0,shop_tiles/11&kiosk`);
    await page.waitForSelector('.tile svg.chart');
    check('a wall has what was asked for', (await page.locator('.tile').count()) === 2);
    check('and no bar', !(await page.locator('.bar').isVisible()));
}

async function isAllThatTilesMaySee(open, address, tilesToken) {
    // The answer 403, by which the page learns who it is for, is a message of the console.
    const page = await open({}, { as: tilesToken, quiet: true });
    await show(page, address, '#/', '.tile svg.chart');
    const nav = await page.locator('nav[aria-label="Pages"]').innerText();
    check('the role tiles is offered tiles alone', nav.trim() === 'Tiles', nav);
    await page.goto(`${address}/#/app/jobs`);
    await page.waitForSelector('h1:text-is("Nothing here")');
    await page.context().close();
}

async function goes(page, address, ask) {
    await show(page, address, '#/app/tiles', '.tile svg.chart');
    await ask('take-plugin');
    await page.waitForSelector('.empty:has-text("No plugin that is installed")');
    check('the tiles of a plugin go with it', (await page.locator('.tile').count()) === 0);
}

export async function tiles({ open, address, ask, tilesToken }) {
    const page = await open({}, { quiet: true }); // tiles that fail are 503, which the console has
    await shows(page, address);
    await isForAWall(page, address);
    await isAllThatTilesMaySee(open, address, tilesToken);
    await goes(page, address, ask);
    await page.context().close();
}
