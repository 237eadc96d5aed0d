// Groups, the settings of a mail domain, keys for programs: each made by keyboard, then asked of the server.
import { createServer } from 'node:http';
import { check } from './harness.mjs';
import { ask } from './roles.mjs';
import { DOMAIN } from './wizard.mjs';

/** Port of a loopback host where nothing listens. */
const CLOSED_PORT = '9';

export async function manageGroups(visitor) {
  const { page } = visitor;
  await visitor.goto('/admin/groups');
  await page.waitForSelector('[data-test="group-add"]:not([disabled])');
  await visitor.press('[data-test="group-add"]');
  visitor.expectRefusal(422, '/api/admin/groups');
  await visitor.type('[data-test="group-name"]', 'Sales');
  await visitor.type('[data-test="group-address"]', 'sales');
  await visitor.tabTo('[data-test="group-members"]');
  await page.keyboard.type(`anna@${DOMAIN}\nnobody@${DOMAIN}`);
  await visitor.press('[data-test="group-save"]');
  await page.waitForSelector('[data-test="group-members"][aria-invalid="true"]');
  await visitor.look('admin-group-new');
  await visitor.type('[data-test="group-members"]', `anna@${DOMAIN}\nbo@${DOMAIN}\nfriend@elsewhere.test`);
  await visitor.press('[data-test="group-save"]');
  await page.waitForFunction((a) => document.querySelector('table')?.textContent?.includes(a), `sales@${DOMAIN}`);
  await visitor.press('[data-test="group-edit"]');
  await page.waitForFunction(() => document.querySelector('[data-test="group-members"]')?.value.includes('elsewhere'));
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  const group = await ask(visitor, 'GET', `/admin/groups/${encodeURIComponent(`Sales@${DOMAIN}`)}`);
  check(group.members.length === 3 && group.address === `sales@${DOMAIN}`, `the group is ${JSON.stringify(group)}`);
}

export async function settleDomain(visitor) {
  const { page } = visitor;
  await visitor.goto('/admin/domains');
  await visitor.press('[data-test="domain-edit"]');
  await page.waitForSelector('[data-test="catch-all"]');
  await visitor.type('[data-test="catch-all"]', `anna@${DOMAIN}`);
  await visitor.type('[data-test="domain-aliases"]', 'office-too.test');
  await visitor.press('[data-test="domain-save"]');
  await page.waitForSelector('form .notice.good');
  await visitor.look('admin-domain');
  await page.reload();
  await page.waitForSelector('[data-test="catch-all"]');
  const { items } = await ask(visitor, 'GET', '/admin/domains');
  const domain = items.find((d) => d.name === DOMAIN);
  check(domain.catch_all === `anna@${DOMAIN}` && domain.domain_aliases[0] === 'office-too.test', `it is ${JSON.stringify(domain)}`);
  await ask(visitor, 'PATCH', `/admin/domains/${DOMAIN}`, { catch_all: null, domain_aliases: [] });
  await connectDirectory(visitor);
}

/** A directory that is not there: the test says in words how far it came, and what to do. */
async function connectDirectory(visitor) {
  const { page } = visitor;
  await visitor.press('[data-test="source-add"]');
  await page.waitForSelector('[data-test="source-host"]');
  await visitor.press('[data-test="source-test"]');
  await page.waitForSelector('[data-test="source-host"][aria-invalid="true"]');
  await visitor.type('[data-test="source-host"]', '127.0.0.1');
  await visitor.type('[data-test="source-port"]', CLOSED_PORT);
  await visitor.type('[data-test="source-bind"]', 'reader@office.test');
  await visitor.type('[data-test="source-password"]', 'something');
  await visitor.type('[data-test="source-base"]', 'DC=office,DC=test');
  await visitor.press('[data-test="source-test"]');
  const told = await page.waitForSelector('.notice.bad p:nth-child(2)');
  check((await told.textContent())?.includes('636'), 'the test does not say what to try');
  await visitor.look('admin-domain-source');
  await visitor.press('[data-test="source-save"]');
  await page.waitForSelector('[data-test="source-edit"]');
  // The first sync has the same trouble, and says so.
  await page.waitForFunction(() => document.querySelector('main section .notice.bad'));
  await visitor.look('admin-domain-source-failed');
  const { items } = await ask(visitor, 'GET', '/admin/domains');
  check(items.find((d) => d.name === DOMAIN).source === true, 'the domain is not told to have a source');
  await ask(visitor, 'DELETE', `/admin/domains/${DOMAIN}/source`);
}

/** The key that is shown once is one: the API answers to it, and no more when it is deleted. */
export async function handOutKey(visitor) {
  const { page } = visitor;
  await visitor.goto('/admin/tokens');
  await visitor.press('[data-test="token-add"]');
  await visitor.type('[data-test="token-name"]', 'Personnel system');
  // A date as the browser's own calendar gives it, whatever the language.
  await page.fill('dialog input[type="date"]', '2099-05-31');
  await visitor.look('admin-token-new');
  await visitor.press('[data-test="token-make"]');
  await page.waitForSelector('[data-test="secret"]');
  await visitor.look('admin-token-once');
  await page.keyboard.press('Escape');
  check(await page.isVisible('[data-test="secret"]'), 'the Escape key took the key away');
  const key = (await page.textContent('[data-test="secret"] code')).trim();
  const status = async () => {
    const url = new URL('/api/admin/accounts?limit=1', visitor.baseUrl).href;
    const bare = await page.context().browser().newContext({ ignoreHTTPSErrors: true });
    const answer = await bare.request.get(url, { headers: { authorization: `Bearer ${key}` } });
    await bare.close();
    return answer.status();
  };
  check((await status()) === 200, 'the key does not open the API');
  await visitor.press('[data-test="secret-done"]');
  await page.waitForFunction(() => document.querySelector('table')?.textContent?.includes('Personnel system'));
  await visitor.look('admin-tokens');
  await visitor.press('button.danger[aria-label*="Personnel"]');
  await visitor.press('dialog button.danger.primary');
  await page.waitForSelector('p.empty');
  check((await status()) === 401, 'a deleted key still opens the API');
}

/** The switch for the office network is kept, and the settings for mail programs name this server. */
export async function openAddressBook(visitor) {
  const { page } = visitor;
  await visitor.goto('/admin/directory');
  await page.waitForSelector('[data-test="lan-lookup"]');
  const text = await page.textContent('main');
  check(text.includes('dc=office,dc=test'), 'the settings lack the search base');
  await visitor.press('[data-test="lan-lookup"]', 'Space');
  await page.waitForSelector('.notice.good');
  check((await ask(visitor, 'GET', '/admin/directory')).lan_lookup === true, 'the switch is not kept');
  await visitor.look('admin-directory');
  await ask(visitor, 'PUT', '/admin/directory', { lan_lookup: false });
}

/** A deleted mailbox stands in its list, and comes back with its address. */
export async function bringBack(visitor) {
  const { page } = visitor;
  const address = `gone@${DOMAIN}`;
  const { id } = await ask(visitor, 'POST', '/admin/accounts', { address, name: 'Gina Onwards', password: 'tall ships leave at dawn' });
  await ask(visitor, 'DELETE', `/admin/accounts/${id}`);
  await visitor.goto('/admin/deleted');
  await page.waitForFunction((a) => document.querySelector('table')?.textContent?.includes(a), address);
  await visitor.look('admin-deleted');
  await visitor.press(`[data-test="restore"][aria-label*="${address}"]`);
  await page.waitForSelector('.notice.good');
  const { found } = await ask(visitor, 'GET', `/admin/accounts?search=gone&limit=1`);
  check(found === 1, 'the mailbox is not back');
  await ask(visitor, 'DELETE', `/admin/accounts/${id}`);
}

/** A system in the office that listens for changes: it is added, tested, and told of a new mailbox. */
export async function tellOtherSystem(visitor) {
  const { page } = visitor;
  const told = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => { body += part; });
    request.on('end', () => {
      told.push({ id: request.headers['webhook-id'], body });
      response.end('{}');
    });
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  await visitor.goto('/admin/webhooks');
  await visitor.press('[data-test="webhook-add"]');
  await visitor.press('[data-test="webhook-save"]');
  await page.waitForSelector('[data-test="webhook-name"][aria-invalid="true"]');
  await visitor.type('[data-test="webhook-name"]', 'Personnel system');
  await visitor.type('[data-test="webhook-url"]', `http://127.0.0.1:${server.address().port}/told`);
  await visitor.look('admin-webhook-new');
  await visitor.press('[data-test="webhook-save"]');
  await page.waitForSelector('[data-test="secret"]');
  check((await page.textContent('[data-test="secret"]')).includes('whsec_'), 'the secret is not shown');
  await visitor.press('[data-test="secret-done"]');
  await page.waitForFunction(() => document.querySelector('table')?.textContent?.includes('Personnel'));
  await visitor.look('admin-webhooks');
  await visitor.press('td.actions button');
  await visitor.press('[data-test="webhook-test"]');
  await page.waitForSelector('dialog .notice.good');
  check(told.length > 0 && told[0].id, 'the system was not called');
  await visitor.look('admin-webhook-log');
  await page.keyboard.press('Escape');
  await visitor.press('td.actions button:nth-of-type(2)');
  await visitor.press('[data-test="webhook-renew"]');
  await page.waitForSelector('[data-test="secret"]');
  await visitor.look('admin-webhook-renewed');
  await visitor.press('[data-test="secret-done"]');
  const address = `told@${DOMAIN}`;
  const { id } = await ask(visitor, 'POST', '/admin/accounts', { address, password: 'tall ships leave at dawn' });
  await page.waitForFunction(async (a) => {
    const { items } = await (await fetch('/api/admin/webhooks')).json();
    const log = await (await fetch(`/api/admin/webhooks/${items[0].id}/log`)).json();
    return log.items.some((x) => x.ok && x.event === 'account.create') && a;
  }, address);
  check(told.some((x) => x.body.includes(address)), 'the system was not told of the mailbox');
  await ask(visitor, 'DELETE', `/admin/accounts/${id}`);
  await visitor.goto('/admin/webhooks');
  await page.waitForSelector('td.actions');
  await visitor.press('td.actions button.danger');
  await visitor.press('dialog button.danger.primary');
  await page.waitForSelector('p.empty');
  server.close();
}
