// SPDX-License-Identifier: PostgreSQL
// One run: when each thing happened, what it waited for, each attempt, its message whole, and the text it ran.
import { Act, Acted, useMayAct } from '../act';
import type { PageProps } from '../app';
import { count, lengthText, now, shortText } from '../clock';
import { Mark } from '../marks';
import { At, Copy, Empty, Length, Reading, Section, Title, Wide } from '../parts';
import { useResource } from '../resource';
import { link, runLink } from '../route';
import type { Attempt, Definition, Neighbour, Run, RunDetail, Wait } from '../types';

const since = (from: string | null | undefined, to: string | null | undefined) =>
    from && to ? Math.max(0, Date.parse(to) - Date.parse(from)) : null;

function Steps({ run, attempts }: { run: Run; attempts: Attempt[] }) {
    const started = attempts[0]?.started_at ?? run.started_at;
    const late = since(run.slot, started);
    const still = run.started_at && !run.finished_at ? now.value - Date.parse(run.started_at) : null;
    const takes = run.duration_ms ?? still;
    return (
        <ol class="steps">
            <li>
                <span class="label">due</span>
                <At at={run.slot} />
            </li>
            <li>
                <span class="label">started</span>
                <At at={started} none={run.finished_at ? 'never' : 'not yet'} />
                {late != null && <span class="quiet">{lengthText(late)} after</span>}
            </li>
            <li>
                <span class="label">ended</span>
                <At at={run.finished_at} none="not yet" />
                {takes != null && <span class="quiet">took {lengthText(Math.max(0, takes))}</span>}
            </li>
        </ol>
    );
}

const waitWords = new Map([
    ['upstream', 'a job before it'],
    ['start', 'its turn'],
    ['session', 'its session'],
    ['retry', 'its next attempt'],
    ['lock', 'a lock'],
]);

function Waits({ waits }: { waits: Wait[] }) {
    if (waits.length === 0) return <p class="quiet">Nothing: it began as soon as it was due.</p>;
    return (
        <ul class="plain">
            {waits.map((it) => (
                <li key={`${it.wait} ${it.for} ${it.since}`}>
                    <Mark state={it.until ? 'info' : 'waiting'} word={waitWords.get(it.wait) ?? it.wait} />{' '}
                    {it.for && `(${it.for})`}: {it.length_ms != null && <strong>{lengthText(it.length_ms)}</strong>}
                    <span class="quiet">
                        , {it.until ? 'until' : 'since'} <At at={it.until ?? it.since} />
                    </span>
                </li>
            ))}
        </ul>
    );
}

function Attempts({ attempts }: { attempts: Attempt[] }) {
    return (
        <Wide label="Attempts">
            <table>
                <thead>
                    <tr>
                        <th scope="col">Attempt</th>
                        <th scope="col">Result</th>
                        <th scope="col" class="number">
                            Started
                        </th>
                        <th scope="col" class="number">
                            Ended
                        </th>
                        <th scope="col" class="number">
                            Took
                        </th>
                        <th scope="col">Where</th>
                        <th scope="col">Message</th>
                    </tr>
                </thead>
                <tbody>
                    {attempts.map((it) => (
                        <tr key={it.attempt}>
                            <th scope="row">{it.attempt}</th>
                            <td>
                                <Mark state={it.state} />
                            </td>
                            <td class="number">
                                <At at={it.started_at} none="not yet" />
                            </td>
                            <td class="number">
                                <At at={it.finished_at} none="not yet" />
                            </td>
                            <td class="number">
                                <Length ms={it.duration_ms} />
                            </td>
                            <td class="quiet">
                                {it.instance ?? '–'}
                                {it.pid != null && `, backend ${it.pid}`}
                            </td>
                            <td class="words">
                                {it.sqlstate && <code class="bad-text">{it.sqlstate}</code>}{' '}
                                {shortText(it.message, 1000)}
                            </td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </Wide>
    );
}

function Facts({ run }: { run: Run }) {
    return (
        <dl class="facts">
            <dt>asked for by</dt>
            <dd>{run.trigger ?? '–'}</dd>
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

/** Runs of the jobs before it, or after it; a job that has none is there, too. */
function Neighbours({ database, list, none }: { database: string; list: Neighbour[]; none: string }) {
    return (
        <ul class="plain">
            {list.map((it) => (
                <li key={it.job}>
                    {it.state ? <Mark state={it.state} /> : <span class="quiet">{none}</span>}{' '}
                    <a href={runLink(database, it)}>{it.job}</a>{' '}
                    <span class="quiet">
                        {it.slot && <At at={it.slot} />} {it.reason}
                    </span>
                </li>
            ))}
        </ul>
    );
}

function Around({ database, detail }: { database: string; detail: RunDetail }) {
    const { upstreams, downstreams } = detail;
    if (upstreams.length + downstreams.length === 0) return null;
    return (
        <Section title="Before and after">
            <dl class="facts">
                {upstreams.length > 0 && (
                    <>
                        <dt>came after</dt>
                        <dd>
                            <Neighbours database={database} list={upstreams} none="no run before" />
                        </dd>
                    </>
                )}
                {downstreams.length > 0 && (
                    <>
                        <dt>then came</dt>
                        <dd>
                            <Neighbours database={database} list={downstreams} none="no run since" />
                        </dd>
                    </>
                )}
            </dl>
        </Section>
    );
}

function Text({ definition }: { definition: Definition | undefined }) {
    if (!definition?.command) return null;
    const title = definition.ran ? `What it ran: version ${definition.version}` : 'What the job runs now';
    return (
        <Section title={title}>
            {!definition.ran && (
                <p class="quiet">
                    Version {definition.version} is there since <At at={definition.since} />: what this run ran is not
                    kept.
                </p>
            )}
            <div class="code">
                <Copy text={definition.command} />
                <pre tabIndex={0}>{definition.command}</pre>
            </div>
        </Section>
    );
}

/** What else did not succeed at about that time. */
function Others({ database, base, run }: { database: string; base: string; run: Run }) {
    const at = Date.parse(run.slot ?? '');
    const bound = (ms: number) => encodeURIComponent(new Date(at + ms).toISOString());
    const path = Number.isFinite(at)
        ? `${base}/runs?limit=100&state=failed,timed_out,lost&since=${bound(-60000)}&until=${bound(60000)}`
        : '';
    const found = useResource<{ runs: Run[] }>(path, 10000).data.value?.runs;
    // Of each job the latest, and how many there are.
    const byJob = new Map<string, Run[]>();
    for (const it of found ?? []) {
        if (it.run_id !== run.run_id) byJob.set(it.job, [...(byJob.get(it.job) ?? []), it]);
    }
    if (byJob.size === 0) return null;
    return (
        <Section title="What else failed within a minute">
            <ul class="plain">
                {[...byJob.values()].slice(0, 20).map(([it, ...more]) => (
                    <li key={it.job}>
                        <Mark state={it.state} /> <a href={runLink(database, it)}>{it.job}</a>{' '}
                        <span class="quiet">
                            <At at={it.slot} /> {shortText(it.message)}
                            {more.length > 0 && ` (${more.length} more)`}
                        </span>
                    </li>
                ))}
            </ul>
        </Section>
    );
}

const words = (...parts: (string | null)[]) => parts.filter(Boolean).join(' ');
const isLive = (run: Run) => ['running', 'retrying', 'waiting'].includes(run.state);

function RunActs({ base, run }: { base: string; run: Run }) {
    if (!useMayAct() || !isLive(run)) return null;
    const of = [run.job, 'run', run.trigger ?? '', run.slot ?? ''].map(encodeURIComponent).join('/');
    const order = { title: `Cancel this run of ${run.job}?`, path: `${base}/job/${of}/cancel`, button: 'cancel it' };
    return (
        <div class="acts">
            <Act order={order}>cancel…</Act>
        </div>
    );
}

function RunShown({ database, base, run, detail }: { database: string; base: string; run: Run; detail: RunDetail }) {
    const { attempts, waits, definitions } = detail;
    return (
        <>
            <Title aside={<Mark state={run.state} />}>
                <a href={link(database, 'job', [run.job])}>{run.job}</a> <span class="quiet">›</span>{' '}
                <At at={run.slot} />
            </Title>
            <RunActs base={base} run={run} />
            <Acted database={database} base={base} />
            <Steps run={run} attempts={attempts} />
            {(run.message || run.reason) && (
                <Section title="Message">
                    <pre class={`whole ${run.sqlstate ? 'bad' : ''}`} tabIndex={0}>
                        {[words(run.sqlstate, run.message), run.reason].filter(Boolean).join('\n')}
                    </pre>
                </Section>
            )}
            <Section title={isLive(run) ? 'What it waits for' : 'What it waited for'}>
                <Waits waits={waits} />
            </Section>
            {attempts.length > 0 && (
                <Section title={attempts.length > 1 ? `${attempts.length} attempts` : 'Attempt'}>
                    <Attempts attempts={attempts} />
                </Section>
            )}
            <div class="columns">
                <Section title="About it">
                    <Facts run={run} />
                </Section>
                <Around database={database} detail={detail} />
                <Text definition={definitions[0]} />
            </div>
            <Others database={database} base={base} run={run} />
        </>
    );
}

export function RunPage({ database, base, args: [name, , kind = '', slot = ''] }: PageProps) {
    const of = [name, 'run', kind, slot].map(encodeURIComponent).join('/');
    const detail = useResource<RunDetail>(kind && slot ? `${base}/job/${of}` : '');
    const gone = (
        <>
            <Title>{name}</Title>
            <Empty hint={<a href={link(database, 'job', [name])}>the job's latest runs</a>}>
                This run is not on record, or not any more.
            </Empty>
        </>
    );
    if (!kind || !slot) return gone;
    return (
        <>
            {!detail.data.value && <Title>{name}</Title>}
            <Reading of={detail}>
                {(data) =>
                    data.runs.length > 0 ? (
                        <RunShown database={database} base={base} run={data.runs[0]} detail={data} />
                    ) : (
                        gone
                    )
                }
            </Reading>
        </>
    );
}
