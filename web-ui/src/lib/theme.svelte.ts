// Owns light and dark: the system's wish unless this browser was told otherwise.
export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const STORED = 'postroom.theme';
let current = $state<Theme>('system');

export const theme = (): Theme => current;

export function setTheme(next: Theme): void {
  current = next;
  if (next === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = next;
  try {
    if (next === 'system') localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, next);
  } catch { /* storage can be forbidden; the page still follows for this visit */ }
}

export function startTheme(): void {
  try {
    const stored = localStorage.getItem(STORED);
    if (stored === 'light' || stored === 'dark') setTheme(stored);
  } catch { /* the system's wish it is */ }
}
