// What a person signs in with: an app password for a mail program, a second step for the web pages.
import { createHmac } from 'node:crypto';
import { check } from './harness.mjs';
import { ask, signInAs } from './roles.mjs';
import { submit } from './submission.mjs';
import { DOMAIN } from './wizard.mjs';

const PASSWORD = 'small boats on a grey lake';
const STEP_MS = 30_000;

/** The code of an authenticator app (RFC 6238: HMAC-SHA-1, 30 seconds, six digits). */
export function totp(secret, at) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret.replace(/[\s=]/g, '')].map((c) => letters.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / STEP_MS)));
  const mac = createHmac('sha1', key).update(counter).digest();
  const offset = mac[19] & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

export async function secureAccess(browser, admin) {
  const login = `tom@${DOMAIN}`;
  const { id } = await ask(admin, 'POST', '/admin/accounts', { address: login, name: 'Tom Reed', password: PASSWORD });
  const visitor = await signInAs(browser, admin.baseUrl, admin.language, login, PASSWORD);
  await visitor.page.waitForSelector('[data-test="app-password-add"]');
  const key = await makeAppPassword(visitor);
  const { secret, recovery } = await setUpTwoSteps(visitor);
  await submit(visitor.baseUrl, login, key, `anna@${DOMAIN}`);
  await refusedMainPassword(visitor, login);
  await signInWithCode(visitor, login, secret, recovery);
  await visitor.close();
  await helpAfterLostPhone(admin, id);
  await ask(admin, 'DELETE', `/admin/accounts/${id}`);
}

/** A password for a mail program: shown once, then only its name. */
async function makeAppPassword(visitor) {
  const { page } = visitor;
  await visitor.press('[data-test="app-password-add"]');
  await visitor.press('[data-test="app-password-make"]');
  await page.waitForSelector('[data-test="app-password-name"][aria-invalid="true"]');
  await visitor.type('[data-test="app-password-name"]', 'Outlook in the office');
  await visitor.look('app-password-new');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-test="secret"]');
  await visitor.look('app-password-once');
  const key = (await page.textContent('[data-test="secret"] code')).trim();
  await visitor.press('[data-test="secret-done"]');
  await page.waitForFunction(() => document.querySelector('main table')?.textContent?.includes('Outlook'));
  check(!(await page.textContent('main')).includes(key), 'the app password is still shown');
  return key;
}

async function setUpTwoSteps(visitor) {
  const { page } = visitor;
  visitor.expectRefusal(403, '/api/me/totp');
  visitor.expectRefusal(403, '/api/me/totp/confirm');
  await visitor.press('[data-test="totp-start"]');
  await visitor.type('[data-test="totp-password"]', 'not my password');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-test="totp-password"][aria-invalid="true"]');
  await visitor.type('[data-test="totp-password"]', PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForSelector('svg.qr path');
  const secret = await page.textContent('dialog .copy code');
  await visitor.look('two-steps-code');
  const wrong = totp(secret, Date.now() - 100 * STEP_MS);
  await visitor.type('[data-test="totp-code"]', wrong);
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-test="totp-code"][aria-invalid="true"]');
  await visitor.type('[data-test="totp-code"]', totp(secret, Date.now()));
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-test="recovery-codes"] li');
  await visitor.look('two-steps-recovery');
  const recovery = await page.$$eval('[data-test="recovery-codes"] code', (all) => all.map((code) => code.textContent));
  check(recovery.length === 10, `there are ${recovery.length} recovery codes`);
  await visitor.press('[data-test="totp-done"]');
  await page.waitForSelector('[data-test="totp-on"]');
  await visitor.look('preferences-secured');
  return { secret, recovery };
}

/** With the second step on, the password alone opens no mail program. */
async function refusedMainPassword(visitor, login) {
  const told = await submit(visitor.baseUrl, login, PASSWORD, `anna@${DOMAIN}`).then(() => 'let in', (error) => error.message);
  check(/535|534/.test(told), `a mail program with the main password: ${told}`);
}

/** Password, then a code: a wrong one, a recovery code. */
async function signInWithCode(visitor, login, secret, recovery) {
  const { page } = visitor;
  visitor.expectRefusal(401, '/api/session');
  visitor.expectRefusal(403, '/api/session');
  await visitor.press('[data-test="sign-out"]');
  await page.waitForSelector('[data-test="login"]');
  await visitor.type('[data-test="login"]', login);
  await visitor.type('[data-test="password"]', PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-test="code"]');
  await visitor.type('[data-test="code"]', totp(secret, Date.now() - 100 * STEP_MS));
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-test="code"][aria-invalid="true"]');
  await visitor.look('sign-in-code');
  await visitor.type('[data-test="code"]', recovery[0]);
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-test="totp-on"]');
}

/** The administrator takes the second step away, and sees who is signed in. */
async function helpAfterLostPhone(admin, id) {
  const { page } = admin;
  await admin.goto('/admin/sessions');
  await page.waitForFunction((a) => document.querySelector('table')?.textContent?.includes(a), `tom@${DOMAIN}`);
  await admin.look('admin-sessions');
  await admin.goto(`/admin/accounts/${id}`);
  await page.waitForSelector('[data-test="totp-help"]');
  await admin.look('admin-account-access');
  await admin.press('[data-test="totp-help"]');
  await page.waitForSelector('dialog[open]');
  await admin.press('dialog button.danger.primary');
  await page.waitForSelector('dialog', { state: 'detached' });
  const url = new URL('/api/session', admin.baseUrl).href;
  const other = await page.context().browser().newContext({ ignoreHTTPSErrors: true });
  const answer = await other.request.post(url, { data: { login: `tom@${DOMAIN}`, password: PASSWORD } });
  await other.close();
  check(answer.ok(), `the password alone is answered ${answer.status()}`);
}
