// Where the page starts. Styles first, so that nothing is ever seen without them.

import { mount } from 'svelte';

import './styles/tokens.css';
import './styles/base.css';

import App from './App.svelte';
import { openBackend } from './lib/backend';

const target = document.querySelector('#app');
if (target) mount(App, { target, props: { opening: openBackend() } });
