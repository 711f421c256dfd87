// SPDX-License-Identifier: PostgreSQL
// Which job comes after which, and which views each keeps; the same as a table below.
import { line } from 'd3-shape';
import { useMemo } from 'preact/hooks';
import type { PageProps } from '../app';
import { count } from '../clock';
import { place } from '../graph';
import { Mark, shapeOf, toneOf } from '../marks';
import { Empty, Reading, Section, Title, Wide } from '../parts';
import { useResource } from '../resource';
import { link, viewLink } from '../route';
import type { Database, Graph, Job, Run } from '../types';

const MOST = 300;
const HEIGHT = 30;
const curve = line<{ x: number; y: number }>(
    (it) => it.x,
    (it) => it.y,
);
type Node = { id: string; name: string; view: boolean };

/** Jobs that have a neighbour, and views that a job keeps beside others: a job alone is in the table. */
function nodesOf({ jobs, edges }: Graph): { nodes: Node[]; lines: { from: string; to: string }[] } {
    const linked = new Set(edges.flatMap(({ from, to }) => [from, to]));
    const shown = jobs.filter((job) => linked.has(job.job) || job.views.length > 0).slice(0, MOST);
    const nodes: Node[] = shown.map(({ job }) => ({ id: `job ${job}`, name: job, view: false }));
    const names = new Set(shown.map(({ job }) => job));
    const lines = edges
        .filter(({ from, to }) => names.has(from) && names.has(to))
        .map(({ from, to }) => ({ from: `job ${from}`, to: `job ${to}` }));
    const seen = new Set<string>();
    for (const { job, views } of shown) {
        for (const view of views) {
            if (nodes.length >= MOST) break;
            if (!seen.has(view)) nodes.push({ id: `view ${view}`, name: view, view: true });
            seen.add(view);
            lines.push({ from: `job ${job}`, to: `view ${view}` });
        }
    }
    return { nodes, lines };
}

const widthOf = (node: Node) => node.name.length * 7.3 + 40;

function Box({ database, node, x, y, state }: { database: string; node: Node; x: number; y: number; state: string }) {
    const width = widthOf(node);
    const target = node.view ? viewLink(database, node.name) : link(database, 'job', [node.name]);
    return (
        <a
            href={target}
            class={`node ${node.view ? 'view' : toneOf(state)}`}
            aria-label={node.view ? `view ${node.name}` : `job ${node.name}, ${state}`}
        >
            <rect x={x - width / 2} y={y - HEIGHT / 2} width={width} height={HEIGHT} rx={node.view ? 2 : 8} />
            {!node.view && (
                <path class="shape" d={shapeOf(state)} transform={`translate(${x - width / 2 + 9} ${y - 7})`} />
            )}
            <text x={x - width / 2 + (node.view ? 12 : 28)} y={y + 4.5}>
                {node.name}
            </text>
        </a>
    );
}

function Drawing({ database, graph, states }: { database: string; graph: Graph; states: Map<string, string> }) {
    const { nodes, lines } = nodesOf(graph);
    const shape = JSON.stringify([nodes.map((node) => node.id), lines]);
    const at = useMemo(
        () =>
            place(
                nodes.map((node) => ({ id: node.id, width: widthOf(node), height: HEIGHT })),
                lines,
            ),
        [shape],
    );
    const places = new Map(at.boxes.map((box) => [box.id, box]));
    return (
        <Wide label="Graph">
            <svg
                class="graph"
                width={at.width + 8}
                height={at.height + 8}
                role="group"
                aria-label="Jobs from left to right, and the views that they keep"
            >
                <defs>
                    <marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
                        <path class="tip" d="M0 0 8 4 0 8z" />
                    </marker>
                </defs>
                {at.lines.map(({ from, to, points }) => (
                    <path
                        key={`${from}>${to}`}
                        class={to.startsWith('view') ? 'edge view' : 'edge'}
                        d={curve(points) ?? ''}
                        marker-end="url(#tip)"
                    />
                ))}
                {nodes.map((node) => {
                    const box = places.get(node.id);
                    return (
                        box && (
                            <Box
                                key={node.id}
                                database={database}
                                node={node}
                                x={box.x}
                                y={box.y}
                                state={states.get(node.name) ?? ''}
                            />
                        )
                    );
                })}
            </svg>
        </Wide>
    );
}

function Table({ database, graph, states }: { database: string; graph: Graph; states: Map<string, string> }) {
    return (
        <Wide label="The graph as a table">
            <table>
                <thead>
                    <tr>
                        <th scope="col">Job</th>
                        <th scope="col">State</th>
                        <th scope="col">After</th>
                        <th scope="col">Keeps</th>
                    </tr>
                </thead>
                <tbody>
                    {graph.jobs.map((job) => (
                        <tr key={job.job}>
                            <th scope="row">
                                <a class="row" href={link(database, 'job', [job.job])}>
                                    {job.job}
                                </a>
                            </th>
                            <td>
                                <Mark state={states.get(job.job)} />
                            </td>
                            <td>{job.after.join(job.join ? ' and ' : ', ') || <span class="quiet">–</span>}</td>
                            <td class="words">{job.views.join(', ') || <span class="quiet">–</span>}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </Wide>
    );
}

/** As many as an answer should have. */
const ALL = 1000;

function Around({ database, job }: { database: string; job: string }) {
    return (
        <p class="before">
            What is no more than two steps before or after <a href={link(database, 'job', [job])}>{job}</a>.{' '}
            <a href={link(database, 'graph')}>All jobs</a>
        </p>
    );
}

function TooMany({ jobs }: { jobs: number }) {
    return (
        <Empty hint="a job's page leads to the graph around it; pgchime graph -o dot draws all of them">
            {count(jobs)} jobs are more than can be drawn.
        </Empty>
    );
}

export function GraphPage({ database, base, filter }: PageProps) {
    const here = useResource<{ databases: Database[] }>('/databases').data.value?.databases.find(
        (it) => it.database === database,
    );
    const many = !filter.job && (here?.jobs ?? 0) > ALL;
    const query = filter.job ? `?job=${encodeURIComponent(filter.job)}` : '';
    const graph = useResource<Graph>(here && !many ? `${base}/graph${query}` : '', 10000);
    const bad = useResource<{ jobs: Job[] }>(`${base}/jobs?failing=yes&suspended=yes&limit=500`).data.value?.jobs;
    const skipped = useResource<{ jobs: Job[] }>(`${base}/jobs?state=skipped&limit=500`).data.value?.jobs;
    const running = useResource<{ runs: Run[] }>(`${base}/runs?state=running&limit=500`).data.value?.runs;
    /* Until all is known, a job is shown without a state. */
    const well = bad && skipped && running ? 'ok' : '';
    const states = new Map(graph.data.value?.jobs.map((it) => [it.job, it.active ? well : 'disabled']));
    for (const { name } of skipped ?? []) states.set(name, 'skipped');
    for (const { job } of running ?? []) states.set(job, 'running');
    for (const { name, state } of bad ?? []) states.set(name, state);
    return (
        <>
            <Title>Graph</Title>
            {filter.job && <Around database={database} job={filter.job} />}
            {many && <TooMany jobs={here?.jobs ?? 0} />}
            {!many && (
                <Reading of={graph}>
                    {(data) =>
                        data.jobs.length === 0 ? (
                            <Empty hint='after = ["other-job"]; makes a job come after another one'>
                                There is no job yet.
                            </Empty>
                        ) : (
                            <>
                                <Drawing database={database} graph={data} states={states} />
                                {data.jobs.length > MOST && (
                                    <p class="quiet">The drawing has the first {MOST} jobs and views.</p>
                                )}
                                <Section title="As a table">
                                    <Table database={database} graph={data} states={states} />
                                </Section>
                            </>
                        )
                    }
                </Reading>
            )}
        </>
    );
}
