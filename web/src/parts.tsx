// SPDX-License-Identifier: PostgreSQL
// What every page is made of: instants and lengths, and what stands where data is not there yet, or is old.
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { awaySince, type Problem, type Resource } from './resource';
import { instantText, lengthText, now, relativeText, zone } from './clock';

export function At(props: { at: string | null | undefined; none?: string; timeZone?: string }) {
    const { at, none = '–', timeZone } = props;
    void zone.value;
    if (!at) return <span class="quiet">{none}</span>;
    return (
        <time dateTime={at} title={at}>
            {instantText(at, timeZone)}
        </time>
    );
}

const INSTANT = /(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z)/;

/** Words of the server's, which have instants in UTC: here these are by the clock that was chosen. */
export function Words({ text }: { text: string | null | undefined }) {
    return (
        <>
            {(text ?? '')
                .split(INSTANT)
                .map((part, i) => (i % 2 ? <At key={i} at={part.replace(' ', 'T')} /> : part))}
        </>
    );
}

/** How long ago, or in how long; the instant itself is its title. */
export function Ago({ at, none = '–' }: { at: string | null | undefined; none?: string }) {
    if (!at) return <span class="quiet">{none}</span>;
    return (
        <time dateTime={at} title={at}>
            {relativeText(at, now.value)}
        </time>
    );
}

/** When it is due: it is now, until the next slot is known. */
export function Due({ at }: { at: string | null }) {
    if (!at) return <span class="quiet">–</span>;
    return (
        <time dateTime={at} title={at}>
            {Date.parse(at) <= now.value ? 'now' : relativeText(at, now.value)}
        </time>
    );
}

export function Length({ ms }: { ms: number | null | undefined }) {
    return ms == null ? <span class="quiet">–</span> : <span>{lengthText(ms)}</span>;
}

export function Hint({ text }: { text: string | null | undefined }) {
    return text ? <p class="hint">{text}</p> : null;
}

export function Empty({ children, hint }: { children: ComponentChildren; hint?: ComponentChildren }) {
    return (
        <div class="empty">
            <p>{children}</p>
            {hint && <p class="hint">{hint}</p>}
        </div>
    );
}

/** A word only when it takes long: what comes at once needs none. */
function Waiting() {
    const long = useSignal(false);
    useEffect(() => {
        const timer = setTimeout(() => {
            long.value = true;
        }, 300);
        return () => clearTimeout(timer);
    }, []);
    return <p class="waiting">{long.value ? 'Reading…' : '\u00a0'}</p>;
}

export function ProblemNotice({ problem }: { problem: Problem }) {
    const title =
        problem.status === 403
            ? 'You may not see this'
            : problem.status === 404
              ? 'There is no such thing here'
              : 'This cannot be read now';
    return (
        <div class="notice bad" role="alert">
            <h2>{title}</h2>
            <p>{problem.detail}</p>
            <Hint text={problem.hint} />
            {problem.id && <p class="quiet">The server's log has it as {problem.id}.</p>}
        </div>
    );
}

/** Data, however old it is, and what is wrong with it; else why there is none. */
export function Reading<T>({ of, children }: { of: Resource<T>; children: (data: T) => ComponentChildren }) {
    const data = of.data.value;
    const problem = of.problem.value;
    if (data === undefined) {
        if (problem) return <ProblemNotice problem={problem} />;
        return awaySince.value ? <p class="waiting">The server cannot be reached.</p> : <Waiting />;
    }
    const old = problem !== undefined || awaySince.value > 0;
    return (
        <div class={old ? 'stale' : undefined}>
            {old && (
                <p class="as-of">
                    as of <At at={new Date(of.asOf.value).toISOString()} />
                    {problem ? `: reading fails since: ${problem.detail}` : ': the server cannot be reached'}
                </p>
            )}
            {old && <Hint text={problem?.hint} />}
            {children(data)}
        </div>
    );
}

/** Wide tables scroll by themselves, also by keyboard. */
export function Wide({ label, children }: { label: string; children: ComponentChildren }) {
    return (
        <div class="wide" role="group" aria-label={label} tabIndex={0}>
            {children}
        </div>
    );
}

export function Section({
    title,
    aside,
    children,
}: {
    title: string;
    aside?: ComponentChildren;
    children: ComponentChildren;
}) {
    return (
        <section aria-label={title}>
            <header class="section-head">
                <h2>{title}</h2>
                {aside}
            </header>
            {children}
        </section>
    );
}

export function Title({ children, aside }: { children: ComponentChildren; aside?: ComponentChildren }) {
    return (
        <div class="title">
            <h1 tabIndex={-1}>{children}</h1>
            {aside}
        </div>
    );
}

export function Figures({ children }: { children: ComponentChildren }) {
    return <dl class="figures">{children}</dl>;
}

export function Figure({
    name,
    value,
    tone = '',
    href,
}: {
    name: string;
    value: ComponentChildren;
    tone?: string;
    href?: string;
}) {
    return (
        <div class={`figure ${tone}`}>
            <dt>{name}</dt>
            <dd>{href ? <a href={href}>{value}</a> : value}</dd>
        </div>
    );
}

export function Copy({ text }: { text: string }) {
    const done = useSignal(false);
    const copy = async () => {
        await navigator.clipboard?.writeText(text);
        done.value = true;
        setTimeout(() => {
            done.value = false;
        }, 1500);
    };
    return (
        <button type="button" class="small" onClick={copy}>
            {done.value ? 'copied' : 'copy'}
        </button>
    );
}
