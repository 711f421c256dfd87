// SPDX-License-Identifier: PostgreSQL
// What ran of late and what is due next, a line for each job: failing first, then running, then busiest.
import { scaleTime, scaleUtc } from 'd3-scale';
import { now, relativeText, lengthText, zone } from '../clock';
import { shapeOf, toneOf, wordOf } from '../marks';
import { link } from '../route';
import type { Run } from '../types';
import { axisText } from './axis';
import { useWidth } from './width';

const ROW = 24;
const MOST = 14;
const AXIS = 22;
const AHEAD = 0.3;
/** Where names begin, how wide a letter of theirs is, and what is free after them. */
const NAME = 22;
const LETTER = 7.4;
const GAP = 8;

/** Of a job that ran of late, or fails. */
export interface Lined {
    name: string;
    state: string;
    next_slot: string | null;
}
interface Line {
    job: Lined;
    runs: Run[];
}
const rank: Record<string, number> = { failing: 0, suspended: 1, running: 2, waiting: 2 };

function linesOf(jobs: Lined[], runs: Run[]): Line[] {
    const byJob = new Map<string, Run[]>();
    for (const run of runs) if (run.started_at) byJob.set(run.job, [...(byJob.get(run.job) ?? []), run]);
    return jobs
        .map((job) => ({ job, runs: byJob.get(job.name) ?? [] }))
        .filter((it) => it.runs.length > 0 || it.job.state === 'failing')
        .sort(
            (a, b) =>
                (rank[a.job.state] ?? 3) - (rank[b.job.state] ?? 3) ||
                b.runs.length - a.runs.length ||
                a.job.name.localeCompare(b.job.name),
        )
        .slice(0, MOST);
}

function Bars({ runs, place: { x, y, at, left } }: { runs: Run[]; place: Place }) {
    return (
        <>
            {runs.map((run) => {
                const from = Math.max(left, x(new Date(run.started_at as string)));
                const to = x(new Date(run.finished_at ?? at));
                const tone = toneOf(run.state);
                const took = run.duration_ms == null ? 'still' : lengthText(run.duration_ms);
                const text = `${run.job}: ${wordOf(run.state)}, ${took}`;
                if (tone === 'bad') {
                    return (
                        <path
                            key={run.run_id}
                            class="shape bad"
                            d={shapeOf(run.state)}
                            transform={`translate(${from - 7} ${y + 5})`}
                        >
                            <title>{text}</title>
                        </path>
                    );
                }
                return (
                    <rect
                        key={run.run_id}
                        class={tone}
                        x={from}
                        y={y + 6}
                        width={Math.max(2.5, to - from)}
                        height={ROW - 12}
                        rx="1.5"
                    >
                        <title>{text}</title>
                    </rect>
                );
            })}
        </>
    );
}

interface Place {
    x: (date: Date) => number;
    y: number;
    at: number;
    until: number;
    left: number;
}

/** Names begin alike more often than they end alike: of a long one the middle is left out. */
function fitting(name: string, room: number): string {
    const most = Math.max(8, Math.floor(room / LETTER));
    if (name.length <= most) return name;
    const head = Math.floor((most - 1) / 3);
    return `${name.slice(0, head)}…${name.slice(head + 1 - most)}`;
}

function JobLine({ database, of: { job, runs }, place }: { database: string; of: Line; place: Place }) {
    const { x, y, at, until, left } = place;
    const due = job.next_slot ? Date.parse(job.next_slot) : 0;
    return (
        <g>
            <path class={`shape ${toneOf(job.state)}`} d={shapeOf(job.state)} transform={`translate(2 ${y + 5})`}>
                <title>{wordOf(job.state)}</title>
            </path>
            <a href={link(database, 'job', [job.name])}>
                <text class="name" x={NAME} y={y + 16.5} clip-path="url(#names)">
                    <title>{job.name}</title>
                    {fitting(job.name, left - NAME - GAP)}
                </text>
            </a>
            <Bars runs={runs} place={place} />
            {due >= at && due <= until && (
                <path class="due" d={`M${x(new Date(due))} ${y + 6}v${ROW - 12}`}>
                    <title>{`${job.name}: due ${relativeText(job.next_slot as string, at)}`}</title>
                </path>
            )}
        </g>
    );
}

const startOf = (run: Run) => Date.parse(run.started_at ?? run.slot ?? '');

function Drawing({ database, lines, runs, width }: { database: string; lines: Line[]; runs: Run[]; width: number }) {
    const longest = Math.max(...lines.map((it) => it.job.name.length));
    const left = Math.min(NAME + longest * LETTER + GAP, Math.max(130, width * 0.3));
    const at = now.value;
    const oldest = Math.min(...runs.map(startOf).filter(Number.isFinite), at - 60e3);
    const until = at + (at - oldest) * AHEAD;
    const scale = zone.value === 'UTC' ? scaleUtc() : scaleTime();
    const x = scale.domain([new Date(oldest), new Date(until)]).range([left, width - 6]);
    const bottom = lines.length * ROW;
    const place = { x, at, until, left };
    const since = relativeText(new Date(oldest).toISOString(), at);
    const label = `Runs of ${lines.length} jobs since ${since}, and what is due next`;
    const middle = x(new Date(at));
    return (
        <svg class="chart timeline" width={width} height={bottom + AXIS} role="group" aria-label={label}>
            <clipPath id="names">
                <rect width={left - GAP} height={bottom} />
            </clipPath>
            {x.ticks(Math.max(2, Math.floor((width - left) / 110))).map((tick) => (
                <g key={tick.getTime()}>
                    <path class="grid" d={`M${x(tick)} 0V${bottom}`} />
                    <text x={x(tick)} y={bottom + AXIS - 5} text-anchor="middle">
                        {axisText(tick)}
                    </text>
                </g>
            ))}
            <rect class="ahead" x={middle} y="0" width={Math.max(0, width - middle)} height={bottom} />
            {lines.map((it, i) => (
                <JobLine key={it.job.name} database={database} of={it} place={{ ...place, y: i * ROW }} />
            ))}
            <path class="now" d={`M${middle} 0V${bottom}`} />
        </svg>
    );
}

interface Told {
    database: string;
    jobs: Lined[];
    /** The latest: the drawing begins with the first of them. */
    runs: Run[];
    /** Still running, and begun before those. */
    older: Run[];
}

export function Timeline({ database, jobs, runs, older }: Told) {
    const { place, width } = useWidth();
    const lines = linesOf(jobs, [...older, ...runs]);
    return (
        <div ref={place} class="chart-place">
            {lines.length === 0 ? (
                <p class="quiet">Nothing has run yet.</p>
            ) : (
                width > 0 && <Drawing database={database} lines={lines} runs={runs} width={width} />
            )}
        </div>
    );
}
