// SPDX-License-Identifier: PostgreSQL
import type { PageProps } from '../app';
import { Empty, Reading, Title } from '../parts';
import { useResource } from '../resource';
import { cursorOf, link } from '../route';
import { RunTable } from '../run_table';
import type { Run } from '../types';

export const FAILED = 'failed,timed_out,lost';
const MOST = 100;
const choices: [string, string][] = [
    ['', 'all'],
    [FAILED, 'failed'],
    ['skipped,missed', 'not started'],
    ['running', 'running'],
];

export function RunChoice({ chosen, to }: { chosen: string; to: (state: string) => string }) {
    return (
        <nav class="choice" aria-label="Which runs">
            {choices.map(([state, word]) => (
                <a key={word} href={to(state)} aria-current={state === chosen ? 'true' : undefined}>
                    {word}
                </a>
            ))}
        </nav>
    );
}

export function RunsPage({ database, base, filter }: PageProps) {
    const { state = '', before = '' } = filter;
    const chosen = new URLSearchParams(Object.entries({ state, before }).filter(([, value]) => value));
    const runs = useResource<{ runs: Run[] }>(`${base}/runs?limit=${MOST}&${chosen}`);
    const to = (change: Record<string, string>) => link(database, 'runs', [], { state, ...change });
    return (
        <>
            <Title aside={<RunChoice chosen={state} to={(it) => link(database, 'runs', [], { state: it })} />}>
                Runs
            </Title>
            <Reading of={runs}>
                {(data) => (
                    <>
                        {data.runs.length > 0 ? (
                            <RunTable database={database} runs={data.runs} named />
                        ) : (
                            <Empty hint={state || before ? '' : 'pgchime run JOB asks for one now'}>
                                {state || before ? 'No such run is on record.' : 'Nothing has run yet.'}
                            </Empty>
                        )}
                        <p class="below">
                            {before && <a href={to({})}>the latest</a>}{' '}
                            {data.runs.length >= MOST && (
                                <a href={to({ before: cursorOf(data.runs[MOST - 1]) })}>earlier ones</a>
                            )}
                        </p>
                    </>
                )}
            </Reading>
        </>
    );
}
