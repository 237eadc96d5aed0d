"""Thunderbird, headless, with the box's address book by LDAP while a letter is written.

Usage: thunderbird_people.py HOST IMAPS_PORT LOGIN PASSWORD CERTIFICATE.pem LDAPS_PORT BASE TYPED ADDRESS

Sets the address book up as its dialog would (LDAP over TLS, bound with the mail address), opens a letter,
types TYPED into its To field and waits until the field offers ADDRESS, which it then takes by Enter.
Prints one line a fact and exits 0 only if all were seen.
"""

import sys

from marionette_driver.by import By
from marionette_driver.keys import Keys
from thunderbird import start, until

BOOK = r"""
const [host, port, base, login, password, certificate, resolve] = arguments;
(async () => {
  const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
  const db = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
  const overrides = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
  overrides.rememberValidityOverride(host, port, {}, db.constructX509FromBase64(certificate), true);
  const url = `ldaps://${host}:${port}/${base}??sub?(objectclass=*)`;
  const id = MailServices.ab.newAddressBook("Office", url, Ci.nsIAbManager.LDAP_DIRECTORY_TYPE);
  const book = MailServices.ab.getDirectoryFromId(id).QueryInterface(Ci.nsIAbLDAPDirectory);
  book.authDn = login;
  book.maxHits = 100;
  Services.prefs.setBoolPref("ldap_2.autoComplete.useDirectory", true);
  Services.prefs.setCharPref("ldap_2.autoComplete.directoryServer", book.dirPrefId);
  const known = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
  known.init(book.lDAPURL.prePath, null, book.lDAPURL.spec, "", password, "", "");
  await Services.logins.addLoginAsync(known);
  return book.lDAPURL.spec;
})().then(resolve, error => resolve(`FAILED: ${error}`));
"""

COMPOSE = r"""
const [key] = arguments;
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const account = MailServices.accounts.accounts.find(a => a.incomingServer.key === key);
MailServices.compose.OpenComposeWindow(null, null, "", Ci.nsIMsgCompType.New,
  Ci.nsIMsgCompFormat.Default, account.defaultIdentity, null, null);
"""

OFFERED = r"""
const { controller } = document.getElementById("toAddrInput");
return Array.from({ length: controller.matchCount }, (_, n) => controller.getValueAt(n));
"""

TAKEN = r"""
return [...document.querySelectorAll("#toAddrContainer mail-address-pill")].map(p => p.fullAddress);
"""


def drive(client, key, certificate, host, port, base, login, password, typed, address):
    with open(certificate, encoding="ascii") as pem:
        base64 = "".join(line.strip() for line in pem if not line.startswith("-----"))
    told = client.execute_async_script(BOOK, [host, int(port), base, login, password, base64])
    if not told.startswith("ldaps:"):
        raise SystemExit(told)
    print("address book:", told)
    known = set(client.chrome_window_handles)
    client.execute_script(COMPOSE, [key])
    letter = until("the letter", lambda: set(client.chrome_window_handles) - known).pop()
    client.switch_to_window(letter)
    field = until("the To field", lambda: client.find_elements(By.ID, "toAddrInput"))[0]
    until("the field to be ready", lambda: field.is_displayed() and field.is_enabled())
    field.send_keys(typed)
    offered = until("the offer", lambda: [
        value for value in client.execute_script(OFFERED) if address in value])
    print("offered:", offered)
    field.send_keys(Keys.ENTER)
    taken = until("the recipient", lambda: client.execute_script(TAKEN))
    if not any(address in recipient for recipient in taken):
        raise SystemExit(f"FAILED: taken was {taken}")
    print("taken:", taken)
    print("OK")


def main():
    host, imaps, login, password, certificate, ldaps, base, typed, address = sys.argv[1:]
    start(host, imaps, login, password, certificate,
          lambda client, key: drive(client, key, certificate, host, ldaps, base, login, password,
                                    typed, address))


if __name__ == "__main__":
    main()
