// SPDX-License-Identifier: PostgreSQL
// Which page is shown.
import { useSignal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';
import { Bar, pages } from './frame';
import { Help } from './keys';
import { Empty, Reading, Title } from './parts';
import { awaySince, signIn, signedOut, tilesOnly, useResource } from './resource';
import { route } from './route';
import { serves } from './served';
import type { Database } from './types';
import { AlertsPage } from './pages/alerts';
import { DatabasesPage } from './pages/databases';
import { ActDialog } from './act';
import { DoctorPage } from './pages/doctor';
import { GraphPage } from './pages/graph';
import { HistoryPage } from './pages/history';
import { JobPage } from './pages/job';
import { JobsPage } from './pages/jobs';
import { OverviewPage } from './pages/overview';
import { RunPage } from './pages/run';
import { RunsPage } from './pages/runs';
import { ViewPage, ViewsPage } from './pages/views';

export interface PageProps {
    database: string;
    /** The database's paths begin so. */
    base: string;
    args: string[];
    filter: Record<string, string>;
}

/** A page whose script comes when it is looked at. */
function Later(props: PageProps) {
    const shown = useSignal<FunctionComponent<PageProps>>();
    useEffect(() => {
        import('./pages/tiles').then(
            (it) => {
                shown.value = it.TilesPage;
            },
            () => {
                awaySince.value ||= Date.now();
            },
        );
    }, []);
    const Shown = shown.value;
    return Shown ? <Shown {...props} /> : <Title>Tiles</Title>;
}

const known: Record<string, FunctionComponent<PageProps>> = {
    overview: OverviewPage,
    tiles: Later,
    jobs: JobsPage,
    runs: RunsPage,
    views: ViewsPage,
    view: ViewPage,
    graph: GraphPage,
    alerts: AlertsPage,
    history: HistoryPage,
    doctor: DoctorPage,
};

function pageOf(page: string, args: string[]): FunctionComponent<PageProps> | undefined {
    if (page === 'job') return args[1] === 'run' ? RunPage : JobPage;
    return serves(page) || page === 'view' ? known[page] : undefined;
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
