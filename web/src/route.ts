// SPDX-License-Identifier: PostgreSQL
// Where one is: #/DATABASE/PAGE/ARGUMENT...?FILTER. All of it is in the fragment: the server has one page only.
import { signal } from '@preact/signals';

export interface Route {
    database: string;
    page: string;
    args: string[];
    filter: Record<string, string>;
}

function decode(text: string): string {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

export function parse(hash: string): Route {
    const [path, query] = hash.replace(/^#\/?/, '').split('?');
    const [database = '', page = 'overview', ...args] = path.split('/').map(decode);
    return { database, page: page || 'overview', args, filter: Object.fromEntries(new URLSearchParams(query ?? '')) };
}

/** /tiles?show=...&kiosk, for who types an address, is the page Tiles of the first database. */
if (location.pathname === '/tiles') history.replaceState(null, '', `/#//tiles${location.search}`);

export const route = signal<Route>(parse(location.hash));

addEventListener('hashchange', () => {
    route.value = parse(location.hash);
});

export function link(
    database: string,
    page = '',
    args: (string | number)[] = [],
    filter: Record<string, string> = {},
): string {
    const parts = [database, ...(page && page !== 'overview' ? [page] : []), ...args];
    const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== '')).toString();
    return `#/${parts.map((part) => encodeURIComponent(part)).join('/')}${query ? `?${query}` : ''}`;
}

/** A job names the views that it keeps as SCHEMA.NAME. */
export function viewLink(database: string, name: string): string {
    const dot = name.indexOf('.');
    return link(database, 'view', [name.slice(0, dot), name.slice(dot + 1)]);
}

/** The place of a run in a list, for what comes behind it. */
export const cursorOf = (run: { job: string; slot: string | null; run_id: number | null }) =>
    `${run.slot},${run.run_id ?? `!${run.job}`}`;

/** A run is named by its kind and its slot; a slot that was missed has its job's page alone. */
export function runLink(
    database: string,
    run: { job: string; trigger: string | null; slot: string | null; run_id: number | null },
): string {
    if (run.run_id == null || !run.trigger || !run.slot) return link(database, 'job', [run.job]);
    return link(database, 'job', [run.job, 'run', run.trigger, run.slot]);
}

/** Changes the filter where one is: no page to go back to for each letter. */
export function setFilter(change: Record<string, string>): void {
    const { database, page, args, filter } = route.value;
    history.replaceState(null, '', link(database, page, args, { ...filter, ...change }));
    route.value = parse(location.hash);
}

export function go(target: string): void {
    location.hash = target;
}
