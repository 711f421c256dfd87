// SPDX-License-Identifier: PostgreSQL
// One job: why it does what it does, how long its runs took, what comes before and after it.
import { Act, Acted, useMayAct } from '../act';
import type { PageProps } from '../app';
import { useEffect } from 'preact/hooks';
import { DurationChart } from '../charts/durations';
import { OutcomeStrip } from '../charts/strip';
import { count, jobZone, lengthText } from '../clock';
import { Mark, toneOf, wordOf } from '../marks';
import { Ago, At, Copy, Due, Empty, Figure, Figures, Reading, Section, Title } from '../parts';
import { useResource } from '../resource';
import { link, viewLink } from '../route';
import { RunTable } from '../run_table';
import { ifServed, serves } from '../served';
import type { Job, Next, Run, Why } from '../types';
import { scheduleText } from './jobs';
import { RunChoice } from './runs';

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

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
            {of.problem && <p class="bad-text">{of.problem}</p>}
            {of.now && <p>{of.now}</p>}
            {of.last_decision && <p class="quiet">{of.last_decision}</p>}
            {of.missed && <p class="quiet">{of.missed}</p>}
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

function NextSlots({ slots, timezone }: { slots: string[]; timezone: string | undefined }) {
    if (slots.length === 0) return <p class="quiet">No slot is known beforehand.</p>;
    const own = timezone && timezone !== 'UTC' ? timezone : '';
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
                {slots.slice(0, 10).map((slot) => (
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
                            <Ago at={slot} />
                        </td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

function Neighbours({ database, job, all }: { database: string; job: Job; all: Job[] }) {
    const before = job.after ?? [];
    const behind = all.filter((it) => it.after?.includes(job.name)).map((it) => it.name);
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
                    <dt>before</dt>
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
                                <a key={view} href={serves('views') ? viewLink(database, view) : undefined}>
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

function RunsOfJob({
    database,
    name,
    runs,
    filter,
}: {
    database: string;
    name: string;
    runs: Run[];
    filter: Record<string, string>;
}) {
    const state = filter.state ?? '';
    const wanted = state ? runs.filter((run) => state.split(',').includes(run.state)) : runs;
    return (
        <Section
            title="Runs"
            aside={<RunChoice chosen={state} to={(it) => link(database, 'job', [name], { state: it })} />}
        >
            {wanted.length > 0 ? (
                <RunTable database={database} runs={wanted.slice(0, filter.all ? 300 : 20)} named={false} />
            ) : (
                <Empty hint={state ? '' : `pgchime run ${name} asks for one now`}>
                    {state ? 'None among the last 300.' : 'It has not run yet.'}
                </Empty>
            )}
            {wanted.length > 20 && !filter.all && (
                <p class="below">
                    <a href={link(database, 'job', [name], { state, all: 'yes' })}>{wanted.length - 20} more</a>
                </p>
            )}
        </Section>
    );
}

function Shown({ job, runs, props }: { job: Job; runs: Run[]; props: PageProps }) {
    const { database, base, filter } = props;
    const path = `${base}/job/${encodeURIComponent(job.name)}`;
    const why = useResource<{ jobs: Why[] }>(ifServed('why', `${path}/why`)).data.value?.jobs[0];
    const next = useResource<{ jobs: Next[] }>(ifServed('next', `${path}/next?count=10`)).data.value?.jobs[0];
    const all = useResource<{ jobs: Job[] }>(`${base}/jobs`, 10000).data.value?.jobs ?? [];
    return (
        <>
            <WhyText of={why} last={runs.find((run) => run.finished_at)} />
            <JobFigures job={job} runs={runs} />
            <Section title="How long it took" aside={<OutcomeStrip runs={runs} />}>
                <DurationChart runs={runs} />
            </Section>
            <RunsOfJob database={database} name={job.name} runs={runs} filter={filter} />
            <div class="columns">
                <Section title="Next">
                    <NextSlots
                        slots={next?.slots ?? (job.next_slot ? [job.next_slot] : [])}
                        timezone={next?.timezone ?? job.options?.timezone}
                    />
                </Section>
                <Section title="Before and after">
                    <Neighbours database={database} job={job} all={all} />
                </Section>
                <Section title="What it is">
                    <Definition database={database} job={job} />
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
