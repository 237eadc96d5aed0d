// What every browser test leans on: one Chromium, a page under guard, keys instead of clicks.
// The guard fails a run on a console error, a thrown error, a request to another origin, an axe violation
// or a page wider than its window. Nothing waits for time to pass: every wait is for a condition.
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

export const LANGUAGES = ['en', 'de', 'fr', 'it', 'es'];
export const LOCALES = { en: 'en-US', de: 'de-DE', fr: 'fr-FR', it: 'it-IT', es: 'es-ES' };
const ARTEFACTS = join(import.meta.dirname, '..', 'artefacts', 'browser');
const NARROW = { width: 360, height: 740 };
const WIDE = { width: 1200, height: 860 };
const WAIT_MS = 30_000;
const TABS_MAX = 120;
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export function check(fact, what) {
  if (!fact) throw new Error(what);
}

export async function launch() {
  await mkdir(ARTEFACTS, { recursive: true });
  const executablePath = process.env.POSTROOM_CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: FLAGS });
}

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** A standard port as this server has it: all are moved by the same offset. */
export function portOf(baseUrl, standard) {
  return String(Number(new URL(baseUrl).port || 443) - 443 + standard);
}

/** A browser profile of its own whose pages are watched. */
export class Visitor {
  static all = [];

  static async open(browser, baseUrl, language) {
    const context = await browser.newContext({
      locale: LOCALES[language], ignoreHTTPSErrors: true, viewport: WIDE, colorScheme: 'light', reducedMotion: 'reduce',
      serviceWorkers: 'block',
    });
    context.setDefaultTimeout(WAIT_MS);
    const visitor = new Visitor();
    Object.assign(visitor, { context, baseUrl, origin: new URL(baseUrl).origin, language, faults: [], expected: [] });
    context.on('request', (request) => {
      if (new URL(request.url()).origin !== visitor.origin) visitor.faults.push(`request to ${request.url()}`);
    });
    await visitor.newPage();
    Visitor.all.push(visitor);
    return visitor;
  }

  async newPage() {
    this.page = await this.context.newPage();
    this.page.on('pageerror', (error) => this.faults.push(`error in the page: ${error.message}`));
    this.page.on('console', (message) => {
      if (!['error', 'warning'].includes(message.type())) return;
      const at = new URL(message.location().url || this.baseUrl).pathname;
      const meant = this.expected.some((e) => message.text().includes(`status of ${e.status}`) && at === e.path);
      if (!meant) this.faults.push(`console: ${message.text()} (${at})`);
    });
    return this.page;
  }

  /** A refusal that the test provokes: Chromium writes each 4xx into its console. */
  expectRefusal(status, path) {
    this.expected.push({ status, path });
  }

  async goto(path) {
    await this.page.goto(new URL(path, this.baseUrl).href);
    await this.heading();
  }

  async heading() {
    await this.page.waitForSelector('h1');
    return this.page.textContent('h1');
  }

  /** Waits for another heading, and that the keyboard stands on it. */
  async headingAfter(old) {
    await this.page.waitForFunction((was) => {
      const h1 = document.querySelector('h1');
      return h1 && h1.textContent !== was && document.activeElement === h1;
    }, old);
    return this.page.textContent('h1');
  }

  // ── Keys ──────────────────────────────────────────────────────────────────────────────────────

  /** Tabs to an element as a person without a mouse does. */
  async tabTo(selector) {
    for (let i = 0; i < TABS_MAX; i++) {
      if (await this.page.evaluate((s) => document.activeElement?.matches(s) ?? false, selector)) return;
      await this.page.keyboard.press('Tab');
    }
    throw new Error(`the keyboard does not reach ${selector}`);
  }

  async type(selector, text) {
    await this.tabTo(selector);
    await this.page.keyboard.press('Control+A');
    await this.page.keyboard.type(text);
  }

  async press(selector, key = 'Enter') {
    await this.tabTo(selector);
    await this.page.keyboard.press(key);
  }

  /** Sends the step on and waits for the next one. */
  async next() {
    const old = await this.page.textContent('h1');
    await this.press('[data-test="next"]');
    return this.headingAfter(old);
  }

  // ── Looks ─────────────────────────────────────────────────────────────────────────────────────

  /** Light, dark and narrow: axe in both colors, width, and pictures for people. */
  async look(name) {
    const { page } = this;
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await this.axe(`${name} (${colorScheme})`);
      if (colorScheme === 'dark') await this.picture(`${name}-dark`);
    }
    await this.picture(name);
    await page.setViewportSize(NARROW);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (over > 0) this.faults.push(`${name}: ${over} px wider than a telephone`);
    await this.axe(`${name} (narrow)`);
    await this.picture(`${name}-narrow`);
    await page.setViewportSize(WIDE);
    this.calm();
  }

  async picture(name) {
    await this.page.screenshot({ path: join(ARTEFACTS, `${this.language}-${name}.png`), fullPage: true });
  }

  async axe(where) {
    // Evaluated by the debugger: the content security policy of the page stays as strict as it is.
    await this.page.evaluate(`if (!window.axe) { ${axeSource} }`);
    const violations = await this.page.evaluate(async () => {
      const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
      const result = await window.axe.run(document, { runOnly: { type: 'tag', values: tags }, preload: false });
      return result.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html).slice(0, 3).join(' ')}`);
    });
    this.faults.push(...violations.map((v) => `axe, ${where}: ${v}`));
  }

  /** A picture of where a test failed, with what the guard saw on the way. */
  static async report() {
    for (const visitor of Visitor.all) {
      console.error(`at ${visitor.page.url()}`, visitor.faults.join('\n'));
      await visitor.picture('failed').catch((error) => console.error(`no picture: ${error.message}`));
    }
  }

  /** No fault so far, or the test ends here. */
  calm() {
    if (this.faults.length > 0) throw new Error(this.faults.join('\n'));
  }

  async close() {
    this.calm();
    await this.context.close();
    Visitor.all = Visitor.all.filter((visitor) => visitor !== this);
  }
}
