// SPDX-License-Identifier: PostgreSQL
// What somebody has to look at, the worst first; each thing once.
import { link } from './route';
import type { Alert, Job, View } from './types';

export interface Attention {
    key: string;
    state: string;
    name: string;
    href: string;
    text: string;
    since: string | null;
}

const order: Record<string, number> = { failing: 0, critical: 0, suspended: 1, stale: 1, warning: 2, warn: 2 };

export function attentionOf(database: string, jobs: Job[], alerts: Alert[], views: View[]): Attention[] {
    const told = alerts.filter((alert) => alert.state === 'firing' && alert.silence == null);
    const about = new Map(told.filter((alert) => alert.labels?.job).map((alert) => [alert.labels?.job, alert]));
    const list: Attention[] = [];
    for (const job of jobs.filter((it) => it.state === 'failing' || it.state === 'suspended')) {
        const alert = about.get(job.name);
        const failures = job.consecutive_failures
            ? `${job.consecutive_failures} ${job.consecutive_failures === 1 ? 'failure' : 'failures in a row'}`
            : '';
        list.push({
            key: `job ${job.name}`,
            state: job.state,
            name: job.name,
            href: link(database, 'job', [job.name]),
            text: [failures, alert?.summary].filter(Boolean).join('; '),
            since: alert?.since ?? job.last_started_at,
        });
        about.delete(job.name);
    }
    for (const alert of told.filter((it) => !it.labels?.job || about.has(it.labels.job))) {
        const job = alert.labels?.job;
        list.push({
            key: `alert ${alert.alert}`,
            state: alert.severity,
            name: alert.subject ?? alert.rule,
            href: job ? link(database, 'job', [job]) : link(database, 'alerts'),
            text: alert.summary ?? alert.rule,
            since: alert.since,
        });
    }
    for (const view of views.filter((it) => it.freshness === 'stale' || it.freshness === 'warn')) {
        list.push({
            key: `view ${view.schema}.${view.relation}`,
            state: view.freshness as string,
            name: view.relation,
            href: link(database, 'view', [view.schema, view.relation]),
            text: view.reason ?? '',
            since: view.refreshed_at,
        });
    }
    return list.sort((a, b) => (order[a.state] ?? 3) - (order[b.state] ?? 3) || a.name.localeCompare(b.name));
}
