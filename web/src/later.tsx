// SPDX-License-Identifier: PostgreSQL
// Pages whose scripts come when they are looked at first, so that the first page waits for none of them.
import { useSignal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';
import type { PageProps } from './app';
import { Title } from './parts';

type Page = FunctionComponent<PageProps>;

/** The server is away, or it is another version now, which has other scripts. */
function NoScript() {
    return (
        <div class="notice bad" role="alert">
            <h2>The script of this page cannot be loaded</h2>
            <p>The server cannot be reached, or it has been upgraded since this window was opened.</p>
            <button type="button" onClick={() => location.reload()}>
                load all of it again
            </button>
        </div>
    );
}

/** A part of a page whose script comes behind it; where it does not, the page does without. */
export function laterPart<P extends object>(load: () => Promise<FunctionComponent<P>>): FunctionComponent<P> {
    let loaded: FunctionComponent<P> | undefined;
    return function LaterPart(props: P) {
        const shown = useSignal(loaded !== undefined);
        useEffect(() => {
            if (loaded) return;
            load().then(
                (part) => {
                    loaded = part;
                    shown.value = true;
                },
                () => undefined,
            );
        }, []);
        const Part = loaded;
        return Part && shown.value ? <Part {...props} /> : <div class="chart-place" />;
    };
}

/** `title` stands there until the page does; who reads from the heading on stays there. */
export function later(title: (props: PageProps) => string, load: () => Promise<Page>): Page {
    let loaded: Page | undefined;
    return function Later(props: PageProps) {
        const state = useSignal<'loading' | 'shown' | 'failed'>(loaded ? 'shown' : 'loading');
        const read = useSignal(false);
        useEffect(() => {
            if (loaded) return;
            load().then(
                (page) => {
                    loaded = page;
                    read.value = document.activeElement?.tagName === 'H1';
                    state.value = 'shown';
                },
                () => {
                    state.value = 'failed';
                },
            );
        }, []);
        useEffect(() => {
            if (read.value) document.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true });
        }, [state.value]);
        const Shown = loaded;
        if (Shown && state.value === 'shown') return <Shown {...props} />;
        return (
            <>
                <Title>{title(props)}</Title>
                {state.value === 'failed' && <NoScript />}
            </>
        );
    };
}
