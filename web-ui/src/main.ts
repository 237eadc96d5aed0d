// Starts the pages: theme, language, then the application. Nothing is fetched but the language chosen.
import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';
import { initialLanguage, setLanguage } from './lib/i18n/index.svelte';
import { startTheme } from './lib/theme.svelte';

startTheme();
const target = document.getElementById('app');
if (target) {
  await setLanguage(initialLanguage(), false);
  mount(App, { target });
}
