// SPDX-License-Identifier: PostgreSQL
// What is read from the server: each path once, however many look at it; again when the stream says that it changed,
// and where there is no stream every two seconds.
import { type Signal, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { heard } from './clock';
import type { Action } from './types';
import { follow, onVersion, paused, told } from './stream';

export interface Problem {
    status: number;
    detail: string;
    hint?: string;
    id?: string;
}

export interface Resource<T> {
    data: Signal<T | undefined>;
    /** When the server last said that this is so. */
    asOf: Signal<number>;
    problem: Signal<Problem | undefined>;
}

interface Kept extends Resource<unknown> {
    path: string;
    tag: string;
    watchers: number;
    busy: boolean;
    /** It changed while it was read. */
    again: boolean;
    readAt: number;
    /** As the stream said it last. */
    version: string;
    every: number;
    /** Of what is dear to make: a few are read at a time. */
    dear?: boolean;
    /** The stream is about it. */
    followed?: boolean;
}

/** How often what changes with each run is read; what is dear to make says a longer time. */
const PERIOD = 2000;
const PERIOD_AWAY = 5000;
const PERIOD_DEAR = 10000;
/** What is read so seldom is not followed. */
const SELDOM = 60000;
const KEPT = 60;
const kept = new Map<string, Kept>();

/** Since when the server cannot be reached; 0: it can. */
export const awaySince = signal(0);
/** The server wants to know who asks. */
export const signedOut = signal(false);
/** Who asks may see tiles, and nothing else. */
export const tilesOnly = signal(false);

async function problemOf(answer: Response): Promise<Problem> {
    const text = await answer.text();
    try {
        const said = JSON.parse(text);
        return {
            status: answer.status,
            detail: String(said.detail ?? said.title ?? answer.statusText),
            hint: said.hint,
            id: said.id,
        };
    } catch {
        return { status: answer.status, detail: answer.statusText || `the server answered ${answer.status}` };
    }
}

function take(it: Kept, answer: Response, body: unknown): void {
    it.tag = answer.headers.get('etag') ?? '';
    it.data.value = body;
    heard(body);
}

async function read(it: Kept): Promise<void> {
    if (it.busy) return;
    it.busy = true;
    it.readAt = Date.now();
    try {
        const answer = await fetch(`/api/v1${it.path}`, {
            headers: it.tag ? { 'If-None-Match': it.tag } : {},
            cache: 'no-store',
            signal: AbortSignal.timeout(it.dear ? 60000 : 15000),
        });
        awaySince.value = 0;
        if (answer.status === 401) signedOut.value = true;
        if (answer.status !== 304 && !answer.ok) {
            it.problem.value = await problemOf(answer);
            return;
        }
        if (answer.status !== 304) take(it, answer, await answer.json());
        it.asOf.value = Date.now();
        it.problem.value = undefined;
    } catch {
        awaySince.value ||= Date.now();
    } finally {
        it.busy = false;
    }
    if (it.again) {
        it.again = false;
        void read(it);
    }
}

/** What is dear may be slow, too: a browser has six connections, and leaves some for the rest. */
const DEAR_AT_ONCE = 3;
const waiting = new Set<Kept>();
let dear = 0;
function readInTurn(it: Kept): void {
    if (!it.dear) {
        void read(it);
        return;
    }
    if (it.busy) return;
    if (dear >= DEAR_AT_ONCE) {
        waiting.add(it);
        return;
    }
    dear++;
    waiting.delete(it);
    void read(it).finally(() => {
        dear--;
        const [next] = waiting;
        if (next) readInTurn(next);
    });
}

/** Reads what is looked at and was not read a moment ago; where changes are told, only what could not be read then. */
export function readAgain(atOnce = false): void {
    for (const it of kept.values()) {
        const period = awaySince.value ? PERIOD_AWAY : it.every;
        const failed = awaySince.value > 0 || it.problem.value !== undefined;
        const needed = atOnce || !told.value || !it.followed || failed;
        if (it.watchers > 0 && needed && (atOnce || Date.now() - it.readAt >= period - 100)) readInTurn(it);
    }
}

onVersion((path, version) => {
    const it = kept.get(path);
    if (!it || it.version === version) return;
    it.version = version;
    // Until now it was as it was read last.
    if (it.problem.value === undefined && it.data.value !== undefined) it.asOf.value = Date.now();
    // Its ETag begins with it: it was read a moment ago.
    if (it.tag.includes(version) && it.problem.value === undefined) return;
    if (it.busy) it.again = true;
    else readInTurn(it);
});

setInterval(() => {
    if (!document.hidden && !paused.value && !signedOut.value) readAgain();
}, 1000);
document.addEventListener('visibilitychange', () => {
    if (!document.hidden && !paused.value) readAgain();
});

function find(path: string, every: number): Kept {
    let it = kept.get(path);
    if (!it) {
        const values = { data: signal(undefined), asOf: signal(0), problem: signal(undefined) };
        it = { path, tag: '', watchers: 0, busy: false, again: false, readAt: 0, version: '', every, ...values };
        kept.set(path, it);
        for (const [name, other] of kept) {
            if (kept.size <= KEPT) break;
            if (other.watchers === 0 && other !== it) kept.delete(name);
        }
    }
    return it;
}

const nothing: Resource<never> = { data: signal(undefined), asOf: signal(0), problem: signal(undefined) };

/** As many as a stream may be about; the others are read from time to time. */
const FOLLOWED = 64;
/** What who may see nothing else may follow. */
const OF_TILES = /^\/(tiles|d\/[^/]+\/tiles?)(\/|$)/;

function followWatched(): void {
    const watched = [...kept.values()].filter((it) => it.watchers > 0 && it.every < SELDOM);
    const followed = watched.filter((it) => !tilesOnly.value || OF_TILES.test(it.path)).slice(0, FOLLOWED);
    for (const it of kept.values()) it.followed = followed.includes(it);
    follow(followed.map((it) => it.path));
}

/** A path below /api/v1; '' for none. */
export function useResource<T>(path: string, every = PERIOD): Resource<T> {
    const it = path ? find(path, every) : undefined;
    useEffect(() => {
        if (!it) return undefined;
        it.watchers++;
        followWatched();
        if (Date.now() - it.readAt >= PERIOD || it.data.value === undefined) void read(it);
        return () => {
            it.watchers--;
            followWatched();
        };
    }, [it]);
    return (it ?? nothing) as Resource<T>;
}

/** As useResource, of what is dear to make: it is read in its turn, and where it is not followed not so often. */
export function useDear<T>(path: string): Resource<T> {
    const it = find(path, PERIOD_DEAR);
    it.dear = true;
    useEffect(() => {
        it.watchers++;
        followWatched();
        if (Date.now() - it.readAt >= PERIOD || it.data.value === undefined) readInTurn(it);
        return () => {
            it.watchers--;
            followWatched();
        };
    }, [it]);
    return it as Resource<T>;
}

/** Whether the server took the token: it then remembers who asks by a cookie. */
export async function signIn(token: string): Promise<Problem | undefined> {
    try {
        const answer = await fetch('/session', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ token }),
        });
        if (!answer.ok) return await problemOf(answer);
        signedOut.value = false;
        tilesOnly.value = false;
        readAgain(true);
        return undefined;
    } catch {
        return { status: 0, detail: 'the server cannot be reached' };
    }
}

/** Asks for something to be done; once, however often it is sent with one key. */
export async function act(
    path: string,
    body: Record<string, unknown>,
    key: string,
): Promise<Problem | { actions: Action[] }> {
    try {
        const answer = await fetch(`/api/v1${path}`, {
            method: 'POST',
            headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
            body: JSON.stringify(body),
        });
        if (!answer.ok) return await problemOf(answer);
        readAgain(true);
        return await answer.json();
    } catch {
        return { status: 0, detail: 'the server cannot be reached', hint: 'try again: it is done once' };
    }
}
