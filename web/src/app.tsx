// SPDX-License-Identifier: PostgreSQL
// Which page is shown.
import { useSignal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';
import { Bar, pages } from './frame';
import { Help } from './keys';
import { Empty, Reading, Title } from './parts';
import { awaySince, signIn, signedOut, tilesOnly, useResource } from './resource';
import { later } from './later';
import { route } from './route';
import type { Database } from './types';
import { ActDialog } from './act';
import { DatabasesPage } from './pages/databases';
import { JobsPage } from './pages/jobs';
import { OverviewPage } from './pages/overview';
import { RunsPage } from './pages/runs';

export interface PageProps {
    database: string;
    /** The database's paths begin so. */
    base: string;
    args: string[];
    filter: Record<string, string>;
}

const named = (name: string) => () => name;
const first = ({ args }: PageProps) => args[0] ?? '';

const known: Record<string, FunctionComponent<PageProps>> = {
    overview: OverviewPage,
    jobs: JobsPage,
    runs: RunsPage,
    tiles: later(named('Tiles'), () => import('./pages/tiles').then((it) => it.TilesPage)),
    job: later(first, () => import('./pages/job').then((it) => it.JobPage)),
    views: later(named('Views'), () => import('./pages/views').then((it) => it.ViewsPage)),
    view: later(first, () => import('./pages/views').then((it) => it.ViewPage)),
    graph: later(named('Graph'), () => import('./pages/graph').then((it) => it.GraphPage)),
    alerts: later(named('Alerts'), () => import('./pages/alerts').then((it) => it.AlertsPage)),
    history: later(named('History'), () => import('./pages/history').then((it) => it.HistoryPage)),
    doctor: later(named('Doctor'), () => import('./pages/doctor').then((it) => it.DoctorPage)),
};

const runPage = later(first, () => import('./pages/run').then((it) => it.RunPage));

/** What comes from the address may be called "constructor". */
function pageOf(page: string, args: string[]): FunctionComponent<PageProps> | undefined {
    if (page === 'job' && args[1] === 'run') return runPage;
    return Object.hasOwn(known, page) ? known[page] : undefined;
}

function SignIn() {
    const said = useSignal('');
    const submit = async (event: Event) => {
        event.preventDefault();
        const field = (event.currentTarget as HTMLFormElement).elements.namedItem('token') as HTMLInputElement;
        said.value = '';
        const problem = await signIn(field.value.trim());
        if (problem) said.value = problem.detail;
    };
    return (
        <main id="main" class="sign-in">
            <Title>Who asks?</Title>
            <form onSubmit={submit}>
                <label for="token">Token</label>
                <input id="token" name="token" type="password" autocomplete="current-password" required />
                <button type="submit">sign in</button>
            </form>
            <p role="alert" class="bad-text">
                {said.value}
            </p>
            <p class="hint">pgchime web token NAME --role view makes one.</p>
        </main>
    );
}

/** The list of databases may not be there yet: what is named in the address is shown at once. */
function Page({ databases, chosen }: { databases: Database[] | undefined; chosen: string }) {
    const { args, filter } = route.value;
    const page = tilesOnly.value && route.value.page === 'overview' ? 'tiles' : route.value.page;
    const Shown = tilesOnly.value && page !== 'tiles' ? undefined : pageOf(page, args);
    if (databases?.length === 0) {
        return (
            <Empty hint='"databases" in web.conf lists them'>
                <h1 tabIndex={-1}>No database</h1>
            </Empty>
        );
    }
    if (!chosen) return databases ? <DatabasesPage databases={databases} /> : null;
    if (!Shown || (databases && !databases.some((it) => it.database === chosen))) {
        return (
            <>
                <Title>Nothing here</Title>
                <p>
                    {Shown ? `There is no database "${chosen}".` : `There is no page "${page}".`}{' '}
                    <a href="#/">Overview</a>
                </p>
            </>
        );
    }
    return (
        <Shown
            key={`${chosen} ${page} ${args.join('/')}`}
            database={chosen}
            base={`/d/${encodeURIComponent(chosen)}`}
            args={args}
            filter={filter}
        />
    );
}

/** Whoever comes by a link begins to read at the heading; the title of the window says where one is. */
function useHeading(place: string, first: { value: boolean }): void {
    useEffect(() => {
        if (!first.value) document.querySelector<HTMLElement>('h1')?.focus({ preventScroll: false });
        first.value = false;
    }, [place]);
}

export function App() {
    // Who may see tiles alone is told so by the list of databases, and has one of his own.
    const all = useResource<{ databases: Database[] }>(tilesOnly.value ? '' : '/databases');
    const few = useResource<{ databases: Database[] }>(tilesOnly.value ? '/tiles' : '');
    const databases = tilesOnly.value ? few : all;
    const refused = all.problem.value?.status === 403;
    useEffect(() => {
        if (refused) tilesOnly.value = true;
    }, [refused]);
    const list = databases.data.value?.databases ?? [];
    const { database, page, args } = route.value;
    const chosen = database || (list.length === 1 || page === 'tiles' ? (list[0]?.database ?? '') : '');
    const first = useSignal(true);
    useHeading([chosen, page, ...args].join('/'), first);
    const sign = awaySince.value ? '(!) ' : '';
    useEffect(() => {
        const name = args[0] ?? pages.find(([it]) => it === page)?.[1] ?? page;
        document.title = `${sign}${name}${chosen ? ` · ${chosen}` : ''} · pgchime`;
    });
    if (signedOut.value) return <SignIn />;
    return (
        <>
            <a
                class="skip"
                href="#main"
                onClick={(event) => {
                    event.preventDefault();
                    document.getElementById('main')?.focus();
                }}
            >
                Skip to what is here
            </a>
            <Bar databases={list} chosen={chosen} />
            <main id="main" tabIndex={-1}>
                {chosen || databases.data.value ? (
                    <Page databases={databases.data.value?.databases} chosen={chosen} />
                ) : (
                    <Reading of={databases}>{() => null}</Reading>
                )}
            </main>
            <ActDialog />
            <Help />
        </>
    );
}
