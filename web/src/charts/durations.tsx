// SPDX-License-Identifier: PostgreSQL
// How long runs took, on a logarithmic scale; the band is where half of the good ones lie.
import { type ScaleLogarithmic, scaleLog, scaleTime, scaleUtc } from 'd3-scale';
import { line } from 'd3-shape';
import { instantText, lengthText, zone } from '../clock';
import { shapeOf, toneOf, wordOf } from '../marks';
import type { Run } from '../types';
import { axisText } from './axis';
import { useWidth } from './width';

const HEIGHT = 190;
const LEFT = 58;
const BOTTOM = 24;
const TOP = 10;
const MOST_DOTS = 120;

interface Point {
    at: Date;
    ms: number;
    run: Run;
}

function pointsOf(runs: Run[]): Point[] {
    return runs
        .filter((run) => run.slot && run.duration_ms != null)
        .map((run) => ({ at: new Date(run.slot as string), ms: Math.max(run.duration_ms as number, 0.1), run }))
        .sort((a, b) => a.at.getTime() - b.at.getTime());
}

const quantile = (sorted: number[], share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

interface Scales {
    x: (at: Date) => number;
    y: (ms: number) => number;
}

/** Powers of ten, where there are two of them. */
function ticksOf(y: ScaleLogarithmic<number, number>): number[] {
    const powers = y.ticks().filter((value) => Number.isInteger(Math.round(Math.log10(value) * 1e9) / 1e9));
    return powers.length >= 2 ? powers : y.ticks(3).filter((_, i, all) => i % Math.ceil(all.length / 4) === 0);
}

function labelOf(points: Point[], sorted: number[]): string {
    const lengths = points.map(({ ms }) => ms);
    const range = `from ${lengthText(Math.min(...lengths))} to ${lengthText(Math.max(...lengths))}`;
    const text = `${points.length} runs, ${range}`;
    if (sorted.length === 0) return text;
    const [from, to] = [0.25, 0.75].map((share) => lengthText(quantile(sorted, share)));
    return `${text}; half of the good ones took ${from} to ${to}`;
}

function Band({ sorted, y, width }: { sorted: number[]; y: Scales['y']; width: number }) {
    const top = y(quantile(sorted, 0.75));
    const height = Math.max(2, y(quantile(sorted, 0.25)) - top);
    return <rect class="band" x={LEFT} width={Math.max(0, width - LEFT)} y={top} height={height} />;
}

function Good({ points, x, y }: { points: Point[] } & Scales) {
    const path = line<Point>()
        .x((it) => x(it.at))
        .y((it) => y(it.ms));
    return (
        <>
            <path class="line" d={path(points) ?? ''} />
            {points.length <= MOST_DOTS &&
                points.map((it) => (
                    <circle key={it.run.run_id} class="dot" cx={x(it.at)} cy={y(it.ms)} r="2.2">
                        <title>{`${instantText(it.run.slot as string)}: ${lengthText(it.ms)}`}</title>
                    </circle>
                ))}
        </>
    );
}

function Others({ points, x, y }: { points: Point[] } & Scales) {
    return (
        <>
            {points.map(({ run, at, ms }) => (
                <path
                    key={run.run_id}
                    class={`shape ${toneOf(run.state)}`}
                    d={shapeOf(run.state)}
                    transform={`translate(${x(at) - 7} ${y(ms) - 7})`}
                >
                    <title>{`${instantText(run.slot as string)}: ${wordOf(run.state)}, ${lengthText(ms)}`}</title>
                </path>
            ))}
        </>
    );
}

function Drawing({ points, width }: { points: Point[]; width: number }) {
    const good = points.filter(({ run }) => run.state === 'succeeded');
    const sorted = good.map(({ ms }) => ms).sort((a, b) => a - b);
    const low = Math.min(...points.map(({ ms }) => ms));
    const high = Math.max(...points.map(({ ms }) => ms), low * 3);
    const y = scaleLog([low / 1.3, high * 1.3], [HEIGHT - BOTTOM, TOP]);
    const scale = zone.value === 'UTC' ? scaleUtc() : scaleTime();
    const x = scale.domain([points[0].at, points[points.length - 1].at]).range([LEFT + 8, width - 10]);
    const label = labelOf(points, sorted);
    return (
        <svg class="chart" width={width} height={HEIGHT} role="img" aria-label={label}>
            <title>{label}</title>
            {sorted.length > 3 && <Band sorted={sorted} y={y} width={width} />}
            {ticksOf(y).map((value) => (
                <g key={value}>
                    <path class="grid" d={`M${LEFT} ${y(value)}H${width}`} />
                    <text x={LEFT - 8} y={y(value) + 4} text-anchor="end">
                        {lengthText(value)}
                    </text>
                </g>
            ))}
            {x.ticks(Math.max(2, Math.floor(width / 150))).map((at) => (
                <text key={at.getTime()} x={x(at)} y={HEIGHT - 6} text-anchor="middle">
                    {axisText(at)}
                </text>
            ))}
            <Good points={good} x={x} y={y} />
            <Others points={points.filter(({ run }) => run.state !== 'succeeded')} x={x} y={y} />
        </svg>
    );
}

export function DurationChart({ runs }: { runs: Run[] }) {
    const { place, width } = useWidth();
    const points = pointsOf(runs);
    return (
        <div ref={place} class="chart-place">
            {points.length < 2 ? (
                <p class="quiet">Fewer than two runs have ended yet.</p>
            ) : (
                width > 0 && <Drawing points={points} width={width} />
            )}
        </div>
    );
}
