// SPDX-License-Identifier: PostgreSQL
// What the server says of pages that became others: it sends versions, and what is looked at is then read.
import { effect, signal } from '@preact/signals';

/** Hidden for so long, a tab gives its connection back: a browser has six for one server. */
const HIDDEN_FOR = 5000;
const TOGETHER = 60;
const AGAIN_AFTER = 10000;

/** Whether changes are told; else what is looked at is read from time to time. */
export const told = signal(false);
export const paused = signal(false);

let source: EventSource | undefined;
let wanted: string[] = [];
let open = '';
let timer = 0;
let hiding = 0;
let heard: (path: string, version: string) => void = () => undefined;

function close(): void {
    source?.close();
    source = undefined;
    open = '';
    told.value = false;
}

function connect(): void {
    const topics = wanted.toSorted().join(' ');
    if (topics === open && source && source.readyState !== EventSource.CLOSED) return;
    close();
    if (topics === '' || document.hidden || paused.value) return;
    open = topics;
    source = new EventSource(`/api/v1/stream?topics=${encodeURIComponent(topics)}`);
    source.addEventListener('v', (event) => {
        told.value = true;
        for (const [path, version] of Object.entries(JSON.parse(event.data))) heard(path, String(version));
    });
    source.addEventListener('error', () => {
        told.value = false;
        // The browser tries again by itself, unless it was refused.
        if (source?.readyState === EventSource.CLOSED) {
            source = undefined;
            window.setTimeout(connect, AGAIN_AFTER);
        }
    });
}

function soon(): void {
    window.clearTimeout(timer);
    timer = window.setTimeout(connect, TOGETHER);
}

/** Pages that somebody looks at, as paths below /api/v1. */
export function follow(paths: string[]): void {
    wanted = paths;
    soon();
}

export function onVersion(callback: (path: string, version: string) => void): void {
    heard = callback;
}

document.addEventListener('visibilitychange', () => {
    window.clearTimeout(hiding);
    if (document.hidden) hiding = window.setTimeout(close, HIDDEN_FOR);
    else soon();
});
effect(() => {
    void paused.value;
    soon();
});
