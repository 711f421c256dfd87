// SPDX-License-Identifier: PostgreSQL
import { shapeOf, toneOf, wordOf } from '../marks';
import type { Run } from '../types';

const SHOWN = 32;
const STEP = 13;

/** The last outcomes, oldest first: what went well is a bar, what did not is its shape. */
export function OutcomeStrip({ runs }: { runs: Run[] }) {
    const last = runs.slice(0, SHOWN).reverse();
    if (last.length === 0) return null;
    const bad = last.filter((run) => toneOf(run.state) === 'bad').length;
    const label = `the last ${last.length} runs: ${bad} failed`;
    return (
        <svg class="strip-chart" width={last.length * STEP} height="18" role="img" aria-label={label}>
            <title>{label}</title>
            {last.map((run, i) => {
                const tone = toneOf(run.state);
                const key = `${run.run_id} ${run.slot}`;
                if (tone === 'good')
                    return (
                        <rect key={key} class="good" x={i * STEP + 3} y="2" width="7" height="14" rx="1.5">
                            <title>{wordOf(run.state)}</title>
                        </rect>
                    );
                return (
                    <path
                        key={key}
                        class={`shape ${tone}`}
                        d={shapeOf(run.state)}
                        transform={`translate(${i * STEP - 0.5} 2)`}
                    />
                );
            })}
        </svg>
    );
}
