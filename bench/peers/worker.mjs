// worker.mjs PRODUCT: graphile-worker or pg-boss, set up as its documentation recommends, with a schedule for each
// row of table wanted (name, schedule, batch). A run writes (batch, clock_timestamp()) into table effect. Prints
// "ready" once it has its schedules; a notification on channel wanted brings one more, where the product can take one
// while it runs. The server is that of PGHOST, PGPORT, PGUSER and PGDATABASE.
// SPDX-License-Identifier: PostgreSQL
import pg from 'pg';
import { parseCronItems, run } from 'graphile-worker';
import { PgBoss } from 'pg-boss';

const SESSIONS = 8; // as many as pgchime has
const pool = new pg.Pool({ max: SESSIONS });
const effect = (batch) => pool.query({
    name: 'effect', text: 'INSERT INTO effect (batch, at) VALUES ($1, clock_timestamp())', values: [batch],
});
const wanted = async () => (await pool.query('SELECT name, schedule, batch FROM wanted ORDER BY name')).rows;

async function graphileWorker() {
    await run({
        pgPool: pool, concurrency: SESSIONS, noHandleSignals: true,
        taskList: { effect: ({ batch }) => effect(batch) },
        parsedCronItems: parseCronItems((await wanted()).map(({ name, schedule, batch }) => (
            { task: 'effect', match: schedule, identifier: name, payload: { batch } }))),
    });
}

async function pgBoss() {
    const boss = new PgBoss({ max: SESSIONS, useListenNotify: true });
    boss.on('error', (error) => console.error(error));
    await boss.start();
    await boss.createQueue('effect', { notify: true });
    const schedule = (row) => boss.schedule('effect', row.schedule, { batch: row.batch }, { key: row.name });
    const rows = await wanted();
    for (let at = 0; at < rows.length; at += SESSIONS)
        await Promise.all(rows.slice(at, at + SESSIONS).map(schedule));
    await boss.work('effect', { batchSize: 100, localConcurrency: 2, pollingIntervalSeconds: 0.5 },
        (jobs) => Promise.all(jobs.map(({ data }) => effect(data.batch))));
    const listener = new pg.Client();
    await listener.connect();
    listener.on('notification', ({ payload }) => schedule(JSON.parse(payload)));
    await listener.query('LISTEN wanted');
}

await { 'graphile-worker': graphileWorker, 'pg-boss': pgBoss }[process.argv[2]]();
console.log('ready');
