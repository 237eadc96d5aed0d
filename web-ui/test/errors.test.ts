import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ApiError, errorFrom } from '../src/lib/api';
import { asApiError, codeText, errorText, fieldOf } from '../src/lib/errors';
import { hasKey } from '../src/lib/i18n/index.svelte';
import { changeOf, draftOf } from '../src/lib/outbound';
import { networkOf } from '../src/lib/network';
import { strengthOf, suggestPassword } from '../src/lib/password';
import { meaningOf } from '../src/lib/reply';
import { keptOf } from '../src/setup/wizard.svelte';

describe('refusals', () => {
  test('carry code, field and lines', () => {
    const e = errorFrom(422, { error: 'users-invalid', lines: [{ line: 2, field: 'address', error: 'duplicate' }] });
    expect([e.status, e.code, e.lines.length]).toEqual([422, 'users-invalid', 1]);
    expect(fieldOf(errorFrom(422, { error: 'address-taken', field: 'aliases.3' }))).toBe('aliases');
    expect(fieldOf(errorFrom(422, { error: 'hostname-not-full' }))).toBe('hostname');
  });
  test('are understood whatever came', () => {
    expect(errorFrom(502, null).code).toBe('internal');
    expect(errorFrom(401, '<html>').code).toBe('sign-in-needed');
    expect(errorFrom(503, { error: 7 }).code).toBe('busy');
  });
  test('have words', () => {
    expect(errorText(errorFrom(403, { error: 'wrong-code' }))).toMatch(/code is not right/);
    expect(errorText(errorFrom(429, { error: 'throttled', retry_after_secs: 42 }))).toContain('42 seconds');
    expect(codeText('brand-new')).toContain('brand-new');
    expect(asApiError(new TypeError('x')).code).toBe('page-bug');
    expect(asApiError(new ApiError(0, 'unreachable')).status).toBe(0);
  });
});

describe('the contract', () => {
  const contract = readFileSync(join(import.meta.dirname, '../../firmware/web/openapi.yaml'), 'utf8');
  const refusals = contract.split('\n').filter((line) => line.includes('responses/Error'));
  const codes = new Set(refusals.flatMap((line) => [...line.matchAll(/`([a-z][a-z0-9-]+)`/g)].map((m) => m[1] ?? '')));
  codes.delete('admin'); // a login, not a refusal
  test.each([...codes])('%s has words', (code) => {
    expect(codes.size).toBeGreaterThan(50);
    expect(hasKey(`err.${code}`)).toBe(true);
  });
});

describe('forms', () => {
  test('an empty password keeps the stored one, an empty user takes it away', () => {
    const d = draftOf({ mode: 'smarthost', host: 'smtp.x.test', port: 465, tls: 'implicit', user: 'u', password_set: true });
    expect(changeOf(d)).toEqual({ mode: 'smarthost', host: 'smtp.x.test', port: 465, tls: 'implicit', user: 'u' });
    expect(changeOf({ ...d, user: ' ' })).toMatchObject({ user: null, password: null });
    expect(changeOf({ ...d, password: 'new' })).toMatchObject({ password: 'new' });
    expect(changeOf({ ...d, mode: 'direct' })).toEqual({ mode: 'direct' });
  });
  test('name servers are taken apart', () => {
    expect(networkOf({ mode: 'static', address: ' 10.0.0.2/8', gateway: '10.0.0.1', dns: '10.0.0.1, 9.9.9.9' }))
      .toEqual({ mode: 'static', address: '10.0.0.2/8', gateway: '10.0.0.1', dns: ['10.0.0.1', '9.9.9.9'] });
  });
  test('what the wizard kept is looked at before use', () => {
    expect(keptOf(null)).toEqual({ done: [], people: [] });
    expect(keptOf({ done: ['users', 'nonsense', 3], people: [{ name: 'A', address: 'a' }, { name: 1 }, null] }))
      .toEqual({ done: ['users'], people: [{ name: 'A', address: 'a' }] });
  });
});

test('passwords', () => {
  const judged = (score: number, ok: boolean, reason: string | null = null) => strengthOf({ score, ok, reason });
  expect(judged(1, false, 'password-too-short')).toBe(0);
  expect(judged(3, false, 'password-too-simple')).toBe(1);
  expect([1, 2, 3, 4].map((score) => judged(score, true))).toEqual([1, 2, 3, 4]);
  const suggested = suggestPassword();
  expect(suggested).toMatch(/^([a-km-z2-9]{4}-){3}[a-km-z2-9]{4}$/);
  expect(suggestPassword()).not.toBe(suggested);
});

test.each([
  ['550 5.1.1 <x@y>: Recipient address rejected: User unknown', 'reply.mailbox'],
  ['452 4.2.2 Mailbox full', 'reply.full'],
  ['451 4.7.1 Greylisted, try again in 300 seconds', 'reply.greylist'],
  ['554 5.7.1 Service unavailable; blocked using zen.spamhaus.org', 'reply.blocked'],
  ['535 5.7.8 authentication failed', 'reply.login'],
  ['connection timed out', 'reply.network'],
  ['421 come back later', 'reply.temporary'],
  ['554 no', 'reply.permanent'],
  ['hm', null],
])('%s means %s', (reply, meaning) => {
  expect(meaningOf(reply)).toBe(meaning);
});
