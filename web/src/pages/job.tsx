// SPDX-License-Identifier: PostgreSQL
// One job: why it does what it does, how long its runs took, what comes before and after it.
import { Act, Acted, useMayAct } from '../act';
import type { PageProps } from '../app';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { DayBars } from '../charts/days';
import { DurationChart } from '../charts/durations';
import { OutcomeStrip } from '../charts/strip';
import { count, jobZone, lengthText, shortText } from '../clock';
import { Mark, toneOf, wordOf } from '../marks';
import { Ago, At, Copy, Due, Empty, Figure, Figures, ProblemNotice, Reading, Section, Title, Words } from '../parts';
import { useResource } from '../resource';
import { cursorOf, link, viewLink } from '../route';
import { RunTable } from '../run_table';
import type { Day, Job, Next, Run, Version, Why } from '../types';
import { scheduleText } from './jobs';
import { RunChoice } from './runs';

const upper = (text: string) => text.charAt(0).toUpperCase() + text.slice(1).replace(/\.$/, '');
const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Nobody sees a failure then, and nothing was done. */
const stopped = new Set(['skipped', 'missed', 'lost', 'cancelled']);

/** As `pgchime why` says it; where the server does not, what became of the last run that is over. */
function WhyText({ of, last }: { of: Why | undefined; last: Run | undefined }) {
    if (!of) {
        if (!last || toneOf(last.state) !== 'bad') return null;
        return (
            <div class="why">
                <p>
                    Its last run, of <At at={last.slot} />, {wordOf(last.state)}: {last.message ?? last.reason}
                </p>
            </div>
        );
    }
    return (
        <div class="why">
            {of.failing && (
                <p class="bad-text first">
                    <Words text={`${upper(of.failing)}.`} />
                </p>
            )}
            {of.problem && (
                <p class="bad-text">
                    <Words text={`${upper(of.problem)}.`} />
                </p>
            )}
            {of.now && (
                <p>
                    Now: <Words text={of.now} />
                </p>
            )}
            {of.last_decision && !of.failing && (
                <p class={stopped.has(of.last_state ?? '') ? 'bad-text first' : 'quiet'}>
                    Last: <Words text={shortText(of.last_decision, 1000)} />
                </p>
            )}
            {of.missed && (
                <p class="quiet">
                    Missed: <Words text={of.missed} />
                </p>
            )}
        </div>
    );
}

function JobFigures({ job, runs }: { job: Job; runs: Run[] }) {
    const good = runs
        .filter((run) => run.state === 'succeeded' && run.duration_ms != null)
        .map((run) => run.duration_ms as number);
    return (
        <Figures>
            <Figure name="state" value={<Mark state={job.state} />} />
            <Figure name="next" value={<Due at={job.next_slot} />} />
            <Figure name="last succeeded" value={<Ago at={job.last_succeeded_at} none="never" />} />
            <Figure name="typical" value={good.length > 0 ? lengthText(median(good)) : '–'} />
            <Figure
                name="failures in a row"
                value={count(job.consecutive_failures)}
                tone={job.consecutive_failures ? 'bad' : ''}
            />
        </Figures>
    );
}

function NextSlots({ of, timezone }: { of: Next | undefined; timezone: string | undefined }) {
    const slots = of?.slots ?? [];
    const own = timezone && timezone !== 'UTC' ? timezone : '';
    if (slots.length === 0) return <p class="quiet">{of ? 'No slot is known beforehand.' : '\u00a0'}</p>;
    return (
        <table class="narrow">
            <thead>
                <tr>
                    <th scope="col">Slot</th>
                    {own && <th scope="col">{own}</th>}
                    <th scope="col">When</th>
                </tr>
            </thead>
            <tbody>
                {slots.map((slot) => (
                    <tr key={slot}>
                        <td>
                            <At at={slot} />
                        </td>
                        {own && (
                            <td>
                                <At at={slot} timeZone={own} />
                            </td>
                        )}
                        <td class="quiet">
                            <Due at={slot} />
                            {of?.notes
                                ?.filter((note) => note.slot === slot)
                                .map((note) => (
                                    <span key={note.text} class="note">
                                        {' '}
                                        {note.text}
                                    </span>
                                ))}
                        </td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

function Neighbours({ database, job }: { database: string; job: Job }) {
    const before = job.after ?? [];
    const behind = job.downstream ?? [];
    if (before.length + behind.length === 0)
        return <p class="quiet">It comes after no job, and none comes after it.</p>;
    const list = (names: string[]) =>
        names.map((name) => (
            <li key={name}>
                <a href={link(database, 'job', [name])}>{name}</a>
            </li>
        ));
    return (
        <dl class="facts">
            {before.length > 0 && (
                <>
                    <dt>comes after</dt>
                    <dd>
                        <ul>{list(before)}</ul>
                    </dd>
                </>
            )}
            {behind.length > 0 && (
                <>
                    <dt>comes before</dt>
                    <dd>
                        <ul>{list(behind)}</ul>
                    </dd>
                </>
            )}
        </dl>
    );
}

function Definition({ database, job }: { database: string; job: Job }) {
    return (
        <>
            {job.command && (
                <div class="code">
                    <Copy text={job.command} />
                    <pre tabIndex={0}>{job.command}</pre>
                </div>
            )}
            <dl class="facts">
                <dt>owner</dt>
                <dd>{job.owner}</dd>
                <dt>from</dt>
                <dd>
                    {job.plugin ? `plugin ${job.plugin}` : job.origin}, version {job.version}, since{' '}
                    <At at={job.updated_at} />
                </dd>
                {job.views && job.views.length > 0 && (
                    <>
                        <dt>keeps</dt>
                        <dd>
                            {job.views.map((view) => (
                                <a key={view} href={viewLink(database, view)}>
                                    {view}{' '}
                                </a>
                            ))}
                        </dd>
                    </>
                )}
            </dl>
            {job.options && (
                <details>
                    <summary>options</summary>
                    <dl class="facts options">
                        {Object.entries(job.options).map(([name, value]) => (
                            <div key={name}>
                                <dt>{name}</dt>
                                <dd>{String(value)}</dd>
                            </div>
                        ))}
                    </dl>
                </details>
            )}
        </>
    );
}

interface RunsProps {
    props: PageProps;
    name: string;
    /** The latest 300, in any state. */
    latest: Run[];
}

const SHOWN = 20;
const MOST = 100;

/** In a state, or behind a place in the list, they are asked for; else they are there. */
function RunsOfJob({ props, name, latest }: RunsProps) {
    const { database, base, filter } = props;
    const { state = '', before = '', all = '' } = filter;
    const chosen = new URLSearchParams(Object.entries({ state, before }).filter(([, value]) => value));
    const path = `${base}/job/${encodeURIComponent(name)}/runs?limit=${MOST}&${chosen}`;
    const asked = useResource<{ runs: Run[] }>(state || before ? path : '');
    const runs = state || before ? (asked.data.value?.runs ?? []) : latest.slice(0, MOST);
    const shown = all || before ? runs : runs.slice(0, SHOWN);
    const to = (change: Record<string, string>) => link(database, 'job', [name], { state, ...change });
    const last = runs.length >= MOST && shown.length === runs.length ? cursorOf(runs[runs.length - 1]) : '';
    return (
        <Section title="Runs" aside={<RunChoice chosen={state} to={(it) => to({ state: it })} />}>
            {asked.problem.value && !asked.data.value && <ProblemNotice problem={asked.problem.value} />}
            {shown.length > 0 ? (
                <RunTable database={database} runs={shown} named={false} />
            ) : (
                <Empty hint={state || before ? '' : `pgchime run ${name} asks for one now`}>
                    {state || before ? 'None is on record.' : 'It has not run yet.'}
                </Empty>
            )}
            <p class="below">
                {before && <a href={to({})}>the latest</a>}{' '}
                {shown.length < runs.length && <a href={to({ all: 'yes' })}>{runs.length - shown.length} more</a>}{' '}
                {last && <a href={to({ before: last })}>earlier ones</a>}
            </p>
        </Section>
    );
}

/** Asked for when they are looked at. */
function Versions({ path }: { path: string }) {
    const open = useSignal(false);
    const versions = useResource<{ versions: Version[] }>(open.value ? `${path}/versions` : '', 60000);
    return (
        <details
            onToggle={(event) => {
                open.value = event.currentTarget.open;
            }}
        >
            <summary>versions of its text</summary>
            {open.value && (
                <Reading of={versions}>
                    {(data) => (
                        <>
                            {data.versions.map((it) => (
                                <div key={it.version}>
                                    <p class="quiet">
                                        version {it.version}, since <At at={it.since} />
                                        {it.until ? (
                                            <>
                                                {' '}
                                                until <At at={it.until} />
                                            </>
                                        ) : (
                                            ', the present one'
                                        )}
                                        , owner {it.owner}
                                    </p>
                                    {it.command && <pre tabIndex={0}>{it.command}</pre>}
                                </div>
                            ))}
                            {data.versions.length < 2 && (
                                <p class="quiet">
                                    No earlier one is kept: only those of jobs made by SQL are, once they ran.
                                </p>
                            )}
                        </>
                    )}
                </Reading>
            )}
        </details>
    );
}

function Shown({ job, runs, props }: { job: Job; runs: Run[]; props: PageProps }) {
    const { database, base } = props;
    const path = `${base}/job/${encodeURIComponent(job.name)}`;
    const why = useResource<{ jobs: Why[] }>(`${path}/why`).data.value?.jobs[0];
    const next = useResource<{ jobs: Next[] }>(`${path}/next?count=10&explain=yes`).data.value?.jobs[0];
    const days = useResource<{ days: Day[] }>(`${path}/days`, 60000).data.value?.days;
    return (
        <>
            <WhyText of={why} last={runs.find((run) => run.finished_at)} />
            <JobFigures job={job} runs={runs} />
            <Section title="How long it took" aside={<OutcomeStrip runs={runs} />}>
                <DurationChart runs={runs} />
            </Section>
            <Section title="90 days">{days ? <DayBars days={days} /> : <p class="quiet">{'\u00a0'}</p>}</Section>
            <RunsOfJob props={props} name={job.name} latest={runs} />
            <div class="columns">
                <Section title="Next">
                    <NextSlots of={next} timezone={next?.timezone ?? job.options?.timezone} />
                </Section>
                <Section
                    title="Before and after"
                    aside={<a href={link(database, 'graph', [], { job: job.name })}>the graph around it</a>}
                >
                    <Neighbours database={database} job={job} />
                </Section>
                <Section title="What it is">
                    <Definition database={database} job={job} />
                    <Versions path={path} />
                </Section>
            </div>
        </>
    );
}

function JobActs({ base, job }: { base: string; job: Job }) {
    const path = `${base}/job/${encodeURIComponent(job.name)}`;
    if (!useMayAct() || !job.active) return null;
    if (job.state === 'suspended') {
        const title = `Resume ${job.name}?`;
        return (
            <div class="acts">
                <Act order={{ title, path: `${path}/resume`, button: 'resume' }}>resume…</Act>
            </div>
        );
    }
    const title = `Suspend ${job.name}?`;
    const suspend = { title, path: `${path}/suspend`, button: 'suspend', until: 'may' } as const;
    return (
        <div class="acts">
            <Act order={{ title: `Run ${job.name} now?`, path: `${path}/run`, button: 'run it' }}>run now…</Act>
            <Act order={suspend}>suspend…</Act>
        </div>
    );
}

export function JobPage(props: PageProps) {
    const [name] = props.args;
    const path = `${props.base}/job/${encodeURIComponent(name)}`;
    const job = useResource<{ jobs: Job[] }>(path);
    const runs = useResource<{ runs: Run[] }>(`${path}/runs?limit=300`).data.value?.runs ?? [];
    const known = job.data.value?.jobs[0];
    const own = known?.options?.timezone ?? '';
    useEffect(() => {
        jobZone.value = own;
        return () => {
            jobZone.value = '';
        };
    }, [own]);
    return (
        <>
            <Title aside={known && <p class="quiet">{scheduleText(known)}</p>}>{name}</Title>
            {known && <JobActs base={props.base} job={known} />}
            <Acted database={props.database} base={props.base} />
            <Reading of={job}>{({ jobs: [it] }) => <Shown job={it} runs={runs} props={props} />}</Reading>
        </>
    );
}
