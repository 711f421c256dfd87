// SPDX-License-Identifier: PostgreSQL
// Runs as rows. New ones do not push away what somebody points at: they wait until asked for, or until it is left.
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { Mark } from './marks';
import { At, Length, Wide } from './parts';
import { shortText } from './clock';
import { runLink } from './route';
import type { Run } from './types';

const keyOf = (run: Run) => `${run.run_id ?? run.state} ${run.job} ${run.slot}`;

function useHeld(runs: Run[]) {
    const holds = useSignal(false);
    const shown = useRef<Run[]>(runs);
    if (!holds.value) shown.current = runs;
    const known = new Set(shown.current.map(keyOf));
    const fresh = new Map(runs.map((run) => [keyOf(run), run]));
    return {
        rows: shown.current.map((run) => fresh.get(keyOf(run)) ?? run),
        waiting: runs.filter((run) => !known.has(keyOf(run))).length,
        holds,
        show: () => {
            shown.current = runs;
        },
    };
}

function Row({ database, run, named }: { database: string; run: Run; named: boolean }) {
    return (
        <tr>
            <th scope="row" class="number">
                <a class="row" href={runLink(database, run)}>
                    <At at={run.slot} />
                </a>
            </th>
            {named && <td>{run.job}</td>}
            <td>
                <Mark state={run.state} />
                {run.slots != null && run.slots > 1 && <span class="quiet"> {run.slots} slots</span>}
            </td>
            <td class="number">
                <Length ms={run.duration_ms} />
            </td>
            <td class="number">
                <span class={run.attempt === 1 ? 'quiet' : undefined}>{run.attempt ?? '–'}</span>
            </td>
            <td class="quiet">{run.trigger ?? '–'}</td>
            <td class="message" title={shortText(run.message ?? run.reason, 1000)}>
                {run.sqlstate && <code>{run.sqlstate}</code>} {shortText(run.message ?? run.reason)}
            </td>
        </tr>
    );
}

export function RunTable({ database, runs, named }: { database: string; runs: Run[]; named: boolean }) {
    const { rows, waiting, holds, show } = useHeld(runs);
    const hold = () => {
        holds.value = true;
    };
    const release = () => {
        holds.value = false;
    };
    return (
        <div onMouseEnter={hold} onMouseLeave={release} onFocusIn={hold} onFocusOut={release}>
            <p class="held" role="status">
                {waiting > 0 && (
                    <button
                        type="button"
                        class="small"
                        onClick={() => {
                            show();
                            release();
                        }}
                    >
                        {waiting} new
                    </button>
                )}
            </p>
            <Wide label="Runs">
                <table>
                    <thead>
                        <tr>
                            <th scope="col" class="number">
                                Slot
                            </th>
                            {named && <th scope="col">Job</th>}
                            <th scope="col">State</th>
                            <th scope="col" class="number">
                                Took
                            </th>
                            <th scope="col" class="number">
                                Attempt
                            </th>
                            <th scope="col">By</th>
                            <th scope="col">Message</th>
                        </tr>
                    </thead>
                    <tbody>
                        {rows.map((run) => (
                            <Row key={keyOf(run)} database={database} run={run} named={named} />
                        ))}
                    </tbody>
                </table>
            </Wide>
        </div>
    );
}
