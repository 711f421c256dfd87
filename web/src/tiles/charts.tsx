// SPDX-License-Identifier: PostgreSQL
// Charts of tiles. Each says in its title what it shows; the same is in a table.
import { scaleLinear, scaleTime, scaleUtc } from 'd3-scale';
import { line } from 'd3-shape';
import { axisText } from '../charts/axis';
import { useWidth } from '../charts/width';
import { zone } from '../clock';
import type { Cell, TileColumn, TileRows } from '../types';
import { cellText, headingOf, isNumber } from './units';

const LEFT = 64;
const ROW = 26;
const numberOf = (cell: Cell) => (typeof cell === 'number' ? cell : Number.NaN);
const cut = (text: string, most: number) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** The place of an x: an instant, a number, else how many came before it. */
function placesOf({ columns: [first], rows }: TileRows, width: number) {
    const range: [number, number] = [LEFT + 6, width - 12];
    if (first.type === 'instant') {
        const at = rows.map(([x]) => new Date(String(x)));
        const scale = (zone.value === 'UTC' ? scaleUtc() : scaleTime()).range(range);
        const x = scale.domain([at[0], at[at.length - 1]].sort((a, b) => a.getTime() - b.getTime()));
        const ticks = x.ticks(Math.max(2, Math.floor(width / 130))).map((it) => ({ at: x(it), text: axisText(it) }));
        return { xs: at.map((it) => x(it)), ticks };
    }
    const values = rows.map(([x], i) => (isNumber(first) ? numberOf(x) : i));
    const x = scaleLinear([Math.min(...values), Math.max(...values)], range);
    const step = Math.ceil(rows.length / Math.max(2, Math.floor(width / 130)));
    const ticks = rows.map(([it], i) => ({ at: x(values[i]), text: cut(cellText(it, first), 14) }));
    return { xs: values.map((it) => x(it)), ticks: ticks.filter((_, i) => i % step === 0) };
}

function OneLine({ tile, index, width, last }: { tile: TileRows; index: number; width: number; last: boolean }) {
    const column = tile.columns[index];
    const height = last ? 106 : 88;
    const values = tile.rows.map((row) => numberOf(row[index]));
    const real = values.filter(Number.isFinite);
    const { xs, ticks } = placesOf(tile, width);
    const y = scaleLinear([Math.min(0, ...real), Math.max(...real, 0)], [76, 30]).nice(2);
    const path = line<number>()
        .defined((value) => Number.isFinite(value))
        .x((_, i) => xs[i])
        .y((value) => y(value));
    const text = (value: number) => cellText(value, column);
    const range = `from ${text(Math.min(...real))} to ${text(Math.max(...real))}`;
    const label = `${headingOf(column)}: ${real.length} values, ${range}`;
    return (
        <svg class="chart" width={width} height={height} role="img" aria-label={label}>
            <title>{label}</title>
            <text class="name" x="0" y="11">
                {headingOf(column)}
            </text>
            {y.ticks(2).map((value) => (
                <g key={value}>
                    <path class="grid" d={`M${LEFT} ${y(value)}H${width}`} />
                    <text x={LEFT - 8} y={y(value) + 4} text-anchor="end">
                        {text(value)}
                    </text>
                </g>
            ))}
            <path class="line strong" d={path(values) ?? ''} />
            {values.length <= 60 &&
                values.map((value, i) =>
                    Number.isFinite(value) ? (
                        <circle key={xs[i]} class="dot" cx={xs[i]} cy={y(value)} r="2.4">
                            <title>{`${cellText(tile.rows[i][0], tile.columns[0])}: ${text(value)}`}</title>
                        </circle>
                    ) : null,
                )}
            {last &&
                ticks.map((tick) => (
                    <text key={tick.at} x={tick.at} y={height - 6} text-anchor="middle">
                        {tick.text}
                    </text>
                ))}
        </svg>
    );
}

function Lines({ tile, width }: { tile: TileRows; width: number }) {
    const drawn = tile.columns.flatMap((column, i) => (i > 0 && isNumber(column) ? [i] : []));
    return (
        <>
            {drawn.map((index, i) => (
                <OneLine key={index} tile={tile} index={index} width={width} last={i === drawn.length - 1} />
            ))}
        </>
    );
}

function Label({ cell, column, y, width }: { cell: Cell; column: TileColumn; y: number; width: number }) {
    const text = cellText(cell, column);
    return (
        <text class="name" x="0" y={y + 17}>
            <title>{text}</title>
            {cut(text, Math.floor(width / 7.5))}
        </text>
    );
}

function Bars({ tile, width }: { tile: TileRows; width: number }) {
    const [first, second] = tile.columns;
    const left = Math.min(190, width * 0.36);
    const values = tile.rows.map((row) => numberOf(row[1]));
    const x = scaleLinear([0, Math.max(...values.filter(Number.isFinite), 1e-9)], [0, Math.max(10, width - left - 74)]);
    const lengths = values.map((value) => x(value) || 0);
    const label = `${headingOf(second)} of ${tile.rows.length}, a bar each`;
    return (
        <svg class="chart" width={width} height={tile.rows.length * ROW} role="img" aria-label={label}>
            <title>{label}</title>
            {tile.rows.map((row, i) => (
                <g key={String(row[0])}>
                    <Label cell={row[0]} column={first} y={i * ROW} width={left} />
                    <rect class="live" x={left} y={i * ROW + 6} height="14" rx="2" width={Math.max(1, lengths[i])} />
                    <text x={left + lengths[i] + 8} y={i * ROW + 17}>
                        {cellText(row[1], second)}
                    </text>
                </g>
            ))}
        </svg>
    );
}

/** label, min, q1, median, q3, max. */
function Boxes({ tile, width }: { tile: TileRows; width: number }) {
    const left = Math.min(150, width * 0.3);
    const all = tile.rows.flatMap((row) => row.slice(1, 6).map(numberOf)).filter(Number.isFinite);
    const x = scaleLinear([Math.min(...all), Math.max(...all)], [left + 4, width - 10]).nice(3);
    const bottom = tile.rows.length * ROW;
    const label = `smallest, middle half and largest value of ${tile.rows.length}, a box each`;
    return (
        <svg class="chart" width={width} height={bottom + 22} role="img" aria-label={label}>
            <title>{label}</title>
            {x.ticks(4).map((value) => (
                <g key={value}>
                    <path class="grid" d={`M${x(value)} 0V${bottom}`} />
                    <text x={x(value)} y={bottom + 16} text-anchor="middle">
                        {cellText(value, tile.columns[3])}
                    </text>
                </g>
            ))}
            {tile.rows.map((row, i) => {
                const [low, q1, middle, q3, high] = row.slice(1, 6).map((it) => x(numberOf(it)));
                const y = i * ROW;
                return (
                    <g key={String(row[0])}>
                        <Label cell={row[0]} column={tile.columns[0]} y={y} width={left} />
                        {[low, q1, middle, q3, high].every(Number.isFinite) && (
                            <>
                                <path class="now" d={`M${low} ${y + 13}H${high}`} />
                                <path class="now" d={`M${low} ${y + 8}v10M${high} ${y + 8}v10`} />
                                <rect class="box" x={q1} y={y + 5} width={Math.max(1, q3 - q1)} height="16" />
                                <path class="median" d={`M${middle} ${y + 5}v16`} />
                            </>
                        )}
                    </g>
                );
            })}
        </svg>
    );
}

const kinds = { line: Lines, bars: Bars, box: Boxes };
const least = { line: 2, bars: 2, box: 6 };

/** Whether there is something to draw, and not a table alone. */
export const isDrawn = (tile: TileRows): tile is TileRows & { draw: keyof typeof kinds } =>
    tile.draw in kinds &&
    tile.columns.length >= least[tile.draw as keyof typeof least] &&
    tile.rows.length > 0 &&
    tile.columns.some((column, i) => i > 0 && isNumber(column));

export function TileChart({ tile }: { tile: TileRows & { draw: keyof typeof kinds } }) {
    const { place, width } = useWidth();
    const Chart = kinds[tile.draw];
    return (
        <div ref={place} class="chart-place">
            {width > 0 && <Chart tile={tile} width={width} />}
        </div>
    );
}
