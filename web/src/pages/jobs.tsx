// SPDX-License-Identifier: PostgreSQL
import { Act, Acted, useMayAct } from '../act';
import type { PageProps } from '../app';
import { Mark, wordOf } from '../marks';
import { At, Due, Empty, Length, Reading, Title, Wide } from '../parts';
import { useResource } from '../resource';
import { link, setFilter } from '../route';
import type { Job } from '../types';

const SHOWN = 500;

export function scheduleText(job: { schedule: string | null; on?: string[] | null; after?: string[] | null }): string {
    const parts = [job.schedule ?? ''];
    if (job.on?.length && !job.schedule?.startsWith('on ')) parts.push(`on ${job.on.join(', ')}`);
    return parts.filter(Boolean).join(', ') || (job.after?.length ? `after ${job.after.join(', ')}` : '–');
}

function matches(job: Job, { q = '', state, plugin, owner, origin }: Record<string, string>): boolean {
    return (
        job.name.toLowerCase().includes(q.toLowerCase()) &&
        (!state || job.state === state) &&
        (!plugin || job.plugin === plugin) &&
        (!owner || job.owner === owner) &&
        (!origin || job.origin === origin)
    );
}

function Choice({ name, values, chosen }: { name: string; values: (string | null)[]; chosen: string }) {
    const distinct = [
        ...new Set(values.filter((value): value is string => Boolean(value)).concat(chosen || [])),
    ].sort();
    if (distinct.length < 2 && !chosen) return null;
    return (
        <label>
            <span class="label">{name}</span>
            <select value={chosen} onChange={(event) => setFilter({ [name]: event.currentTarget.value })}>
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

function Filter({ jobs, filter }: { jobs: Job[]; filter: Record<string, string> }) {
    return (
        <div class="filter" role="search">
            <label>
                <span class="label">name</span>
                <input
                    type="search"
                    value={filter.q ?? ''}
                    placeholder="any"
                    onInput={(event) => setFilter({ q: event.currentTarget.value })}
                />
            </label>
            <Choice name="state" values={jobs.map((job) => job.state)} chosen={filter.state ?? ''} />
            <Choice name="plugin" values={jobs.map((job) => job.plugin)} chosen={filter.plugin ?? ''} />
            <Choice name="owner" values={jobs.map((job) => job.owner)} chosen={filter.owner ?? ''} />
            <Choice name="origin" values={jobs.map((job) => job.origin)} chosen={filter.origin ?? ''} />
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
function ManyActs({ base, found, filter }: { base: string; found: Job[]; filter: Record<string, string> }) {
    if (!useMayAct() || found.length === 0) return null;
    const { q, state, plugin, owner, origin } = filter;
    const chosen = Object.fromEntries(Object.entries({ q, state, plugin, owner, origin }).filter(([, it]) => it));
    const body = { filter: chosen, count: found.length };
    const what = `${found.length} job${found.length > 1 ? 's' : ''}`;
    const order = (verb: string) => ({ title: `${verb} ${what}?`, path: `${base}/jobs/${verb}`, body, button: verb });
    return (
        <div class="acts">
            <Act order={{ ...order('suspend'), until: 'may' }}>{`suspend ${what}…`}</Act>
            <Act order={order('resume')}>{`resume ${what}…`}</Act>
        </div>
    );
}

interface ListProps {
    database: string;
    base: string;
    jobs: Job[];
    filter: Record<string, string>;
}

function List({ database, base, jobs, filter }: ListProps) {
    if (jobs.length === 0) {
        return <NoJobs />;
    }
    const found = jobs.filter((job) => matches(job, filter));
    return (
        <>
            <Filter jobs={jobs} filter={filter} />
            <p class="quiet" role="status">
                {found.length > SHOWN
                    ? `the first ${SHOWN} of ${found.length}: write more of the name`
                    : `${found.length} of ${jobs.length} jobs`}
            </p>
            <ManyActs base={base} found={found} filter={filter} />
            <Acted database={database} base={base} />
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
                        {found.slice(0, SHOWN).map((job) => (
                            <Row key={`${job.owner}/${job.name}`} database={database} job={job} />
                        ))}
                    </tbody>
                </table>
            </Wide>
        </>
    );
}

export function JobsPage({ database, base, filter }: PageProps) {
    const jobs = useResource<{ jobs: Job[] }>(`${base}/jobs`);
    return (
        <>
            <Title>Jobs</Title>
            <Reading of={jobs}>
                {(data) => <List database={database} base={base} jobs={data.jobs} filter={filter} />}
            </Reading>
        </>
    );
}
