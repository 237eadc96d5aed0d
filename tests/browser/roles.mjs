// Somebody who administers one mail domain finds the pages of its people, and none of the server's.
import { check, Visitor } from './harness.mjs';
import { DOMAIN } from './wizard.mjs';

const PASSWORD = 'wide fields of early barley';
const SERVER_ROOMS = ['/admin/queue', '/admin/sending', '/admin/network', '/admin/log', '/admin/audit'];

/** One question to the API in the session of a visitor. */
export async function ask(visitor, method, path, data) {
  const url = new URL(`/api${path}`, visitor.baseUrl).href;
  const answer = await visitor.context.request.fetch(url, { method, data });
  check(answer.ok(), `${method} ${path}: ${answer.status()} ${await answer.text()}`);
  return answer.status() === 204 ? null : answer.json();
}

/** Signs in as somebody in a browser of their own. */
export async function signInAs(browser, baseUrl, language, login, password) {
  const visitor = await Visitor.open(browser, baseUrl, language);
  await visitor.goto('/');
  await visitor.type('[data-test="login"]', login);
  await visitor.type('[data-test="password"]', password);
  await visitor.page.keyboard.press('Enter');
  return visitor;
}

export async function administerDomain(browser, admin) {
  const { id } = await ask(admin, 'POST', '/admin/accounts', { address: `lena@${DOMAIN}`, name: 'Lena Falk', password: PASSWORD });
  await ask(admin, 'POST', '/admin/domains', { name: 'elsewhere.test' });
  await admin.goto(`/admin/accounts/${id}`);
  await admin.page.waitForSelector('input[name="role"]');
  await admin.tabTo('input[name="role"]');
  await admin.page.keyboard.press('ArrowDown');
  await admin.tabTo(`input[type="checkbox"][value="${DOMAIN}"]`);
  await admin.page.keyboard.press('Space');
  await admin.press('[data-test="role-save"]');
  await admin.page.waitForSelector('form .notice.good');
  const visitor = await signInAs(browser, admin.baseUrl, admin.language, `lena@${DOMAIN}`, PASSWORD);
  await visitor.page.waitForSelector('nav.rooms');
  const rooms = await visitor.page.$$eval('nav.rooms a', (all) => all.map((a) => new URL(a.href).pathname));
  check(rooms.includes('/admin/accounts'), `a domain administrator finds ${rooms}`);
  check(!rooms.some((room) => SERVER_ROOMS.includes(room)), `a domain administrator finds ${rooms}`);
  for (const room of rooms) {
    await visitor.goto(room);
    await visitor.page.waitForSelector('main .card');
    await visitor.look(`domain-admin${room.replaceAll('/', '-')}`);
  }
  await visitor.goto('/admin/domains');
  await visitor.page.waitForSelector('tbody tr');
  check(!(await visitor.page.textContent('table')).includes('elsewhere.test'), 'a domain administrator sees another domain');
  await visitor.goto(`/admin/accounts/${id}`);
  await visitor.page.waitForSelector('[data-test="edit-name"]');
  check((await visitor.page.$('input[name="role"]')) === null, 'a domain administrator may give roles');
  await visitor.look('domain-admin-account');
  await visitor.goto('/admin');
  await visitor.page.waitForFunction(() => location.pathname === '/admin/accounts');
  await visitor.close();
  await ask(admin, 'DELETE', `/admin/accounts/${id}`);
  await ask(admin, 'DELETE', '/admin/domains/elsewhere.test');
}
