// SPDX-License-Identifier: PostgreSQL
// A state is a shape and a word, never a colour alone.
type Tone = 'good' | 'bad' | 'warn' | 'live' | 'quiet';

const shapes: Record<string, string> = {
    check: 'M2.5 7.5 5.5 10.5 11.5 3.5',
    cross: 'M3 3 11 11M11 3 3 11',
    hourglass: 'M3.5 2h7M3.5 12h7M4 2c0 3 6 7 6 10M10 2c0 3-6 7-6 10',
    barred: 'M7 1.8a5.2 5.2 0 1 0 0 10.4A5.2 5.2 0 1 0 7 1.8M3.5 10.5 10.5 3.5',
    over: 'M2 9c1-5 8-5 9.5-.5M12 5v4H8',
    empty: 'M7 2.2a4.8 4.8 0 1 0 0 9.6A4.8 4.8 0 1 0 7 2.2M2 12 12 2',
    question: 'M4.5 5c0-4 5.5-3.5 5 0C9.2 6.8 7 6.8 7 8.8M7 11.5v.2',
    play: 'M4 2.5v9l7-4.5z',
    again: 'M11.5 7a4.5 4.5 0 1 1-1.5-3.4M10.5 1v3h-3',
    pause: 'M4.5 2.5v9M9.5 2.5v9',
    clock: 'M7 1.8a5.2 5.2 0 1 0 0 10.4A5.2 5.2 0 1 0 7 1.8M7 4v3.2l2.2 1.3',
    wave: 'M1.5 5.5c2-2.5 3.5 2 5.5 0s3.5 0 5.5-1M1.5 9.5c2-2.5 3.5 2 5.5 0s3.5 0 5.5-1',
    bang: 'M7 2v6M7 11v.3',
    dot: 'M7 5.4a1.6 1.6 0 1 0 0 3.2A1.6 1.6 0 1 0 7 5.4M6.5 7h1',
    dash: 'M3 7h8',
};

const states: Record<string, [string, Tone, string?]> = {
    succeeded: ['check', 'good'],
    ok: ['check', 'good'],
    fresh: ['check', 'good'],
    resolved: ['check', 'good'],
    failed: ['cross', 'bad'],
    failing: ['cross', 'bad'],
    error: ['cross', 'bad'],
    fail: ['cross', 'bad'],
    critical: ['cross', 'bad'],
    stale: ['wave', 'bad'],
    firing: ['bang', 'bad'],
    timed_out: ['hourglass', 'bad', 'timed out'],
    lost: ['question', 'bad'],
    cancelled: ['barred', 'warn'],
    skipped: ['over', 'quiet'],
    missed: ['empty', 'warn'],
    running: ['play', 'live'],
    waiting: ['clock', 'live'],
    queued: ['clock', 'live'],
    requested: ['clock', 'live'],
    retrying: ['again', 'live'],
    pending: ['clock', 'warn'],
    late: ['clock', 'warn'],
    suspended: ['pause', 'warn'],
    silenced: ['pause', 'quiet'],
    warn: ['bang', 'warn'],
    warning: ['bang', 'warn'],
    info: ['dot', 'quiet'],
    disabled: ['dash', 'quiet'],
    removed: ['dash', 'quiet'],
    healthy: ['check', 'good'],
    excellent: ['check', 'good'],
    good: ['check', 'good'],
    pass: ['check', 'good'],
    installed: ['check', 'good'],
    degraded: ['bang', 'warn'],
    needs_attention: ['bang', 'bad'],
    down: ['cross', 'bad'],
    dormant: ['pause', 'quiet'],
    leads: ['dot', 'good'],
    unled: ['cross', 'bad', 'nobody leads'],
    away: ['cross', 'bad', 'not reachable'],
};

export const toneOf = (state: string | null | undefined): Tone => states[state ?? '']?.[1] ?? 'quiet';
export const wordOf = (state: string) => states[state]?.[2] ?? state.replace(/_/g, ' ');
export const shapeOf = (state: string) => shapes[states[state]?.[0] ?? 'dot'];

export function Shape({ state }: { state: string }) {
    return (
        <svg class="shape" viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">
            <path d={shapeOf(state)} />
        </svg>
    );
}

export function Mark({ state, word }: { state: string | null | undefined; word?: string }) {
    if (!state) return <span class="quiet">–</span>;
    return (
        <span class={`mark ${toneOf(state)}`}>
            <Shape state={state} />
            {word ?? wordOf(state)}
        </span>
    );
}
