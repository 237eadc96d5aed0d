// Walks through the pages of a fresh server, by keyboard, in the languages asked for.
//
//   POSTROOM_URL=https://127.0.0.1:20443 POSTROOM_SETUP_CODE=… [POSTROOM_LANGUAGE=de] node run.mjs
//       against a server that somebody else started and that was never set up;
//   POSTROOMD=path/to/postroomd [POSTROOM_LANGUAGES="en de"] node run.mjs
//       starts a fresh `postroomd serve` for each language and stops it afterwards.
import { secureAccess } from './access.mjs';
import { administer } from './admin.mjs';
import { startDaemon } from './daemon.mjs';
import { bringBack, handOutKey, manageGroups, openAddressBook, settleDomain, tellOtherSystem } from './house.mjs';
import { launch, LANGUAGES, Visitor } from './harness.mjs';
import { manageManyPeople } from './people.mjs';
import { visitPreferences } from './preferences.mjs';
import { administerDomain } from './roles.mjs';
import { walkWizard } from './wizard.mjs';

/** Thousands of people take their time: one language has them. */
const MANY_PEOPLE_IN = 'en';

async function walk(browser, url, code, language) {
  const said = (what) => console.log(`${language}: ${what}`);
  const { visitor, password } = await walkWizard(browser, url, code, language);
  said('the wizard is through');
  await administer(visitor, password);
  said('the administration is through');
  await manageGroups(visitor);
  await settleDomain(visitor);
  await handOutKey(visitor);
  await openAddressBook(visitor);
  await bringBack(visitor);
  await tellOtherSystem(visitor);
  said('groups, domains and keys are through');
  await administerDomain(browser, visitor);
  said('the administration of one domain is through');
  await secureAccess(browser, visitor);
  said('app passwords and two steps are through');
  if (language === MANY_PEOPLE_IN) {
    await manageManyPeople(visitor);
    said('5,000 people are through');
  }
  await visitPreferences(visitor, password);
  await visitor.close();
  said('sign-in and preferences are through');
}

const browser = await launch();
try {
  const { POSTROOM_URL: url, POSTROOM_SETUP_CODE: code, POSTROOMD: binary } = process.env;
  if (url && code) {
    await walk(browser, url, code, process.env.POSTROOM_LANGUAGE ?? 'de');
  } else if (binary) {
    for (const language of (process.env.POSTROOM_LANGUAGES ?? 'en de').split(' ')) {
      if (!LANGUAGES.includes(language)) throw new Error(`no such language: ${language}`);
      const daemon = await startDaemon(binary);
      try {
        await walk(browser, daemon.url, daemon.code, language);
      } finally {
        await daemon.stop();
      }
    }
  } else {
    throw new Error('set POSTROOM_URL and POSTROOM_SETUP_CODE, or POSTROOMD');
  }
} catch (error) {
  await Visitor.report();
  throw error;
} finally {
  await browser.close();
}
