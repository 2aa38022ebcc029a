/**
 * The entry: settings first, so that the first paint has the right colours, then the page.
 *
 * takes  nothing but the address that the page was loaded from
 * gives  the page in #app
 */

import './panels/theme.css';
import './panels/base.css';
import { mount } from 'svelte';
import App from './panels/App.svelte';
import { Session } from './store/session.svelte.ts';
import { Settings } from './store/settings.svelte.ts';

const settings = new Settings();
settings.apply();
const session = new Session(document.baseURI, settings);

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
mount(App, { target, props: { session, settings } });
