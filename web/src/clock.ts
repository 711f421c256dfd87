// SPDX-License-Identifier: PostgreSQL
// The time as the database has it, and how instants and lengths are written.
import { signal } from '@preact/signals';

/** How far the database's clock is ahead of ours, in milliseconds. */
let ahead = 0;
export const now = signal(Date.now());
export type Zone = 'local' | 'UTC' | 'job';
const zones: Zone[] = ['local', 'UTC', 'job'];
export const zone = signal<Zone>(zones.find((it) => it === localStorage.getItem('zone')) ?? 'local');
/** Of the job that is looked at; '' elsewhere, and then the job's is the local one. */
export const jobZone = signal('');

setInterval(() => {
    if (!document.hidden) now.value = Date.now() + ahead;
}, 1000);

/** Status says what time it is there. */
export function heard(body: unknown): void {
    const [first] = (body as { databases?: { database_now?: string }[] }).databases ?? [];
    if (!first?.database_now) return;
    const offset = Date.parse(first.database_now) - Date.now();
    if (Math.abs(offset - ahead) > 1500) ahead = offset;
}

export const zoneAfter = (value: Zone): Zone => zones[(zones.indexOf(value) + 1) % zones.length];

export function setZone(value: Zone): void {
    zone.value = value;
    localStorage.setItem('zone', value);
}

const formats = new Map<string, Intl.DateTimeFormat>();
function format(kind: 'time' | 'day' | 'full', timeZone: string | undefined): Intl.DateTimeFormat {
    const key = `${kind} ${timeZone}`;
    let found = formats.get(key);
    if (!found) {
        const clock = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const;
        const day = { day: 'numeric', month: 'short' } as const;
        const options =
            kind === 'time' ? clock : kind === 'day' ? { ...day, year: 'numeric' as const } : { ...day, ...clock };
        found = new Intl.DateTimeFormat('en-GB', { ...options, timeZone });
        formats.set(key, found);
    }
    return found;
}

export const zoneName = () =>
    zone.value === 'UTC' ? 'UTC' : zone.value === 'job' && jobZone.value ? jobZone.value : undefined;

/** 14:34:30 today, else with its day. */
export function instantText(instant: string, timeZone = zoneName()): string {
    const at = new Date(instant);
    const sameDay = format('day', timeZone).format(at) === format('day', timeZone).format(new Date(Date.now() + ahead));
    const text = format(sameDay ? 'time' : 'full', timeZone)
        .format(at)
        .replace(',', '');
    const year = at.getUTCFullYear();
    return Math.abs(at.getTime() - Date.now()) > 300 * 86400e3 ? `${text} ${year}` : text;
}

export function lengthText(ms: number): string {
    if (ms < 1) return `${ms.toFixed(1)} ms`;
    if (ms < 1000) return `${Math.round(ms)} ms`;
    if (ms < 10e3) return `${(ms / 1000).toFixed(1)} s`;
    return spanText(ms);
}

/** Whole seconds, or the two largest units. */
export function spanText(ms: number): string {
    const seconds = Math.round(ms / 1000);
    if (seconds < 60) return `${seconds} s`;
    const units: [string, number][] = [
        ['d', 86400],
        ['h', 3600],
        ['min', 60],
        ['s', 1],
    ];
    const first = units.findIndex(([, size]) => seconds >= size);
    const [name, size] = units[first];
    const [smaller, smallerSize] = units[first + 1];
    const rest = Math.floor((seconds % size) / smallerSize);
    return `${Math.floor(seconds / size)} ${name}${rest && seconds < size * 20 ? ` ${rest} ${smaller}` : ''}`;
}

export function relativeText(instant: string, at: number): string {
    const ms = Date.parse(instant) - at;
    if (Math.abs(ms) < 1000) return 'now';
    return ms > 0 ? `in ${spanText(ms)}` : `${spanText(-ms)} ago`;
}

/** What a list has room for: all of it is on the page of its own. */
export const shortText = (text: string | null | undefined, most = 300) =>
    text && text.length > most ? `${text.slice(0, most)}…` : (text ?? '');

export const count = (value: number | null | undefined) => (value == null ? '–' : value.toLocaleString('en-GB'));

export function bytesText(value: number | null): string {
    if (value == null) return '–';
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    let size = value;
    let unit = 0;
    while (size >= 1024 && unit < units.length - 1) {
        size /= 1024;
        unit++;
    }
    return `${size < 10 && unit ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}
