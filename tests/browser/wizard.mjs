// The whole wizard by keyboard: a wrong code, an interrupted visit, people from a spreadsheet, the finish page.
import { check, portOf, Visitor } from './harness.mjs';

export const ADMIN_PASSWORD = 'four calm horses at noon';
export const DOMAIN = 'office.test';
export const HOSTNAME = `mail.${DOMAIN}`;
/** Port of a loopback host where nothing listens: the test of the way out fails honestly. */
const CLOSED_PORT = '9';

/** Gives the visitor (signed in as admin) and the first person's password. */
export async function walkWizard(browser, baseUrl, code, language) {
  const visitor = await Visitor.open(browser, baseUrl, language);
  await visitor.goto('/');
  const lang = await visitor.page.getAttribute('html', 'lang');
  check(lang === language, `the browser prefers ${language}, the page came in ${lang}`);
  await skipLink(visitor);
  await visitor.look('wizard-1-welcome');
  await visitor.next();
  await enterCode(visitor, code);
  await choosePassword(visitor);
  await nameServer(visitor);
  await visitor.look('wizard-5-network');
  await visitor.next();
  await otherBrowserResumes(browser, baseUrl, code, language);
  await closedTabResumes(visitor);
  await wayOut(visitor);
  const password = await people(visitor);
  await finish(visitor);
  return { visitor, password };
}

async function skipLink(visitor) {
  await visitor.page.keyboard.press('Tab');
  const first = await visitor.page.evaluate(() => document.activeElement?.className);
  check(first === 'skip', 'the first stop of the keyboard is not the skip link');
  await visitor.page.keyboard.press('Enter');
  await visitor.page.waitForFunction(() => document.activeElement?.id === 'main');
}

async function enterCode(visitor, code) {
  const { page } = visitor;
  visitor.expectRefusal(403, '/api/setup/code');
  await visitor.press('[data-test="next"]');
  await page.waitForSelector('[data-test="code"][aria-invalid="true"]');
  await visitor.type('[data-test="code"]', 'WRONG-WRONG');
  await page.keyboard.press('Enter');
  // The refusal is tied to the field, and the keyboard stands there again.
  await page.waitForFunction(() => {
    const input = document.querySelector('[data-test="code"]');
    const ids = (input?.getAttribute('aria-describedby') ?? '').split(' ');
    return document.activeElement === input && ids.some((id) => id.endsWith('-error') && document.getElementById(id));
  });
  await visitor.look('wizard-2-code');
  const old = await visitor.heading();
  await visitor.type('[data-test="code"]', code.toLowerCase());
  await page.keyboard.press('Enter');
  await visitor.headingAfter(old);
}

async function choosePassword(visitor) {
  await visitor.type('[data-test="password-1"]', ADMIN_PASSWORD);
  await visitor.page.waitForSelector('progress[data-strength]');
  await visitor.type('[data-test="password-2"]', 'something else');
  await visitor.page.keyboard.press('Enter');
  await visitor.page.waitForSelector('[data-test="password-2"][aria-invalid="true"]');
  await visitor.look('wizard-3-password');
  await visitor.type('[data-test="password-2"]', ADMIN_PASSWORD);
  await visitor.next();
}

async function nameServer(visitor) {
  await visitor.type('[data-test="domain"]', DOMAIN);
  const suggested = await visitor.page.inputValue('[data-test="hostname"]');
  check(suggested === HOSTNAME, `the wizard suggests ${suggested}`);
  await visitor.look('wizard-4-name');
  const old = await visitor.heading();
  await visitor.next();
  // Back keeps what was answered.
  await visitor.press('[data-test="back"]');
  await visitor.page.waitForFunction((was) => document.querySelector('h1')?.textContent === was, old);
  check((await visitor.page.inputValue('[data-test="domain"]')) === DOMAIN, 'the domain is lost on the way back');
  await visitor.next();
}

/** Somebody else's browser knows nothing: the code once more, then the step where it was left. */
async function otherBrowserResumes(browser, baseUrl, code, language) {
  const other = await Visitor.open(browser, baseUrl, language);
  await other.goto('/');
  await other.next();
  const old = await other.heading();
  await other.type('[data-test="code"]', code);
  await other.page.keyboard.press('Enter');
  await other.headingAfter(old);
  await other.page.waitForSelector('[data-test="host"]');
  await other.close();
}

async function closedTabResumes(visitor) {
  await visitor.page.waitForSelector('[data-test="host"]');
  await visitor.page.close();
  await visitor.newPage();
  await visitor.goto('/setup');
  await visitor.page.waitForSelector('[data-test="host"]');
}

async function wayOut(visitor) {
  const { page } = visitor;
  await visitor.press('[data-test="next"]');
  await page.waitForSelector('[data-test="host"][aria-invalid="true"]');
  await visitor.type('[data-test="host"]', '127.0.0.1');
  await visitor.tabTo('[data-test="tls"]');
  await page.keyboard.press('End');
  await page.waitForFunction(() => document.querySelector('[data-test="tls"]')?.value === 'none');
  await visitor.type('[data-test="port"]', CLOSED_PORT);
  await visitor.press('[data-test="test"]');
  const reason = await page.waitForSelector('.notice.bad p.strong');
  check((await reason.textContent())?.trim() !== '', 'the failed test says nothing');
  await visitor.look('wizard-6-sending');
  await visitor.next();
}

async function people(visitor) {
  const { page } = visitor;
  await visitor.type('[data-test="user-name"]', 'Anna Berg');
  await visitor.type('[data-test="user-address"]', `anna@elsewhere.test`);
  const password = await page.inputValue('[data-test="user-password"]');
  visitor.expectRefusal(422, '/api/setup/users');
  await visitor.press('[data-test="next"]');
  // The box refuses the line, and says which.
  await page.waitForFunction(() => document.activeElement?.matches('[data-test="user-address"][aria-invalid="true"]'));
  await visitor.type('[data-test="user-address"]', 'anna');
  await visitor.press('[data-test="user-paste"]');
  await page.waitForSelector('dialog[open]');
  await visitor.type('[data-test="paste"]', 'Bo Lind;bo@@x');
  await visitor.press('[data-test="paste-take"]');
  await page.waitForSelector('dialog[open] [data-test="paste"][aria-invalid="true"]');
  await visitor.look('wizard-7-paste');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  const back = await page.evaluate(() => document.activeElement?.matches('[data-test="user-paste"]'));
  check(back, 'the closed dialog does not give the keyboard back');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open]');
  await visitor.type('[data-test="paste"]', 'Bo Lind;bo\nCarla Roth;carla@office.test');
  await visitor.press('[data-test="paste-take"]');
  await page.waitForFunction(() => document.querySelectorAll('[data-test="user-name"]').length === 3);
  await visitor.look('wizard-7-people');
  await visitor.press('[data-test="next"]');
  await page.waitForFunction(() => document.querySelector('dl.facts'));
  return password;
}

async function finish(visitor) {
  const { page } = visitor;
  await visitor.look('wizard-8-finish');
  await visitor.press('[data-test="next"]');
  await page.waitForSelector('[data-test="done"]');
  const text = await page.textContent('[data-test="done"]');
  const ports = [993, 465, 143, 587].map((port) => portOf(visitor.baseUrl, port));
  for (const part of [HOSTNAME, ...ports, 'SSL/TLS', 'STARTTLS', 'anna@office.test']) {
    check(text?.includes(part), `the finish page lacks ${part}`);
  }
  await visitor.look('wizard-9-done');
  await visitor.press('[data-test="to-admin"]');
  await page.waitForSelector('nav.rooms');
  // The wizard is gone, for the browser and for everybody.
  const answer = await visitor.context.request.post(new URL('/api/setup/code', visitor.baseUrl).href, { data: { code: 'AAAAA-AAAAA' } });
  check(answer.status() === 410, `the wizard still answers ${answer.status()}`);
  await visitor.goto('/setup');
  await page.waitForSelector('nav.rooms');
}
