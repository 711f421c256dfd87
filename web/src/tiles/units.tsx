// SPDX-License-Identifier: PostgreSQL
// What a column is by its name and kind, and how a cell of it is written.
import { bytesText, instantText, lengthText } from '../clock';
import { Mark } from '../marks';
import type { Cell, TileColumn } from '../types';

const lengths: Record<string, number> = { ms: 1, seconds: 1000, minutes: 60e3 };
const unitOf = (name: string) => /_(pct|ms|usd|seconds|minutes|at|bytes)$/.exec(name)?.[1] ?? '';

/** "avg_latency_ms" is "avg latency": each cell has its unit. */
export function headingOf({ name }: TileColumn): string {
    const unit = unitOf(name);
    return (unit ? name.slice(0, -unit.length - 1) : name).replace(/_/g, ' ');
}

export const isState = ({ name }: TileColumn) => /(^|_)(status|rating)$/.test(name);
export const isNumber = ({ type }: TileColumn) => type === 'number';

function numberText(value: number, name: string): string {
    const unit = unitOf(name);
    if (unit in lengths) return lengthText(value * lengths[unit]);
    if (unit === 'bytes') return bytesText(value);
    const most = unit === 'usd' && Math.abs(value) < 1 ? 4 : 2;
    const text = value.toLocaleString('en-GB', { maximumFractionDigits: most });
    return unit === 'pct' ? `${text} %` : unit === 'usd' ? `$${text}` : text;
}

export function cellText(cell: Cell, column: TileColumn): string {
    if (cell == null) return '–';
    if (typeof cell === 'number') return numberText(cell, column.name);
    if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
    return column.type === 'instant' && !Number.isNaN(Date.parse(cell)) ? instantText(cell) : cell;
}

export function CellShown({ cell, column }: { cell: Cell; column: TileColumn }) {
    if (cell == null) return <span class="quiet">–</span>;
    return isState(column) ? <Mark state={String(cell).toLowerCase()} /> : <>{cellText(cell, column)}</>;
}
