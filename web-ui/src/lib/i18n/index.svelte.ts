// Owns the language of the pages: which one, its catalogue, and how a text is filled in.
// A catalogue is a typed object; `Catalogue` is made from the English one, so the compiler refuses a
// language with a missing or an unknown text. Only the chosen language is loaded.
// Must never fetch anything but the catalogue chunks of our own build.
import { en } from './en';

export const LANGUAGES = ['en', 'fr', 'de', 'it', 'es'] as const;
export type Language = (typeof LANGUAGES)[number];
export type MessageKey = keyof typeof en;
export type Catalogue = Record<MessageKey, string>;

/** Each language in its own words, for the switch. */
export const LANGUAGE_NAMES: Record<Language, string> = {
  en: 'English', fr: 'Français', de: 'Deutsch', it: 'Italiano', es: 'Español',
};

type Names<S extends string> = S extends `${string}{${infer N}}${infer Rest}` ? N | Names<Rest> : never;
type Params<K extends MessageKey> = Names<(typeof en)[K]>;
type Args<K extends MessageKey> = [Params<K>] extends [never] ? [] : [Record<Params<K>, string | number>];

const loaders: Record<Language, () => Promise<Catalogue>> = {
  en: async () => en,
  fr: async () => (await import('./fr')).fr,
  de: async () => (await import('./de')).de,
  it: async () => (await import('./it')).it,
  es: async () => (await import('./es')).es,
};

const STORED = 'postroom.language';
let current = $state.raw<{ language: Language; texts: Catalogue }>({ language: 'en', texts: en });

export const isLanguage = (x: unknown): x is Language => LANGUAGES.includes(x as Language);

/** What the browser asks for first among ours; else English. */
export function preferredLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split('-')[0];
    if (isLanguage(base)) return base;
  }
  return 'en';
}

/** The language chosen earlier in this browser, if any. */
export function storedLanguage(): Language | null {
  try {
    const x = localStorage.getItem(STORED);
    return isLanguage(x) ? x : null;
  } catch {
    return null; // storage can be forbidden; the browser's preference is then the answer
  }
}

export function initialLanguage(): Language {
  return storedLanguage() ?? preferredLanguage(navigator.languages);
}

/** Loads and shows a language; with `remember` also for the next visit. */
export async function setLanguage(language: Language, remember: boolean): Promise<void> {
  const texts = await loaders[language]();
  current = { language, texts };
  document.documentElement.lang = language;
  if (!remember) return;
  try { localStorage.setItem(STORED, language); } catch { /* not remembered, still shown */ }
}

/** Back to what the browser asks for. */
export async function forgetLanguage(): Promise<void> {
  try { localStorage.removeItem(STORED); } catch { /* was never stored */ }
  await setLanguage(preferredLanguage(navigator.languages), false);
}

export const language = (): Language => current.language;

/** Fills `{name}` places. Exported for the tests. */
export function fill(text: string, params: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole));
}

/** The text of a key in the language shown. */
export function t<K extends MessageKey>(key: K, ...args: Args<K>): string {
  return fill(current.texts[key], (args[0] ?? {}) as Record<string, string | number>);
}

/** As `t`, for keys known only at run time and texts without places. */
export const tKey = (key: MessageKey): string => current.texts[key];

export function hasKey(key: string): key is MessageKey {
  return key in en;
}

/** `n` of something: picks `.one` or `.other` by the rules of the language. */
export function plural(stem: PluralStem, n: number): string {
  const form = new Intl.PluralRules(current.language).select(n) === 'one' ? 'one' : 'other';
  return fill(current.texts[`${stem}.${form}`], { n: formatNumber(n) });
}
export type PluralStem = { [K in MessageKey]: K extends `${infer S}.one` ? S : never }[MessageKey];

/** What parts the columns of a table that a spreadsheet opens: where numbers have a comma it is a semicolon. */
export const columnSeparator = (): 'comma' | 'semicolon' =>
  new Intl.NumberFormat(current.language).format(0.5).includes(',') ? 'semicolon' : 'comma';

export const formatNumber = (n: number): string => new Intl.NumberFormat(current.language).format(n);

/** 1536 -> "1.5 KB". Powers of 1024 under their everyday names, as mail programs show them. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit++; }
  const digits = value >= 100 || unit === 0 ? 0 : 1;
  return `${new Intl.NumberFormat(current.language, { maximumFractionDigits: digits }).format(value)} ${units[unit]}`;
}

export function formatDate(when: string | number | Date): string {
  return new Intl.DateTimeFormat(current.language, { dateStyle: 'long' }).format(new Date(when));
}

export function formatDateTime(when: string | number | Date): string {
  return new Intl.DateTimeFormat(current.language, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(when));
}

/** Time of day in the zone of who looks, to the second. */
export function formatTime(when: string): string {
  return new Intl.DateTimeFormat(current.language, { timeStyle: 'medium' }).format(new Date(when));
}

/** "3 days 4 hours" out of seconds, the two largest units. */
export function formatDuration(seconds: number): string {
  const parts: string[] = [];
  let rest = Math.max(0, Math.floor(seconds));
  for (const [unit, size] of [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]] as const) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0 && parts.length < 2 && !(unit === 'second' && parts.length > 0)) {
      parts.push(new Intl.NumberFormat(current.language, { style: 'unit', unit, unitDisplay: 'long' }).format(n));
    }
  }
  return parts.join(' ') || new Intl.NumberFormat(current.language, { style: 'unit', unit: 'second', unitDisplay: 'long' }).format(0);
}
