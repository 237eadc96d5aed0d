// A person's own page: settings for the mail program, password, language, colors; signing in and out.
import { check, LANGUAGES, portOf } from './harness.mjs';
import { DOMAIN, HOSTNAME } from './wizard.mjs';

export async function visitPreferences(visitor, password) {
  await signIn(visitor, password);
  await settings(visitor);
  await forward(visitor);
  await changePassword(visitor, password);
  await everyLanguage(visitor);
  await forbiddenRooms(visitor);
}

async function signIn(visitor, password) {
  const { page } = visitor;
  await visitor.goto('/admin');
  await visitor.press('[data-test="sign-out"]');
  await page.waitForSelector('[data-test="login"]');
  visitor.expectRefusal(403, '/api/session');
  await visitor.type('[data-test="login"]', `anna@${DOMAIN}`);
  await visitor.type('[data-test="password"]', 'not her password');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.notice.bad');
  await visitor.look('sign-in');
  await visitor.type('[data-test="password"]', password);
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-test="my-language"]');
}

async function settings(visitor) {
  const text = await visitor.page.textContent('main');
  const ports = [993, 465, 143, 587].map((port) => portOf(visitor.baseUrl, port));
  for (const part of [HOSTNAME, ...ports, `anna@${DOMAIN}`]) {
    check(text?.includes(part), `the settings lack ${part}`);
  }
}

async function forward(visitor) {
  const { page } = visitor;
  visitor.expectRefusal(403, '/api/me/forwarding');
  await visitor.type('[data-test="my-forward"]', `else@elsewhere.example`);
  await visitor.press('[data-test="my-forward-save"]');
  await page.waitForSelector('[data-test="my-forward"][aria-invalid="true"]');
  await visitor.look('forward-elsewhere');
  await visitor.type('[data-test="my-forward"]', ' ');
  await visitor.press('[data-test="my-forward-save"]');
  await page.waitForSelector('.notice.good');
}

async function changePassword(visitor, password) {
  const { page } = visitor;
  visitor.expectRefusal(403, '/api/me/password');
  const fill = async (old, fresh) => {
    await visitor.type('[data-test="password-old"]', old);
    await visitor.type('[data-test="password-1"]', fresh);
    await visitor.type('[data-test="password-2"]', fresh);
    await page.keyboard.press('Enter');
  };
  await fill('wrong-wrong-wrong', 'a fresh morning walk');
  await page.waitForSelector('[data-test="password-old"][aria-invalid="true"]');
  await fill(password, 'a fresh morning walk');
  await page.waitForSelector('.notice.good');
}

async function everyLanguage(visitor) {
  const { page } = visitor;
  const own = visitor.language;
  for (const language of LANGUAGES) {
    await page.selectOption('[data-test="my-language"]', language);
    await page.waitForFunction((l) => document.documentElement.lang === l, language);
    visitor.language = `${own}-in-${language}`;
    await visitor.look('preferences');
  }
  visitor.language = own;
  // Dark by switch, whatever the system says; and it stays.
  await page.selectOption('[data-test="theme"]', 'dark');
  await page.reload();
  await page.waitForFunction(() => getComputedStyle(document.body).colorScheme === 'dark');
  await page.waitForSelector('[data-test="my-language"]');
}

async function forbiddenRooms(visitor) {
  await visitor.goto('/admin/accounts');
  await visitor.page.waitForSelector('[data-test="my-language"]');
}
