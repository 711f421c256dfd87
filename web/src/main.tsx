// SPDX-License-Identifier: PostgreSQL
import { render } from 'preact';
import { App } from './app';
import { signIn } from './resource';
import { parse, route } from './route';
import './visible';

/** A link may have the token in its fragment, which no log sees; it does not stay there. */
async function start(): Promise<void> {
    const token = /^#token=(.+)$/.exec(location.hash)?.[1];
    if (token) {
        history.replaceState(null, '', '#/');
        route.value = parse(location.hash);
        await signIn(decodeURIComponent(token));
    }
    const place = document.getElementById('app');
    if (place) render(<App />, place);
}

void start();
