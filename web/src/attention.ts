// SPDX-License-Identifier: PostgreSQL
// What somebody has to look at, the worst first; each thing once.
import { shortText } from './clock';
import { link } from './route';
import type { Alert, Job, Run, View } from './types';

export interface Attention {
    key: string;
    state: string;
    name: string;
    href: string;
    text: string;
    since: string | null;
}

const order: Record<string, number> = { failing: 0, critical: 0, suspended: 1, stale: 1, warning: 2, warn: 2 };

/** What the database says of itself; alerts and views may be left out. */
export interface Findings {
    /** Those that fail or are suspended. */
    jobs: Job[];
    /** The latest, newest first. */
    failures: Run[];
    alerts: Alert[];
    views: View[];
}

/** Which failed since it last went well, why, and what comes after it. */
function jobText(job: Job, { failures }: Findings, alert: Alert | undefined) {
    const own = failures.filter((run) => run.job === job.name && (run.slot ?? '') > (job.last_succeeded_at ?? ''));
    const number = job.consecutive_failures ?? 0;
    const behind = job.downstream ?? [];
    const words = [
        number > 1 ? `failed ${number} times in a row` : '',
        shortText(own[0]?.message ?? alert?.summary),
        behind.length > 0 ? `${behind.join(', ')} ${behind.length > 1 ? 'come' : 'comes'} after it` : '',
    ];
    return { text: words.filter(Boolean).join('; '), since: own.at(-1)?.slot ?? alert?.since ?? job.last_started_at };
}

function ofJob(database: string, job: Job, found: Findings, alert: Alert | undefined): Attention {
    const href = link(database, 'job', [job.name]);
    // While it is tried again it runs, and still fails.
    const state = job.state === 'suspended' ? job.state : 'failing';
    return { key: `job ${job.name}`, state, name: job.name, href, ...jobText(job, found, alert) };
}

function ofAlert(database: string, alert: Alert): Attention {
    const job = alert.labels?.job;
    return {
        key: `alert ${alert.alert}`,
        state: alert.severity,
        name: alert.subject ?? alert.rule,
        href: job ? link(database, 'job', [job]) : link(database, 'alerts'),
        text: shortText(alert.summary ?? alert.rule),
        since: alert.since,
    };
}

function ofView(database: string, view: View): Attention {
    return {
        key: `view ${view.schema}.${view.relation}`,
        state: view.freshness as string,
        name: view.relation,
        href: link(database, 'view', [view.schema, view.relation]),
        text: shortText(view.reason),
        since: view.refreshed_at,
    };
}

export function attentionOf(database: string, found: Findings): Attention[] {
    const told = found.alerts.filter((alert) => alert.state === 'firing' && alert.silence == null);
    const names = new Set(found.jobs.map((job) => job.name));
    const alertOf = (job: Job) => told.find((alert) => alert.labels?.job === job.name);
    const list = [
        ...found.jobs.map((job) => ofJob(database, job, found, alertOf(job))),
        ...told.filter((alert) => !names.has(alert.labels?.job ?? '')).map((alert) => ofAlert(database, alert)),
        ...found.views
            .filter((view) => view.freshness === 'stale' || view.freshness === 'warn')
            .map((view) => ofView(database, view)),
    ];
    return list.sort((a, b) => (order[a.state] ?? 3) - (order[b.state] ?? 3) || a.name.localeCompare(b.name));
}
