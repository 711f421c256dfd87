// SPDX-License-Identifier: PostgreSQL
// A bar a day: how much of it went well, from below, and what did not, on top of that; a button shows a table instead.
import { useSignal } from '@preact/signals';
import { count, lengthText } from '../clock';
import { Wide } from '../parts';
import type { Day } from '../types';

const HEIGHT = 44;
const STEP = 10;
const SHOWN = 90;
const DAY = 86400e3;

interface Part {
    tone: string;
    share: number;
}

/** A part that is there is seen, however small it is. */
function partsOf(day: Day): Part[] {
    const all = Math.max(1, day.runs + day.skipped + day.missed);
    const other = day.runs - day.succeeded - day.failed;
    const parts = [
        { tone: 'good', share: day.succeeded / all },
        { tone: 'quiet', share: (day.skipped + other) / all },
        { tone: 'warn', share: day.missed / all },
        { tone: 'bad', share: day.failed / all },
    ].filter(({ share }) => share > 0);
    const seen = parts.map(({ tone, share }) => ({ tone, share: Math.max(share, 0.12) }));
    const sum = seen.reduce((total, { share }) => total + share, 0);
    return seen.map(({ tone, share }) => ({ tone, share: share / sum }));
}

const words: [keyof Day, string][] = [
    ['succeeded', 'succeeded'],
    ['failed', 'failed'],
    ['missed', 'missed'],
    ['skipped', 'skipped'],
];

function textOf(day: Day): string {
    const parts = words.filter(([key]) => day[key]).map(([key, word]) => `${count(day[key] as number)} ${word}`);
    return `${day.day}: ${parts.join(', ') || 'nothing'}`;
}

/** Days without a row had nothing due: they are gaps. */
function listOf(days: Day[]): (Day | undefined)[] {
    const known = new Map(days.map((day) => [day.day, day]));
    const last = Date.parse(`${days[0].day}T00:00:00Z`);
    const names = Array.from({ length: SHOWN }, (_, i) => new Date(last - (SHOWN - 1 - i) * DAY).toISOString());
    return names.map((name) => known.get(name.slice(0, 10)));
}

function Bar({ day, x }: { day: Day; x: number }) {
    let top = HEIGHT;
    return (
        <g>
            <title>{textOf(day)}</title>
            {partsOf(day).map(({ tone, share }) => {
                top -= share * HEIGHT;
                return <rect key={tone} class={tone} x={x} y={top} width={STEP - 2} height={share * HEIGHT} />;
            })}
        </g>
    );
}

function Table({ days }: { days: Day[] }) {
    return (
        <Wide label="Days">
            <table>
                <thead>
                    <tr>
                        <th scope="col">Day (UTC)</th>
                        {words.map(([key, word]) => (
                            <th key={key} scope="col" class="number">
                                {word}
                            </th>
                        ))}
                        <th scope="col" class="number">
                            half within
                        </th>
                        <th scope="col" class="number">
                            longest
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {days.map((day) => (
                        <tr key={day.day}>
                            <th scope="row">{day.day}</th>
                            {words.map(([key]) => (
                                <td key={key} class="number">
                                    {count(day[key] as number)}
                                </td>
                            ))}
                            <td class="number">{day.p50_ms == null ? '–' : lengthText(day.p50_ms)}</td>
                            <td class="number">{day.max_ms == null ? '–' : lengthText(day.max_ms)}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </Wide>
    );
}

/** The latest first. */
export function DayBars({ days }: { days: Day[] }) {
    const asTable = useSignal(false);
    if (days.length === 0) {
        return <p class="quiet">No day of it is summed up yet: that is done in the night after.</p>;
    }
    const sum = (key: keyof Day) => days.reduce((total, day) => total + (day[key] as number), 0);
    const runs = sum('runs');
    const good = ((100 * sum('succeeded')) / runs).toFixed(1);
    const share = runs > 0 ? `${good} % of ${count(runs)} runs succeeded` : 'no run';
    const label = `${share}, ${count(sum('missed'))} slots missed, from ${days[days.length - 1].day} to ${days[0].day}`;
    return (
        <>
            <p class="quiet">
                {label}{' '}
                <button type="button" class="small" onClick={() => (asTable.value = !asTable.value)}>
                    {asTable.value ? 'as bars' : 'as a table'}
                </button>
            </p>
            {asTable.value ? (
                <Table days={days} />
            ) : (
                <svg
                    class="chart days"
                    viewBox={`0 0 ${SHOWN * STEP} ${HEIGHT}`}
                    preserveAspectRatio="none"
                    width="100%"
                    height={HEIGHT}
                    role="img"
                    aria-label={label}
                >
                    {listOf(days).map((day, i) => day && <Bar key={day.day} day={day} x={i * STEP} />)}
                </svg>
            )}
        </>
    );
}
