// SPDX-License-Identifier: PostgreSQL
// What plugins show: a grid for each, or of those that the address names, also for a wall.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { PageProps } from '../app';
import { TileChart, isDrawn } from '../tiles/charts';
import { CellShown, headingOf, isNumber, isState } from '../tiles/units';
import { lengthText } from '../clock';
import { Mark, toneOf } from '../marks';
import { Empty, Reading, Title, Wide } from '../parts';
import { useDear, useResource } from '../resource';
import { setFilter } from '../route';
import type { Cell, Tile, TilePlugin, TileRows } from '../types';

const nameOf = ({ plugin, tile }: { plugin: string; tile: number }) => `${plugin}/${tile}`;

/** "> 100": whether a value is so. */
function holds(limit: string | null, cell: Cell): boolean {
    const [, operator, number] = /^(>=|<=|<>|>|<|=) *(.+)$/.exec(limit ?? '') ?? [];
    if (!operator || typeof cell !== 'number') return false;
    const is = { '>': cell > +number, '<': cell < +number, '=': cell === +number };
    if (operator === '<>') return !is['='];
    return [...operator].some((it) => is[it as keyof typeof is]);
}

function Number1({ tile }: { tile: TileRows }) {
    const [row] = tile.rows;
    const [first, ...others] = tile.columns;
    const state = holds(tile.critical, row[0]) ? 'critical' : holds(tile.warn, row[0]) ? 'warning' : '';
    return (
        <dl class="number-tile">
            <div class={state ? toneOf(state) : undefined}>
                <dt>{headingOf(first)}</dt>
                <dd class="large">
                    <CellShown cell={row[0]} column={first} />
                </dd>
                {state && (
                    <dd>
                        <Mark state={state} word={`${state}: ${state === 'critical' ? tile.critical : tile.warn}`} />
                    </dd>
                )}
            </div>
            {others.map((column, i) => (
                <div key={column.name}>
                    <dt>{headingOf(column)}</dt>
                    <dd>
                        <CellShown cell={row[i + 1]} column={column} />
                    </dd>
                </div>
            ))}
        </dl>
    );
}

const stateOf = (cell: Cell) => String(cell).toLowerCase();

function Table({ tile }: { tile: TileRows }) {
    const deciding = tile.columns.findIndex((it) => (tile.state ? it.name === tile.state : isState(it)));
    return (
        <Wide label={tile.title}>
            <table>
                <thead>
                    <tr>
                        {tile.columns.map((column) => (
                            <th key={column.name} scope="col" class={isNumber(column) ? 'number' : undefined}>
                                {headingOf(column)}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody>
                    {tile.rows.map((row, i) => (
                        <tr key={i} class={deciding < 0 ? undefined : `row-${toneOf(stateOf(row[deciding]))}`}>
                            {row.map((cell, j) => {
                                const column = tile.columns[j];
                                const shown = <CellShown cell={cell} column={column} />;
                                return j === 0 && !isNumber(column) && cell ? (
                                    <th key={column.name} scope="row">
                                        {shown}
                                    </th>
                                ) : (
                                    <td key={column.name} class={isNumber(column) ? 'number' : 'message'}>
                                        {shown}
                                    </td>
                                );
                            })}
                        </tr>
                    ))}
                </tbody>
            </table>
        </Wide>
    );
}

function Rows({ tile }: { tile: TileRows }) {
    const asTable = useSignal(false);
    if (tile.rows.length === 0) {
        return <p class="quiet">{tile.more ? 'A row of it is too large to be shown.' : 'No rows now.'}</p>;
    }
    if (tile.draw === 'number') return <Number1 tile={tile} />;
    const drawn = isDrawn(tile);
    return (
        <>
            {drawn && (
                <button
                    type="button"
                    class="small"
                    aria-pressed={asTable.value}
                    onClick={() => {
                        asTable.value = !asTable.value;
                    }}
                >
                    as a table<span class="for-ears">: {tile.title}</span>
                </button>
            )}
            {drawn && !asTable.value ? <TileChart tile={tile} /> : <Table tile={tile} />}
            {tile.more && (
                <p class="hint">
                    The first {tile.rows.length} rows: there are more.
                    {tile.choices ? ' Choose another to see less.' : ''}
                </p>
            )}
        </>
    );
}

function Choice({ tile }: { tile: TileRows }) {
    if (!tile.has_choices) return null;
    if (!tile.choices?.length) return <p class="quiet">There is nothing to choose from yet.</p>;
    const all = tile.choices.some((it) => it.value === tile.choice)
        ? tile.choices
        : [{ value: tile.choice ?? '', label: tile.choice ?? '' }, ...tile.choices];
    return (
        <select
            aria-label={`${tile.title}: of`}
            value={tile.choice ?? ''}
            onChange={(event) => setFilter({ [nameOf(tile)]: event.currentTarget.value })}
        >
            {all.map((it) => (
                <option key={it.value} value={it.value}>
                    {it.label ?? it.value}
                </option>
            ))}
        </select>
    );
}

function TileShown({ of, base, choice }: { of: Tile; base: string; choice: string }) {
    const query = choice ? `?choice=${encodeURIComponent(choice)}` : '';
    const rows = useDear<{ tiles: TileRows[] }>(`${base}/tile/${encodeURIComponent(of.plugin)}/${of.tile}${query}`);
    return (
        <article class="card tile" aria-label={of.title}>
            <header class="section-head">
                <h3>{of.title}</h3>
                {rows.data.value && <Choice tile={rows.data.value.tiles[0]} />}
            </header>
            {of.note && <p class="quiet">{of.note}</p>}
            <Reading of={rows}>{({ tiles: [tile] }) => <Rows tile={tile} />}</Reading>
        </article>
    );
}

type Place = Pick<PageProps, 'base' | 'filter'>;

function Grid({ plugin, tiles, base, filter }: { plugin: TilePlugin; tiles: Tile[] } & Place) {
    return (
        <section aria-label={plugin.plugin}>
            <header class="section-head">
                <h2>{plugin.plugin.replace(/_/g, ' ')}</h2>
                <span>
                    <Mark state={plugin.state === 'installed' ? (plugin.freshness ?? '') : plugin.state} />
                    {plugin.behind_ms != null && plugin.behind_ms >= 1000 && (
                        <span class="quiet"> {lengthText(plugin.behind_ms)} behind</span>
                    )}
                </span>
            </header>
            {plugin.state !== 'installed' && (
                <p class="quiet">
                    It is {plugin.state}, and shows nothing. <span class="hint">pgchime plugins says why.</span>
                </p>
            )}
            <div class="cards tiles">
                {tiles.map((tile) => (
                    <TileShown
                        key={nameOf(tile)}
                        of={tile}
                        base={base}
                        choice={filter[nameOf(tile)] ?? ''}
                    />
                ))}
            </div>
        </section>
    );
}

interface Lists {
    tiles: Tile[];
    plugins: TilePlugin[];
}

function None({ wanted }: { wanted: string[] }) {
    if (wanted.length > 0) return <Empty hint={wanted.join(', ')}>There is no such tile here.</Empty>;
    return (
        <Empty hint="docs/writing-a-plugin.md says how one declares tiles">
            No plugin that is installed shows a tile here yet.
        </Empty>
    );
}

function All({ data, base, filter }: { data: Lists } & Place) {
    const wanted = (filter.show ?? '').split(',').filter(Boolean);
    const isWanted = (it: Tile) => !wanted.length || wanted.includes(it.plugin) || wanted.includes(nameOf(it));
    const shown = data.tiles.filter(isWanted);
    const grids = data.plugins
        .map((plugin) => ({ plugin, tiles: shown.filter((it) => it.plugin === plugin.plugin) }))
        .filter((it) => it.tiles.length > 0 || (!wanted.length && it.plugin.state !== 'installed'));
    if (grids.length === 0) return <None wanted={wanted} />;
    return (
        <>
            {grids.map((it) => (
                <Grid key={it.plugin.plugin} plugin={it.plugin} tiles={it.tiles} base={base} filter={filter} />
            ))}
        </>
    );
}

export function TilesPage({ base, filter }: PageProps) {
    const lists = useResource<Lists>(`${base}/tiles`);
    const kiosk = 'kiosk' in filter;
    useEffect(() => {
        document.body.classList.toggle('kiosk', kiosk);
        return () => document.body.classList.remove('kiosk');
    }, [kiosk]);
    return (
        <>
            <Title>Tiles</Title>
            <Reading of={lists}>{(data) => <All data={data} base={base} filter={filter} />}</Reading>
        </>
    );
}
