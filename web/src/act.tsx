// SPDX-License-Identifier: PostgreSQL
// What may be done from here: it is asked once, with a reason, and then shown how far it is.
import { signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Mark } from './marks';
import { Hint, At } from './parts';
import { act, type Problem, useResource } from './resource';
import { link } from './route';
import type { Action, Database, Run, Visitor } from './types';

/** Whether who looks may act: else there is no button. */
export function useMayAct(): boolean {
    return useResource<Visitor>('/session', 60000).data.value?.actions ?? false;
}

export interface Order {
    title: string;
    /** Below /api/v1. */
    path: string;
    body?: Record<string, unknown>;
    button: string;
    /** A suspension or a silence may have, or needs, an end. */
    until?: 'may' | 'must';
}

const order = signal<Order | undefined>(undefined);
const done = signal<Action[]>([]);

/** Asks for a reason first. */
export function Act({ order: wanted, children }: { order: Order; children: string }) {
    return (
        <button
            type="button"
            onClick={() => {
                done.value = [];
                order.value = wanted;
            }}
        >
            {children}
        </button>
    );
}

const ends: [string, number][] = [
    ['1 hour', 3600],
    ['8 hours', 28800],
    ['1 day', 86400],
    ['7 days', 604800],
];

function Fields({ of }: { of: Order }) {
    return (
        <>
            <label for="reason">Why</label>
            <input id="reason" name="reason" required maxLength={1000} autocomplete="off" />
            {of.until && (
                <>
                    <label for="until">For</label>
                    <select id="until" name="until">
                        {of.until === 'may' && <option value="">until it is resumed</option>}
                        {ends.map(([word, seconds]) => (
                            <option key={word} value={seconds}>
                                {word}
                            </option>
                        ))}
                    </select>
                </>
            )}
        </>
    );
}

const textOf = (form: HTMLFormElement, name: string) =>
    (form.elements.namedItem(name) as HTMLInputElement | HTMLSelectElement | null)?.value ?? '';

/** Of the page, once. */
export function ActDialog() {
    const dialog = useRef<HTMLDialogElement>(null);
    const problem = useSignal<Problem | undefined>(undefined);
    const busy = useSignal(false);
    const key = useRef('');
    const wanted = order.value;
    useEffect(() => {
        if (!wanted) return;
        problem.value = undefined;
        key.current = crypto.randomUUID?.() ?? String(Math.random());
        dialog.current?.showModal();
    }, [wanted]);
    if (!wanted) return null;
    const submit = async (event: Event) => {
        event.preventDefault();
        if (busy.value) return;
        busy.value = true;
        const form = event.currentTarget as HTMLFormElement;
        const seconds = Number(textOf(form, 'until'));
        const until = seconds ? { until: new Date(Date.now() + seconds * 1000).toISOString() } : {};
        const body = { ...wanted.body, ...until, reason: textOf(form, 'reason').trim() };
        const said = await act(wanted.path, body, key.current);
        busy.value = false;
        if ('actions' in said) {
            done.value = said.actions;
            dialog.current?.close();
        } else problem.value = said;
    };
    return (
        <dialog
            ref={dialog}
            aria-labelledby="act"
            onClose={() => {
                order.value = undefined;
            }}
        >
            <h2 id="act">{wanted.title}</h2>
            <form class="act" onSubmit={submit}>
                <Fields of={wanted} />
                <div role="alert">
                    {problem.value && <p class="bad-text">{problem.value.detail}</p>}
                    <Hint text={problem.value?.hint} />
                </div>
                <p>
                    <button type="submit" disabled={busy.value}>
                        {wanted.button}
                    </button>{' '}
                    <button type="button" onClick={() => dialog.current?.close()}>
                        leave it
                    </button>
                </p>
            </form>
        </dialog>
    );
}

interface ProgressProps {
    database: string;
    base: string;
    action: Action;
    led: boolean;
}

/** A run that was asked for: asked, running, then how it ended. */
function RunProgress({ database, base, action, led }: ProgressProps) {
    const path = `${base}/job/${encodeURIComponent(action.about)}/run/manual/${encodeURIComponent(action.slot ?? '')}`;
    const run = useResource<{ runs: Run[] }>(path).data.value?.runs[0];
    const href = link(database, 'job', [action.about, 'run', 'manual', action.slot ?? '']);
    if (run) {
        return (
            <span>
                <Mark state={run.state} /> <a href={href}>{action.about}</a>
            </span>
        );
    }
    return (
        <span>
            <Mark state="requested" word={led ? 'asked' : 'asked; nobody leads: it waits'} /> {action.about}
        </span>
    );
}

/** What was done from this page, until something else is. */
export function Acted({ database, base }: { database: string; base: string }) {
    const led = useResource<{ databases: Database[] }>('/databases').data.value?.databases.some(
        (it) => it.database === database && it.leader,
    );
    const [first] = done.value;
    if (!first) return null;
    const asked = done.value.filter((it) => it.outcome === 'asked').length;
    return (
        <p class="acted" role="status">
            {first.verb === 'run' ? (
                <RunProgress database={database} base={base} action={first} led={Boolean(led)} />
            ) : (
                <span>
                    <Mark state={asked ? 'requested' : 'ok'} word={first.outcome} /> {first.verb}{' '}
                    {done.value.length > 1 ? `${done.value.length} jobs` : first.about}
                    {asked > 0 && !led && ': nobody leads: it waits'}
                </span>
            )}{' '}
            <span class="quiet">
                <At at={first.at} /> by {first.actor}
            </span>
        </p>
    );
}
