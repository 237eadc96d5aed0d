// The administration: what an office admin does on the first day, then every room in every language.
import { check, LANGUAGES } from './harness.mjs';
import { DOMAIN } from './wizard.mjs';
import { submit } from './submission.mjs';

const ROOMS = [
  '', '/accounts', '/groups', '/aliases', '/deleted', '/import', '/domains', '/queue', '/sending', '/network', '/storage', '/log',
  '/audit', '/directory', '/sessions', '/tokens', '/webhooks',
];

export async function administer(visitor, password) {
  await domains(visitor);
  await accounts(visitor);
  await aliases(visitor);
  await queue(visitor, password);
  await log(visitor);
  await audit(visitor);
  await everyRoom(visitor);
}

async function goodNews(visitor, part) {
  await visitor.page.waitForFunction(
    (text) => [...document.querySelectorAll('.notice.good')].some((n) => n.textContent?.includes(text)), part,
  );
}

async function domains(visitor) {
  const { page } = visitor;
  await visitor.goto('/admin/domains');
  visitor.expectRefusal(409, '/api/admin/domains');
  await visitor.type('[data-test="domain-name"]', DOMAIN);
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-test="domain-name"][aria-invalid="true"]');
  await visitor.type('[data-test="domain-name"]', 'second.test');
  await page.keyboard.press('Enter');
  await goodNews(visitor, 'second.test');
  // The confirmation names the thing, and its first stop is the harmless answer.
  await visitor.press('button[aria-label*="second.test"]');
  await page.waitForSelector('dialog[open]');
  check((await page.textContent('dialog h2'))?.includes('second.test'), 'the confirmation does not name the domain');
  await visitor.look('admin-domain-delete');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  await visitor.press('button[aria-label*="second.test"]');
  await visitor.press('dialog button.danger');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
}

async function accounts(visitor) {
  const { page } = visitor;
  await visitor.goto('/admin/accounts');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 3);
  await visitor.type('[data-test="account-search"]', 'carl');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Delete');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 3);
  await visitor.press('[data-test="account-add"]');
  visitor.expectRefusal(409, '/api/admin/accounts');
  await visitor.type('[data-test="new-address"]', `anna@${DOMAIN}`);
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-test="new-address"][aria-invalid="true"]');
  await visitor.look('admin-account-new');
  await visitor.type('[data-test="new-address"]', `dora@${DOMAIN}`);
  await page.keyboard.press('Enter');
  await goodNews(visitor, `dora@${DOMAIN}`);
  await visitor.press(`[data-test="account-edit"][aria-label*="dora@${DOMAIN}"]`);
  await page.waitForSelector('[data-test="edit-name"]');
  await visitor.type('[data-test="edit-name"]', 'Dora Winter');
  await visitor.tabTo('[data-test="quota-kind"]');
  await page.keyboard.press('ArrowDown');
  await visitor.type('[data-test="quota-mb"]', 'much');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-test="quota-mb"][aria-invalid="true"]');
  await visitor.type('[data-test="quota-mb"]', '512');
  await page.keyboard.press('Enter');
  await page.waitForSelector('form .notice.good');
  await visitor.look('admin-account');
  await lock(visitor);
  await visitor.press('[data-test="account-delete"]');
  await page.waitForSelector('dialog[open]');
  const title = await page.locator('dialog h2').last().textContent();
  check(title?.includes(`dora@${DOMAIN}`), 'the confirmation does not name the mailbox');
  await visitor.press('dialog button.danger.primary');
  await goodNews(visitor, `dora@${DOMAIN}`);
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 3);
}

/** A suspended mailbox says so on its page and in the list. */
async function lock(visitor) {
  const { page } = visitor;
  await visitor.tabTo('input[name="state"]');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await visitor.press('[data-test="state-save"]');
  await page.waitForSelector('.notice.warn');
  await visitor.press('[data-test="back"]');
  await page.waitForFunction(() => document.querySelector('table')?.textContent?.includes('Dora Winter'));
  await visitor.tabTo('[data-test="account-state"]');
  await page.keyboard.press('End');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
  await visitor.look('admin-accounts-suspended');
  await visitor.tabTo('[data-test="account-state"]');
  await page.keyboard.press('Home');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 4);
  await visitor.press(`[data-test="account-edit"][aria-label*="dora@${DOMAIN}"]`);
  await page.waitForSelector('[data-test="edit-name"]');
}

async function aliases(visitor) {
  const { page } = visitor;
  await visitor.goto('/admin/aliases');
  await visitor.press('[data-test="alias-add"]');
  await visitor.type('[data-test="alias-address"]', `info@${DOMAIN}`);
  await visitor.tabTo('dialog textarea');
  await page.keyboard.type(`anna@${DOMAIN}\nbo@${DOMAIN}`);
  await visitor.press('[data-test="alias-save"]');
  await page.waitForFunction((a) => document.querySelector('table')?.textContent?.includes(a), `info@${DOMAIN}`);
}

/** A message that cannot leave (nothing listens at the relay) shows up with its reason. */
async function queue(visitor, password) {
  const { page } = visitor;
  await submit(visitor.baseUrl, `anna@${DOMAIN}`, password, 'somebody@example.net');
  await visitor.goto('/admin/queue');
  await visitor.press('[data-test="queue-details"]');
  await page.waitForSelector('dialog[open]');
  check((await page.textContent('dialog'))?.includes('somebody@example.net'), 'the details lack the recipient');
  await visitor.look('admin-queue-details');
  await page.keyboard.press('Escape');
}

async function log(visitor) {
  const { page } = visitor;
  await visitor.goto('/admin/log');
  await page.waitForFunction(() => document.querySelectorAll('.log > div').length > 0);
  await visitor.type('[data-test="log-filter"]', 'no line has this in it');
  await page.waitForFunction(() => document.querySelectorAll('.log > div').length === 0);
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Delete');
  await visitor.press('[data-test="log-pause"]');
}

/** What was done above stands there: who, what, and the value before and after. */
async function audit(visitor) {
  const { page } = visitor;
  await visitor.goto('/admin/audit');
  await page.waitForSelector('[data-test="audit-row"]');
  await page.fill('input[type="date"]', '2001-01-01');
  await visitor.type('[data-test="audit-target"]', 'dora');
  const rows = () => page.$$eval('[data-test="audit-row"]', (all) => all.map((row) => row.textContent ?? ''));
  await page.waitForFunction(() => [...document.querySelectorAll('[data-test="audit-row"]')]
    .every((row) => row.textContent?.includes('dora')));
  check((await rows()).length >= 4, 'the audit log lacks what was done to a mailbox');
  const renamed = page.locator('[data-test="audit-row"]', { hasText: 'Dora Winter' }).last().locator('summary');
  await renamed.focus();
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-test="audit-row"] details[open] ins');
  await visitor.look('admin-audit-open');
  const file = await visitor.context.request.get(new URL(await page.getAttribute('[data-test="audit-export"]', 'href'), visitor.baseUrl).href);
  check(file.ok() && (await file.text()).includes('dora'), `the audit log as a file: ${file.status()}`);
}

async function everyRoom(visitor) {
  const { page } = visitor;
  const own = visitor.language;
  for (const language of LANGUAGES) {
    await visitor.goto('/admin');
    await page.selectOption('[data-test="language"]', language);
    await page.waitForFunction((l) => document.documentElement.lang === l, language);
    visitor.language = `${own}-in-${language}`;
    for (const room of ROOMS) {
      await visitor.goto(`/admin${room}`);
      await page.waitForFunction(() => document.querySelector('main .card'));
      await visitor.look(`admin${room.replace('/', '-')}`);
    }
  }
  visitor.language = own;
  await page.selectOption('[data-test="language"]', own);
}
