// SPDX-License-Identifier: PostgreSQL
// How long runs took, on a logarithmic scale; the band is where half of the good ones lie.
import { scaleLog, scaleTime, scaleUtc } from 'd3-scale';
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

interface Point { at: Date; ms: number; run: Run }

function pointsOf(runs: Run[]): Point[] {
    return runs
        .filter((run) => run.slot && run.duration_ms != null)
        .map((run) => ({ at: new Date(run.slot as string), ms: Math.max(run.duration_ms as number, 0.1), run }))
        .sort((a, b) => a.at.getTime() - b.at.getTime());
}

const quantile = (sorted: number[], share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

function Drawing({ points, width }: { points: Point[]; width: number }) {
    const good = points.filter(({ run }) => run.state === 'succeeded');
    const lengths = points.map(({ ms }) => ms);
    const low = Math.min(...lengths);
    const high = Math.max(...lengths);
    const y = scaleLog([low / 1.3, Math.max(high, low * 3) * 1.3], [HEIGHT - BOTTOM, TOP]);
    const scale = zone.value === 'UTC' ? scaleUtc() : scaleTime();
    const x = scale.domain([points[0].at, points[points.length - 1].at]).range([LEFT + 8, width - 10]);
    const sorted = good.map(({ ms }) => ms).sort((a, b) => a - b);
    const powers = y.ticks().filter((value) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9);
    const ticks = powers.length >= 2 ? powers : y.ticks(3).filter((_, i, all) => i % Math.ceil(all.length / 4) === 0);
    const label = `${points.length} runs, from ${lengthText(low)} to ${lengthText(high)}${sorted.length > 0 ? `; half of them take ${lengthText(quantile(sorted, 0.25))} to ${lengthText(quantile(sorted, 0.75))}` : ''}`;
    return (
        <svg class="chart" width={width} height={HEIGHT} role="img" aria-label={label}>
            <title>{label}</title>
            {sorted.length > 3 && (
                <rect class="band" x={LEFT} width={Math.max(0, width - LEFT)} y={y(quantile(sorted, 0.75))} height={Math.max(2, y(quantile(sorted, 0.25)) - y(quantile(sorted, 0.75)))} />
            )}
            {ticks.map((value) => (
                <g key={value}>
                    <path class="grid" d={`M${LEFT} ${y(value)}H${width}`} />
                    <text x={LEFT - 8} y={y(value) + 4} text-anchor="end">{lengthText(value)}</text>
                </g>
            ))}
            {x.ticks(Math.max(2, Math.floor(width / 150))).map((at) => (
                <text key={at.getTime()} x={x(at)} y={HEIGHT - 6} text-anchor="middle">{axisText(at)}</text>
            ))}
            <path class="line" d={line<Point>((it) => x(it.at), (it) => y(it.ms))(good) ?? ''} />
            {good.length <= 120 && good.map((it) => (
                <circle key={`${it.run.run_id}`} class="dot" cx={x(it.at)} cy={y(it.ms)} r="2.2"><title>{`${instantText(it.run.slot as string)}: ${lengthText(it.ms)}`}</title></circle>
            ))}
            {points.filter(({ run }) => run.state !== 'succeeded').map((it) => (
                <path key={`${it.run.run_id}`} class={`shape ${toneOf(it.run.state)}`} d={shapeOf(it.run.state)} transform={`translate(${x(it.at) - 7} ${y(it.ms) - 7})`}>
                    <title>{`${instantText(it.run.slot as string)}: ${wordOf(it.run.state)}, ${lengthText(it.ms)}`}</title>
                </path>
            ))}
        </svg>
    );
}

export function DurationChart({ runs }: { runs: Run[] }) {
    const { place, width } = useWidth();
    const points = pointsOf(runs);
    return (
        <div ref={place} class="chart-place">
            {points.length < 2 ? <p class="quiet">Fewer than two runs have ended yet.</p> : width > 0 && <Drawing points={points} width={width} />}
        </div>
    );
}
