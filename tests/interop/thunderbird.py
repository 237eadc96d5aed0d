"""Drives Debian's Thunderbird, headless, by Marionette against a box under test.

Usage: thunderbird.py HOST IMAPS_PORT LOGIN PASSWORD CERTIFICATE.pem SUBJECT [NEW_MAIL_COMMAND...]

Sets the account up as a user would have it (IMAP over TLS with the box's own certificate accepted), lists
the folders with their special uses, reads the message with SUBJECT, and, if a command is given, runs it
(it delivers another message) and waits until Thunderbird, in IDLE, shows one more message by itself.
Prints one line a fact and exits 0 only if all were seen. The profile is thrown away.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time

from marionette_driver.marionette import Marionette

PATIENCE_SECS = 240

SETUP = r"""
const [host, port, login, password, certificate] = arguments;
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const db = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
const overrides = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
overrides.rememberValidityOverride(host, port, {}, db.constructX509FromBase64(certificate), true);
const server = MailServices.accounts.createIncomingServer(login, host, "imap");
server.port = port;
server.socketType = Ci.nsMsgSocketType.SSL;
server.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
server.password = password;
const account = MailServices.accounts.createAccount();
const identity = MailServices.accounts.createIdentity();
identity.email = login;
account.addIdentity(identity);
account.incomingServer = server;
server.performExpand(null);
return server.key;
"""

FOLDERS = r"""
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.getIncomingServer(arguments[0]);
return server.rootFolder.descendants.map(f => [f.name, f.flags, f.getTotalMessages(false)]);
"""

OPEN_INBOX = r"""
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.getIncomingServer(arguments[0]);
const inbox = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
if (!inbox) return false;
inbox.updateFolder(null);
return true;
"""

SUBJECTS = r"""
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.getIncomingServer(arguments[0]);
const inbox = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
return [...inbox.messages].map(m => m.mime2DecodedSubject);
"""

BODY = r"""
const [key, subject, resolve] = arguments;
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.getIncomingServer(key);
const inbox = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
const header = [...inbox.messages].find(m => m.mime2DecodedSubject === subject);
const uri = inbox.getUriForMsg(header);
const service = MailServices.messageServiceFromURI(uri);
let text = "";
const listener = {
  QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]),
  onStartRequest() {},
  onDataAvailable(request, stream, offset, count) {
    const input = Cc["@mozilla.org/scriptableinputstream;1"].createInstance(Ci.nsIScriptableInputStream);
    input.init(stream);
    text += input.read(count);
  },
  onStopRequest() { resolve(text); },
};
service.streamMessage(uri, listener, null, null, false, "", false);
"""


def until(what, ask):
    """Asks until the answer is true, and gives it; the bound only ends a test that fails."""
    deadline = time.monotonic() + PATIENCE_SECS
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.3)
    raise SystemExit(f"FAILED: {what} was not seen")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(host, port, login, password, certificate, drive):
    """Starts Thunderbird with a profile of its own, hands drive(client, server key) the session, and ends it."""
    with open(certificate, encoding="ascii") as pem:
        base64 = "".join(line.strip() for line in pem if not line.startswith("-----"))
    control = free_port()
    with tempfile.TemporaryDirectory(prefix="postroom-thunderbird-") as profile:
        with open(os.path.join(profile, "user.js"), "w", encoding="ascii") as prefs:
            for name, value in {
                "marionette.port": control,
                "app.update.enabled": False,
                "mail.provider.suppress_dialog_on_startup": True,
                "mail.rights.version": 1,
                "datareporting.policy.dataSubmissionEnabled": False,
                "mailnews.start_page.enabled": False,
                "network.captive-portal-service.enabled": False,
                "network.connectivity-service.enabled": False,
                "extensions.update.enabled": False,
                "services.settings.server": "",
            }.items():
                prefs.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
        thunderbird = subprocess.Popen(
            ["thunderbird", "--headless", "--marionette", "-remote-allow-system-access",
             "--no-remote", "--profile", profile],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            client = Marionette(host="127.0.0.1", port=control)
            until("Marionette", lambda: reachable(control))
            client.start_session()
            client.set_context("chrome")
            client.timeout.script = PATIENCE_SECS
            key = client.execute_script(SETUP, [host, int(port), login, password, base64])
            print("account set up:", key)
            drive(client, key)
        finally:
            thunderbird.kill()
            thunderbird.wait()


def special_folders(client, key):
    """Waits for the folder list; every special use must be seen."""
    names = {"Inbox", "Drafts", "Sent", "Trash", "Junk", "Archive"}

    def folders():
        seen = client.execute_script(FOLDERS, [key])
        return seen if len(seen) >= len(names) else None

    seen = until("the folder list", folders)
    print("folders:", ", ".join(f"{name} (flags {flags:#x})" for name, flags, _ in seen))
    # nsMsgFolderFlags: Trash, SentMail, Drafts, Inbox, Archive, Junk.
    for flag in (0x100, 0x200, 0x400, 0x1000, 0x4000, 0x40000000):
        if not any(flags & flag for _, flags, _ in seen):
            raise SystemExit(f"FAILED: no folder with flag {flag:#x}")
    until("the inbox", lambda: client.execute_script(OPEN_INBOX, [key]))


def drive(client, key, subject, deliver):
    special_folders(client, key)

    def subjects():
        return client.execute_script(SUBJECTS, [key])

    until(f"the message {subject!r}", lambda: subject in subjects())
    before = len(subjects())
    body = client.execute_async_script(BODY, [key, subject])
    if "\n" not in body or "Subject:" not in body:
        raise SystemExit(f"FAILED: the message came as {body[:200]!r}")
    print(f"read {subject!r}: {len(body)} bytes, {before} messages")
    if deliver:
        subprocess.run(deliver, check=True, stdout=subprocess.DEVNULL)
        until("the new message in IDLE", lambda: len(subjects()) == before + 1)
        print("new mail shown in IDLE")
    print("OK")


def reachable(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main():
    host, port, login, password, certificate, subject, *deliver = sys.argv[1:]
    start(host, port, login, password, certificate,
          lambda client, key: drive(client, key, subject, deliver))


if __name__ == "__main__":
    main()
