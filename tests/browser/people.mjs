// An office of 5,000 people: brought in from a file with a bad line in it, then found, sorted and paged.
import { check } from './harness.mjs';
import { ask } from './roles.mjs';
import { DOMAIN } from './wizard.mjs';

const PEOPLE = 5_000;
/** The import goes on behind its request; a debug build on a busy machine takes its time. */
const IMPORT_MS = 180_000;
/** A hash, so that the server has nothing to hash: {SSHA} of a password that nobody uses. */
const HASH = '{SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3';
const FIRST = ['Ada', 'Ben', 'Cleo', 'Dan', 'Eva', 'Finn', 'Gail', 'Hugo', 'Ines', 'Jon'];
const LAST = ['Albrecht', 'Bauer', 'Conti', 'Dupont', 'Egger', 'Fischer', 'García', 'Huber', 'Iversen', 'Jansen'];

const lineOf = (n) => {
  const name = `${FIRST[n % 10]} ${LAST[Math.floor(n / 10) % 10]} ${String(n).padStart(4, '0')}`;
  return `p${String(n).padStart(4, '0')}@${DOMAIN},${name},${HASH}`;
};

export async function manageManyPeople(visitor) {
  const before = (await ask(visitor, 'GET', '/admin/accounts?limit=1')).total;
  await bringIn(visitor);
  await find(visitor, before + PEOPLE);
}

async function bringIn(visitor) {
  const { page } = visitor;
  await visitor.goto('/admin/import');
  await visitor.press('[data-test="import-look"]');
  await page.waitForSelector('[data-test="import-text"][aria-invalid="true"]');
  // A bad line first: it is told with its number and a reason, and nothing has happened.
  await visitor.tabTo('[data-test="import-text"]');
  await page.keyboard.insertText(`address,name,password\n${lineOf(0)}\nnobody@elsewhere.test,Nobody,${HASH}\n${lineOf(1)}\n`);
  await visitor.press('[data-test="import-look"]');
  const bad = await page.waitForSelector('[data-test="import-error"]');
  check((await bad.textContent())?.includes('3'), 'the bad line is told without its number');
  await visitor.look('admin-import-bad-line');
  const { found } = await ask(visitor, 'GET', '/admin/accounts?limit=1&search=p0000');
  check(found === 0, 'a trial has made a mailbox');
  const lines = ['address,name,password', ...Array.from({ length: PEOPLE }, (_, n) => lineOf(n))];
  await page.setInputFiles('[data-test="import-file"]', {
    name: 'people.csv', mimeType: 'text/csv', buffer: Buffer.from(lines.join('\n')),
  });
  await visitor.press('[data-test="import-look"]');
  await page.waitForSelector('[data-test="import-create"]');
  await visitor.press('[data-test="import-go"]');
  await page.waitForSelector('[data-test="import-go"]', { state: 'detached', timeout: IMPORT_MS });
  await page.waitForSelector('[data-test="import-counts"]', { timeout: IMPORT_MS });
  await visitor.look('admin-import-done');
}

async function find(visitor, total) {
  const { page } = visitor;
  const cell = (n) => page.textContent(`tbody tr:first-child td:nth-child(${n})`);
  await visitor.goto('/admin/accounts');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 50);
  const digits = (text) => Number(text.replace(/\D/g, ''));
  check(digits(await page.textContent('[data-test="account-count"]')) === total, 'the list does not count everybody');
  await visitor.press('[data-test="page-next"]');
  await page.waitForFunction(() => document.querySelector('[data-test="pager"]')?.textContent?.includes('51'));
  await visitor.look('admin-accounts-second-page');
  // Sorted by address, then the other way round; from the first page on.
  await visitor.tabTo('[data-test="sort-address"]');
  await page.keyboard.press('Enter');
  await page.waitForSelector('th[aria-sort="ascending"] [data-test="sort-address"]');
  await page.waitForFunction((a) => document.querySelector('tbody tr td:nth-child(2)')?.textContent === a, `anna@${DOMAIN}`);
  await page.keyboard.press('Enter');
  await page.waitForSelector('th[aria-sort="descending"] [data-test="sort-address"]');
  await page.waitForFunction((a) => document.querySelector('tbody tr td:nth-child(2)')?.textContent === a, `p4999@${DOMAIN}`);
  // The search keeps the keyboard where it is, and a page left for a mailbox is found again.
  await page.evaluate(() => document.getElementById('main')?.focus());
  await visitor.type('[data-test="account-search"]', 'garcía 4');
  await page.waitForFunction(() => [...document.querySelectorAll('tbody tr')].every((r) => /García.*4/.test(r.textContent ?? '')));
  check(await page.evaluate(() => document.activeElement?.matches('[data-test="account-search"]')), 'the search loses the keyboard');
  const name = await cell(1);
  await visitor.press('[data-test="account-edit"]');
  await page.waitForSelector('[data-test="edit-name"]');
  check((await page.inputValue('[data-test="edit-name"]')) === name?.trim(), 'another mailbox opens');
  await visitor.press('[data-test="back"]');
  await page.waitForSelector('[data-test="account-search"]');
  check((await page.inputValue('[data-test="account-search"]')) === 'garcía 4', 'the way back forgets the search');
}
