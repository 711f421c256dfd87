// SPDX-License-Identifier: PostgreSQL
// One run: when each thing happened, and its message whole.
import { Act, Acted, useMayAct } from '../act';
import type { PageProps } from '../app';
import { count, lengthText, now } from '../clock';
import { Mark } from '../marks';
import { At, Empty, Reading, Section, Title } from '../parts';
import { useResource } from '../resource';
import { link } from '../route';
import type { Job, Run } from '../types';

function Steps({ run }: { run: Run }) {
    const late = run.slot && run.started_at ? Date.parse(run.started_at) - Date.parse(run.slot) : null;
    const takes =
        run.duration_ms ?? (run.started_at && !run.finished_at ? now.value - Date.parse(run.started_at) : null);
    return (
        <ol class="steps">
            <li>
                <span class="label">due</span>
                <At at={run.slot} />
            </li>
            <li>
                <span class="label">started</span>
                <At at={run.started_at} none="not yet" />
                {late != null && late >= 0 && <span class="quiet">{lengthText(late)} after</span>}
            </li>
            <li>
                <span class="label">ended</span>
                <At at={run.finished_at} none="not yet" />
                {takes != null && <span class="quiet">took {lengthText(takes)}</span>}
            </li>
        </ol>
    );
}

function Facts({ run }: { run: Run }) {
    return (
        <dl class="facts">
            <dt>asked for by</dt>
            <dd>{run.trigger ?? '–'}</dd>
            <dt>attempt</dt>
            <dd>{count(run.attempt)}</dd>
            <dt>rows</dt>
            <dd>{count(run.rows)}</dd>
            <dt>on</dt>
            <dd>
                {run.instance ?? '–'}
                {run.epoch != null && `, epoch ${run.epoch}`}
            </dd>
            <dt>number</dt>
            <dd>{run.run_id}</dd>
        </dl>
    );
}

/** What else did not succeed at about that time. */
function Others({ database, base, run }: { database: string; base: string; run: Run }) {
    const found = useResource<{ runs: Run[] }>(`${base}/runs?limit=100&state=failed,timed_out,lost`, 10000).data.value
        ?.runs;
    const at = Date.parse(run.slot ?? '');
    const near =
        found?.filter((it) => it.run_id !== run.run_id && Math.abs(Date.parse(it.slot ?? '') - at) <= 60000) ?? [];
    if (near.length === 0) return null;
    return (
        <Section title="What else failed within a minute">
            <ul class="plain">
                {near.slice(0, 20).map((it) => (
                    <li key={it.run_id}>
                        <Mark state={it.state} />{' '}
                        <a href={link(database, 'job', [it.job, 'run', it.run_id ?? ''], { at: it.slot ?? '' })}>
                            {it.job}
                        </a>{' '}
                        <span class="quiet">
                            <At at={it.slot} /> {it.message}
                        </span>
                    </li>
                ))}
            </ul>
        </Section>
    );
}

function RunActs({ base, run }: { base: string; run: Run }) {
    const live = run.state === 'running' || run.state === 'retrying' || run.state === 'waiting';
    if (!useMayAct() || !live) return null;
    const of = [run.job, 'run', run.trigger ?? '', run.slot ?? ''].map(encodeURIComponent).join('/');
    const order = { title: `Cancel this run of ${run.job}?`, path: `${base}/job/${of}/cancel`, button: 'cancel it' };
    return (
        <div class="acts">
            <Act order={order}>cancel…</Act>
        </div>
    );
}

function RunShown({ database, base, run, job }: { database: string; base: string; run: Run; job: Job | undefined }) {
    return (
        <>
            <Title aside={<Mark state={run.state} />}>
                <a href={link(database, 'job', [run.job])}>{run.job}</a> <span class="quiet">›</span>{' '}
                <At at={run.slot} />
            </Title>
            <RunActs base={base} run={run} />
            <Acted database={database} base={base} />
            <Steps run={run} />
            {(run.message || run.reason) && (
                <Section title="Message">
                    <pre class={`whole ${run.sqlstate ? 'bad' : ''}`} tabIndex={0}>
                        {run.sqlstate && `${run.sqlstate} `}
                        {run.message}
                        {run.message && run.reason && '\n'}
                        {run.reason}
                    </pre>
                </Section>
            )}
            <div class="columns">
                <Section title="Facts">
                    <Facts run={run} />
                </Section>
                {job?.command && (
                    <Section title="What the job runs now">
                        <pre tabIndex={0}>{job.command}</pre>
                    </Section>
                )}
            </div>
            <Others database={database} base={base} run={run} />
        </>
    );
}

export function RunPage({ database, base, args: [name, , number], filter }: PageProps) {
    const path = `${base}/job/${encodeURIComponent(name)}`;
    const bounds = filter.at ? `&since=${encodeURIComponent(filter.at)}&until=${encodeURIComponent(filter.at)}` : '';
    const runs = useResource<{ runs: Run[] }>(`${path}/runs?limit=300${bounds}`);
    const job = useResource<{ jobs: Job[] }>(path, 10000).data.value?.jobs[0];
    return (
        <Reading of={runs}>
            {(data) => {
                const run = data.runs.find((it) => String(it.run_id) === number);
                if (run) return <RunShown database={database} base={base} run={run} job={job} />;
                return (
                    <>
                        <Title>{name}</Title>
                        <Empty hint={<a href={link(database, 'job', [name])}>the job's latest runs</a>}>
                            Run {number} is not on record any more.
                        </Empty>
                    </>
                );
            }}
        </Reading>
    );
}
