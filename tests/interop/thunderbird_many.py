"""Drives Debian's Thunderbird, headless, through a large INBOX.

Usage: thunderbird_many.py HOST IMAPS_PORT LOGIN PASSWORD CERTIFICATE.pem COUNT NEW_MAIL_COMMAND...

INBOX holds COUNT letters ("INBOX letter N", "needleN" in their text, N modulo 1000), Archive 200. All headers
are synchronised; 50 messages are moved into a new folder Projects, 10 deleted (into Trash); the server searches
bodies; Archive is downloaded and read with the network off; a new message comes while INBOX idles.
"""

import subprocess
import sys
import time

from thunderbird import BODY, special_folders, start, until

FOLDER = r"""
const [key, name, wanted] = arguments;
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const root = MailServices.accounts.getIncomingServer(key).rootFolder;
const folder = root.descendants.find(f => f.name === name || (name === "INBOX" && f.flags & 0x1000));
"""

UPDATE = FOLDER + "if (!folder) return false; folder.updateFolder(null); return true;"

# Headers that are here, without asking for a list of them.
COUNT = FOLDER + r"""
if (!folder) return -1;
let count = 0;
for (const _ of folder.messages) count++;
return count;
"""

CREATE = FOLDER + 'root.createSubfolder("Projects", null); return true;'

MOVE = FOLDER + r"""
const resolve = arguments[arguments.length - 1];
const target = root.descendants.find(f => f.name === "Projects");
const some = [...folder.messages].filter(m => /letter \d*[05]$/.test(m.subject)).slice(0, wanted);
MailServices.copy.copyMessages(folder, some, target, true, {
  QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]),
  onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null; },
  onStopCopy(status) { resolve(status); },
}, null, true);
"""

DELETE = FOLDER + r"""
const resolve = arguments[arguments.length - 1];
const some = [...folder.messages].filter(m => /letter \d*7$/.test(m.subject)).slice(0, wanted);
folder.deleteMessages(some, null, false, false, {
  QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]),
  onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null; },
  onStopCopy(status) { resolve(status); },
}, true);
"""

SEARCH = FOLDER + r"""
const resolve = arguments[arguments.length - 1];
const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folder);
const term = session.createTerm();
term.attrib = Ci.nsMsgSearchAttrib.Body;
term.op = Ci.nsMsgSearchOp.Contains;
const value = term.value;
value.attrib = term.attrib;
value.str = wanted;
term.value = value;
term.booleanAnd = true;
session.appendTerm(term);
let hits = 0;
session.registerListener({
  QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]),
  onSearchHit() { hits++; }, onSearchDone() { resolve(hits); }, onNewSearch() {},
}, Ci.nsIMsgSearchSession.allNotifications);
session.search(null);
"""

DOWNLOAD = FOLDER + r"""
const resolve = arguments[arguments.length - 1];
folder.setFlag(Ci.nsMsgFolderFlags.Offline);
folder.downloadAllForOffline({
  QueryInterface: ChromeUtils.generateQI(["nsIUrlListener"]),
  OnStartRunningUrl() {}, OnStopRunningUrl(url, status) { resolve(status); },
}, null);
"""

OFFLINE_COUNT = FOLDER + r"""
let count = 0;
for (const m of folder.messages) if (m.flags & Ci.nsMsgMessageFlags.Offline) count++;
return count;
"""

NETWORK = "Services.io.offline = arguments[0]; return Services.io.offline;"


def main():
    host, port, login, password, certificate, count, *deliver = sys.argv[1:]
    start(host, port, login, password, certificate,
          lambda client, key: drive(client, key, int(count), deliver))


def drive(client, key, count, deliver):
    began = time.monotonic()

    def say(what):
        print(f"{time.monotonic() - began:6.1f} s  {what}")

    def here(folder):
        return client.execute_script(COUNT, [key, folder])

    def looked_at(folder):
        # As a person who clicks on it again: an update that comes while another runs is dropped.
        client.execute_script(UPDATE, [key, folder])
        time.sleep(1)
        return here(folder)

    special_folders(client, key)
    until(f"{count} headers", lambda: here("INBOX") == count)
    say(f"{count} headers synchronised")

    client.execute_script(CREATE, [key, "INBOX"])
    until("the new folder", lambda: here("Projects") == 0)
    status = client.execute_async_script(MOVE, [key, "INBOX", 50])
    until("fewer messages", lambda: here("INBOX") == count - 50)
    until("the moved messages", lambda: looked_at("Projects") == 50)
    say(f"50 messages moved (status {status:#x})")

    status = client.execute_async_script(DELETE, [key, "INBOX", 10])
    until("10 messages less", lambda: here("INBOX") == count - 60)
    until("the deleted messages in Trash", lambda: looked_at("Trash") == 10)
    say(f"10 messages deleted into Trash (status {status:#x})")

    hits = client.execute_async_script(SEARCH, [key, "INBOX", "needle123."])
    if hits != round(count / 1000):
        raise SystemExit(f"FAILED: the server found {hits} messages, not {round(count / 1000)}")
    say(f"search on the server: {hits} hits")

    until("the headers of Archive", lambda: looked_at("Archive") == 200)
    client.execute_async_script(DOWNLOAD, [key, "Archive"])
    until("Archive on this side",
          lambda: client.execute_script(OFFLINE_COUNT, [key, "Archive"]) == 200)
    say("200 messages downloaded")

    client.execute_script(UPDATE, [key, "INBOX"])
    subprocess.run(deliver, check=True, stdout=subprocess.DEVNULL)
    until("the new message in IDLE", lambda: here("INBOX") == count - 59)
    say("new mail shown in IDLE")

    client.execute_script(NETWORK, [True])
    archive = BODY.replace("getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox)",
                           'descendants.find(f => f.name === "Archive")')
    body = client.execute_async_script(archive, [key, "Archive letter 77"])
    if "Text 77 with needle77." not in body:
        raise SystemExit(f"FAILED: offline the message is {body[:200]!r}")
    say("read with the network off")
    print("OK")


main()
