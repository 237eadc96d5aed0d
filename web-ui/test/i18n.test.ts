// The compiler checks that each language has each text; here: that the texts fit together.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { de } from '../src/lib/i18n/de';
import { en } from '../src/lib/i18n/en';
import { es } from '../src/lib/i18n/es';
import { fr } from '../src/lib/i18n/fr';
import { fill, formatBytes, hasKey, preferredLanguage, type Catalogue } from '../src/lib/i18n/index.svelte';
import { it as italian } from '../src/lib/i18n/it';

const catalogues: Record<string, Catalogue> = { en, fr, de, it: italian, es };
const places = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();

describe.each(Object.entries(catalogues))('catalogue %s', (language, texts) => {
  test('has the keys of the English one, none empty', () => {
    expect(Object.keys(texts).sort()).toEqual(Object.keys(en).sort());
    expect(Object.entries(texts).filter(([, text]) => text.trim() === '')).toEqual([]);
  });
  test('fills the same places', () => {
    for (const [key, text] of Object.entries(texts)) {
      // A singular may spell the number out.
      if (key.endsWith('.one')) continue;
      expect({ key, places: places(text) }).toEqual({ key, places: places(en[key as keyof typeof en]) });
    }
  });
  test('is really translated', () => {
    if (language === 'en') return;
    const longSame = Object.entries(texts).filter(([k, text]) => text.length > 24 && text === en[k as keyof typeof en]);
    expect(longSame).toEqual([]);
  });
});

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.(svelte|ts)$/.test(entry.name) && !/i18n\/(\w\w\.ts$|parts\/)/.test(path) ? [readFileSync(path, 'utf8')] : [];
  });
}

test('no text is left over', () => {
  const code = sources(join(import.meta.dirname, '../src')).join('\n');
  const families = [...code.matchAll(/`([a-z.-]+\.)\$\{/g)].map((m) => m[1] ?? '');
  const stems = [...code.matchAll(/plural\('([^']+)'/g)].map((m) => m[1]);
  const unused = Object.keys(en).filter((key) =>
    !code.includes(`'${key}'`) && !families.some((f) => key.startsWith(f)) && !stems.includes(key.replace(/\.(one|other)$/, '')));
  expect(unused).toEqual([]);
});

test.each([
  [['de-CH', 'en'], 'de'], [['pt-BR', 'fr-CA'], 'fr'], [['nl', 'pl'], 'en'], [[], 'en'], [['ES'], 'es'],
] as const)('browser that wants %j gets %s', (wanted, given) => {
  expect(preferredLanguage(wanted)).toBe(given);
});

test('fills places and leaves unknown ones', () => {
  expect(fill('{a} and {b} and {a}', { a: 'x{b}', b: 2 })).toBe('x{b} and 2 and x{b}');
  expect(fill('{c}', {})).toBe('{c}');
});

test('sizes', () => {
  expect([0, 1023, 1536, 10_737_418_240].map(formatBytes)).toEqual(['0 B', '1,023 B', '1.5 KB', '10 GB']);
});

/** Words of the API text that look like a code and are none: roles and kinds. */
const NO_CODES = ['domain-admin', 'active-directory', 'too-few-people', 'webhook-id', 'webhook-timestamp', 'webhook-signature'];

test('every code of the API text has words', () => {
  const api = readFileSync(join(import.meta.dirname, '../../firmware/web/openapi.yaml'), 'utf8');
  const codes = new Set([...api.matchAll(/`([a-z]+(?:-[a-z0-9]+)+)`/g)].map((m) => m[1]));
  const enums = [...api.matchAll(/enum: \[ok, ([^\]]+)\]/g)].map((m) => m[1]?.split(', ') ?? []);
  const reasons = enums.find((list) => list.includes('not-smtp')) ?? [];
  const sourceReasons = enums.find((list) => list.includes('bind-refused')) ?? [];
  expect(codes.size).toBeGreaterThan(40);
  expect(reasons.length).toBeGreaterThan(10);
  expect([...codes].filter((c) => !NO_CODES.includes(c ?? '') && !hasKey(`err.${c}`))).toEqual([]);
  expect(reasons.filter((r) => !hasKey(`reason.${r}`))).toEqual([]);
  expect(sourceReasons.length).toBeGreaterThan(10);
  expect([...sourceReasons, 'too-few-people'].filter((r) => !hasKey(`source.reason.${r}`))).toEqual([]);
});
