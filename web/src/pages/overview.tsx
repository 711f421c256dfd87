// SPDX-License-Identifier: PostgreSQL
// Is all well? If not, what is wrong, since when; what runs, and what is next.
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { PageProps } from '../app';
import { type Attention, attentionOf } from '../attention';
import type { Lined } from '../charts/timeline';
import { count, lengthText, shortText } from '../clock';
import { Mark } from '../marks';
import { Ago, At, Due, Figure, Figures, Reading, Section, Title, Words } from '../parts';
import { useResource } from '../resource';
import { laterPart } from '../later';
import { link, runLink } from '../route';
import type { Alert, Crowd, Database, Job, Next, Run, View } from '../types';
import { NoJobs } from './jobs';
import { FAILED } from './runs';

/** With it come scales and shapes, which are the larger part of all scripts. */
const Timeline = laterPart(() => import('../charts/timeline').then((it) => it.Timeline));

const SHOWN = 12;
const QUIET_FOR = 30000;

/** Told to who listens: only the number, and at most twice a minute. */
function Told({ number }: { number: number }) {
    const said = useSignal('');
    const last = useRef({ number, at: 0 });
    useEffect(() => {
        if (number === last.current.number) return undefined;
        const wait = Math.max(0, last.current.at + QUIET_FOR - Date.now());
        const timer = setTimeout(() => {
            last.current = { number, at: Date.now() };
            said.value = number === 0 ? 'all well' : `${number} need attention`;
        }, wait);
        return () => clearTimeout(timer);
    }, [number]);
    return (
        <p class="for-ears" aria-live="polite">
            {said.value}
        </p>
    );
}

function AttentionList({ database, list, next }: { database: string; list: Attention[]; next: Next | undefined }) {
    if (list.length === 0) {
        return (
            <p class="well">
                <Mark state="ok" word="All well." />
                {next && (
                    <span>
                        {' '}
                        Next: <a href={link(database, 'job', [next.job])}>{next.job}</a> <Due at={next.slots[0]} />
                    </span>
                )}
            </p>
        );
    }
    return (
        <ul class="attention">
            {list.slice(0, SHOWN).map((it) => (
                <li key={it.key}>
                    <Mark state={it.state} />
                    <a href={it.href}>{it.name}</a>
                    <span class="words">
                        <Words text={it.text} />
                    </span>
                    <span class="quiet">
                        {it.since && (
                            <>
                                since <At at={it.since} />,{' '}
                            </>
                        )}
                        <Ago at={it.since} />
                    </span>
                </li>
            ))}
            {list.length > SHOWN && (
                <li>
                    <a href={link(database, 'alerts')}>{list.length - SHOWN} more</a>
                </li>
            )}
        </ul>
    );
}

function Totals({ database, of, views }: { database: string; of: Database; views: View[] }) {
    const fresh = views.filter((view) => view.freshness === 'fresh').length;
    const tone = (value: number | null, bad: string) => (value ? bad : '');
    return (
        <Figures>
            <Figure name="jobs" value={count(of.active_jobs)} href={link(database, 'jobs')} />
            <Figure
                name="running"
                value={count(of.live_runs)}
                href={link(database, 'runs', [], { state: 'running' })}
                tone={tone(of.live_runs, 'live')}
            />
            <Figure
                name="failing"
                value={count(of.failing_jobs)}
                href={link(database, 'jobs', [], { state: 'failing' })}
                tone={tone(of.failing_jobs, 'bad')}
            />
            <Figure name="late" value={count(of.late_jobs)} tone={tone(of.late_jobs, 'warn')} />
            <Figure
                name="suspended"
                value={count(of.suspended_jobs)}
                href={link(database, 'jobs', [], { state: 'suspended' })}
                tone={tone(of.suspended_jobs, 'warn')}
            />
            {views.length > 0 && (
                <Figure
                    name="views fresh"
                    value={`${fresh} of ${views.length}`}
                    href={link(database, 'views')}
                    tone={fresh < views.length ? 'warn' : ''}
                />
            )}
        </Figures>
    );
}

function Soon({ database, jobs }: { database: string; jobs: Next[] }) {
    if (jobs.length === 0) return <p class="quiet">No slot is known beforehand.</p>;
    return (
        <table class="narrow">
            <thead>
                <tr>
                    <th scope="col">Job</th>
                    <th scope="col">Slot</th>
                    <th scope="col" class="number">
                        Due
                    </th>
                </tr>
            </thead>
            <tbody>
                {jobs.slice(0, 8).map((it) => (
                    <tr key={it.job}>
                        <th scope="row">
                            <a class="row" href={link(database, 'job', [it.job])}>
                                {it.job}
                            </a>
                        </th>
                        <td class="quiet">
                            <At at={it.slots[0]} />
                        </td>
                        <td class="number">
                            <Due at={it.slots[0]} />
                        </td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

/** So late that somebody minds. */
const LATE = 1000;

function crowdText(it: Crowd): string {
    const late = it.late_ms ?? 0;
    const sessions = it.sessions == null ? '' : ` for ${it.sessions} sessions`;
    return `${sessions}: ${late >= LATE ? `the last starts about ${lengthText(late)} late` : 'some wait a moment'}`;
}

/** Instants at which more is due than can run at once: by how long runs take as a rule, some start late. */
function Crowded({ base }: { base: string }) {
    const of = useResource<{ instants: Crowd[] }>(`${base}/crowded`, 30000).data.value?.instants ?? [];
    const most = of.filter((it) => (it.late_ms == null ? it.jobs > (it.sessions ?? 1) : it.late_ms >= LATE));
    if (most.length === 0) return null;
    return (
        <Section title="Crowded in the next hour">
            <ul class="plain">
                {most.slice(0, 5).map((it) => (
                    <li key={it.at}>
                        <Mark state="waiting" word={`${count(it.jobs)} due at once`} /> <At at={it.at} />
                        <span class="quiet">{crowdText(it)}</span>
                    </li>
                ))}
            </ul>
        </Section>
    );
}

/** Of each job the latest one. */
function Failures({ database, failures }: { database: string; failures: Run[] }) {
    const latest = [...new Map(failures.toReversed().map((run) => [run.job, run])).values()].toReversed();
    return (
        <Section title="Latest failures" aside={<a href={link(database, 'runs', [], { state: FAILED })}>all</a>}>
            {latest.length === 0 && <p class="quiet">None is on record.</p>}
            <ul class="plain">
                {latest.slice(0, 8).map((run) => (
                    <li key={`${run.run_id} ${run.slot}`}>
                        <Mark state={run.state} />{' '}
                        <a href={runLink(database, run)}>{run.job}</a>{' '}
                        <span class="quiet">
                            <At at={run.slot} />
                        </span>{' '}
                        <span class="one-line">{shortText(run.message ?? run.reason)}</span>
                    </li>
                ))}
            </ul>
        </Section>
    );
}

/** Runs that have been running for so long that they are not among the latest ones. */
function olderOf(running: Run[], latest: Run[]): Run[] {
    const known = new Set(latest.map((run) => run.run_id));
    return running.filter((run) => !known.has(run.run_id));
}

/** Jobs that ran of late or do not go well, with their next slots. */
function linedOf(bad: Job[], runs: Run[], soon: Next[]): Lined[] {
    const next = new Map(soon.map((it) => [it.job, it.slots[0]]));
    const states = new Map<string, string>();
    for (const run of runs) {
        const live = run.state === 'running' ? 'running' : run.state === 'retrying' ? 'waiting' : '';
        const known = states.get(run.job); // the newest run comes first
        if (known === undefined) states.set(run.job, live || (run.state === 'skipped' ? 'skipped' : 'ok'));
        else if (live && (known === 'ok' || known === 'skipped')) states.set(run.job, live);
    }
    for (const job of bad) states.set(job.name, job.state === 'suspended' ? job.state : 'failing');
    return [...states].map(([name, state]) => ({ name, state, next_slot: next.get(name) ?? null }));
}

export function OverviewPage({ database, base }: PageProps) {
    const here = useResource<{ databases: Database[] }>('/databases').data.value?.databases.find(
        (it) => it.database === database,
    );
    const bad = useResource<{ jobs: Job[] }>(`${base}/jobs?failing=yes&suspended=yes&limit=50`);
    const soon = useResource<{ jobs: Next[] }>(`${base}/next?count=30`).data.value?.jobs ?? [];
    const runs = useResource<{ runs: Run[] }>(`${base}/runs?limit=200`).data.value?.runs ?? [];
    const running = useResource<{ runs: Run[] }>(`${base}/runs?state=running&limit=500`).data.value?.runs ?? [];
    const failures = useResource<{ runs: Run[] }>(`${base}/runs?limit=200&state=${FAILED}`).data.value?.runs ?? [];
    const alerts = useResource<{ alerts: Alert[] }>(`${base}/alerts`).data.value?.alerts ?? [];
    const views = useResource<{ views: View[] }>(`${base}/views`, 10000).data.value?.views ?? [];
    return (
        <>
            <Title>Overview</Title>
            {here?.reachable && <Totals database={database} of={here} views={views} />}
            <Reading of={bad}>
                {({ jobs }) => {
                    if (here?.jobs === 0) return <NoJobs />;
                    const list = attentionOf(database, { jobs, failures, alerts, views });
                    const older = olderOf(running, runs);
                    const lined = linedOf(jobs, [...runs, ...older], soon);
                    return (
                        <>
                            <Section title="Needs attention">
                                <AttentionList database={database} list={list} next={soon[0]} />
                            </Section>
                            <Told number={list.length} />
                            <Section title="Latest runs, and what is due">
                                <Timeline database={database} jobs={lined} runs={runs} older={older} />
                            </Section>
                            <div class="columns">
                                <Failures database={database} failures={failures} />
                                <Section title="Next">
                                    <Soon database={database} jobs={soon} />
                                </Section>
                                <Crowded base={base} />
                            </div>
                        </>
                    );
                }}
            </Reading>
        </>
    );
}
