// SPDX-License-Identifier: PostgreSQL
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Act, Acted, useMayAct } from '../act';
import type { PageProps } from '../app';
import { Mark, wordOf } from '../marks';
import { At, Due, Empty, Length, Reading, Title, Wide } from '../parts';
import { useResource } from '../resource';
import { link, setFilter } from '../route';
import type { Job } from '../types';

const MOST = 100;

export function scheduleText(job: { schedule: string | null; on?: string[] | null; after?: string[] | null }): string {
    const parts = [job.schedule ?? ''];
    if (job.on?.length && !job.schedule?.startsWith('on ')) parts.push(`on ${job.on.join(', ')}`);
    return parts.filter(Boolean).join(', ') || (job.after?.length ? `after ${job.after.join(', ')}` : '–');
}

const names = ['q', 'state', 'plugin', 'owner', 'origin', 'after'] as const;
const states = ['ok', 'failing', 'skipped', 'suspended', 'running', 'waiting', 'disabled'];
const origins = ['config', 'plugin', 'sql'];

/** Another choice begins at the first job again. */
const choose = (change: Record<string, string>) => setFilter({ after: '', ...change });

interface ChoiceProps {
    name: string;
    values: (string | null)[];
    chosen: string;
}

function Choice({ name, values, chosen }: ChoiceProps) {
    const distinct = [
        ...new Set(values.filter((value): value is string => Boolean(value)).concat(chosen || [])),
    ].sort();
    if (distinct.length < 2 && !chosen) return null;
    return (
        <label>
            <span class="label">{name}</span>
            <select value={chosen} onChange={(event) => choose({ [name]: event.currentTarget.value })}>
                <option value="">any</option>
                {distinct.map((value) => (
                    <option key={value} value={value}>
                        {wordOf(value)}
                    </option>
                ))}
            </select>
        </label>
    );
}

/** Where there are more jobs than are shown, there may be other values, too: they are written. */
function Written({ name, values, chosen }: ChoiceProps) {
    const distinct = [...new Set(values.filter((value): value is string => Boolean(value)))].sort();
    return (
        <label>
            <span class="label">{name}</span>
            <input
                key={chosen}
                list={`choice-${name}`}
                defaultValue={chosen}
                placeholder="any"
                onChange={(event) => choose({ [name]: event.currentTarget.value })}
            />
            <datalist id={`choice-${name}`}>
                {distinct.map((value) => (
                    <option key={value} value={value} />
                ))}
            </datalist>
        </label>
    );
}

/** Asked for once somebody has stopped to write. */
const PAUSE = 150;

function Search({ chosen }: { chosen: string }) {
    const timer = useRef(0);
    const written = useSignal(chosen);
    useEffect(() => {
        if (timer.current === 0) written.value = chosen;
    }, [chosen]);
    const later = (q: string) => {
        written.value = q;
        window.clearTimeout(timer.current);
        timer.current = window.setTimeout(() => {
            timer.current = 0;
            choose({ q });
        }, PAUSE);
    };
    return (
        <label>
            <span class="label">name</span>
            <input
                type="search"
                value={written.value}
                placeholder="any"
                onInput={(event) => later(event.currentTarget.value)}
            />
        </label>
    );
}

interface ListProps {
    database: string;
    base: string;
    jobs: Job[];
    /** There are others, before or behind these. */
    cut: boolean;
    filter: Record<string, string>;
}

function Filter({ jobs, cut, filter }: Pick<ListProps, 'jobs' | 'cut' | 'filter'>) {
    const Open = cut ? Written : Choice;
    return (
        <div class="filter" role="search">
            <Search chosen={filter.q ?? ''} />
            <Choice name="state" values={states} chosen={filter.state ?? ''} />
            <Choice name="origin" values={origins} chosen={filter.origin ?? ''} />
            <Open name="plugin" values={jobs.map((job) => job.plugin)} chosen={filter.plugin ?? ''} />
            <Open name="owner" values={jobs.map((job) => job.owner)} chosen={filter.owner ?? ''} />
        </div>
    );
}

const EXAMPLE = 'jobs: { nightly: { schedule = "0 3 * * *"; command = "VACUUM (ANALYZE)"; }; };';

export function NoJobs() {
    const hint = (
        <>
            conf.d/jobs.conf: <code>{EXAMPLE}</code>
        </>
    );
    return <Empty hint={hint}>There is no job yet. Each would be here with its schedule, state and last run.</Empty>;
}

function Row({ database, job }: { database: string; job: Job }) {
    return (
        <tr>
            <th scope="row">
                <a class="row" href={link(database, 'job', [job.name])}>
                    {job.name}
                </a>
            </th>
            <td>
                <Mark state={job.state} />
            </td>
            <td class="schedule">{scheduleText(job)}</td>
            <td class="number">
                <Due at={job.next_slot} />
            </td>
            <td class="number">
                <At at={job.last_started_at} none="never" />
            </td>
            <td class="number">
                <Length ms={job.last_duration_ms} />
            </td>
            <td class={`number ${job.consecutive_failures ? 'bad-text' : 'quiet'}`}>
                {job.consecutive_failures || '–'}
            </td>
            <td class="quiet">{job.plugin ?? job.origin}</td>
        </tr>
    );
}

/** All that the filter shows; the server refuses when they are not as many there. */
function ManyActs({ base, jobs, cut, filter }: ListProps) {
    const active = jobs.filter((job) => job.active);
    if (!useMayAct() || active.length === 0) return null;
    if (cut) return <p class="quiet">To suspend or resume many at once, choose fewer than {MOST}.</p>;
    const { q, state, plugin, owner, origin } = filter;
    const chosen = Object.fromEntries(Object.entries({ q, state, plugin, owner, origin }).filter(([, it]) => it));
    const body = { filter: chosen, count: active.length };
    const what = `${active.length} job${active.length > 1 ? 's' : ''}`;
    const order = (verb: string) => ({ title: `${verb} ${what}?`, path: `${base}/jobs/${verb}`, body, button: verb });
    return (
        <div class="acts">
            <Act order={{ ...order('suspend'), until: 'may' }}>{`suspend ${what}…`}</Act>
            <Act order={order('resume')}>{`resume ${what}…`}</Act>
        </div>
    );
}

function Table({ database, jobs }: Pick<ListProps, 'database' | 'jobs'>) {
    return (
        <Wide label="Jobs">
            <table>
                <thead>
                    <tr>
                        <th scope="col">Name</th>
                        <th scope="col">State</th>
                        <th scope="col">Schedule</th>
                        <th scope="col" class="number">
                            Next
                        </th>
                        <th scope="col" class="number">
                            Last start
                        </th>
                        <th scope="col" class="number">
                            Took
                        </th>
                        <th scope="col" class="number">
                            Failures
                        </th>
                        <th scope="col">From</th>
                    </tr>
                </thead>
                <tbody>
                    {jobs.map((job) => (
                        <Row key={`${job.owner}/${job.name}`} database={database} job={job} />
                    ))}
                </tbody>
            </table>
        </Wide>
    );
}

function countText({ jobs, filter }: Pick<ListProps, 'jobs' | 'filter'>): string {
    const more = jobs.length >= MOST;
    if (filter.after) return `${jobs.length} jobs behind ${filter.after}${more ? ', and more' : ''}`;
    return more ? `the first ${MOST} by name, and more` : `${jobs.length} job${jobs.length === 1 ? '' : 's'}`;
}

function List(props: ListProps) {
    const { database, base, jobs, filter } = props;
    const page = (after: string) => link(database, 'jobs', [], { ...filter, after });
    return (
        <>
            <p class="quiet" role="status">
                {countText(props)}
            </p>
            <ManyActs {...props} />
            <Acted database={database} base={base} />
            {jobs.length > 0 ? (
                <Table database={database} jobs={jobs} />
            ) : (
                <Empty hint={<a href={link(database, 'jobs')}>all jobs</a>}>No job matches the filter.</Empty>
            )}
            <p class="below">
                {filter.after && <a href={page('')}>from the first on</a>}{' '}
                {jobs.length >= MOST && <a href={page(jobs[jobs.length - 1].name)}>the next {MOST}</a>}
            </p>
        </>
    );
}

export function JobsPage({ database, base, filter }: PageProps) {
    const chosen = names.filter((name) => filter[name]).map((name) => [name, filter[name]]);
    const query = new URLSearchParams([['limit', String(MOST)], ...chosen]).toString();
    const jobs = useResource<{ jobs: Job[] }>(`${base}/jobs?${query}`);
    const seen = useRef<Job[]>([]);
    if (jobs.data.value) seen.current = jobs.data.value.jobs;
    const cut = seen.current.length >= MOST || Boolean(filter.after);
    const nothing = jobs.data.value?.jobs.length === 0 && chosen.length === 0;
    return (
        <>
            <Title>Jobs</Title>
            {!nothing && <Filter jobs={seen.current} cut={cut} filter={filter} />}
            <Reading of={jobs}>
                {(data) =>
                    nothing ? (
                        <NoJobs />
                    ) : (
                        <List database={database} base={base} jobs={data.jobs} cut={cut} filter={filter} />
                    )
                }
            </Reading>
        </>
    );
}
