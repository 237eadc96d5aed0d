// The rooms of the administration: where they are, in which part of the house, and who may enter.
import AtSign from '@lucide/svelte/icons/at-sign';
import Gauge from '@lucide/svelte/icons/gauge';
import Globe from '@lucide/svelte/icons/globe';
import HardDrive from '@lucide/svelte/icons/hard-drive';
import Inbox from '@lucide/svelte/icons/inbox';
import Network from '@lucide/svelte/icons/network';
import ScrollText from '@lucide/svelte/icons/scroll-text';
import Send from '@lucide/svelte/icons/send';
import Undo from '@lucide/svelte/icons/undo-2';
import Users from '@lucide/svelte/icons/users';
import BookUser from '@lucide/svelte/icons/book-user';
import FileUp from '@lucide/svelte/icons/file-up';
import History from '@lucide/svelte/icons/history';
import KeyRound from '@lucide/svelte/icons/key-round';
import MonitorSmartphone from '@lucide/svelte/icons/monitor-smartphone';
import UsersRound from '@lucide/svelte/icons/users-round';
import Webhook from '@lucide/svelte/icons/webhook';
import type { Role } from '../lib/api';
import type { MessageKey } from '../lib/i18n/index.svelte';
import AccountPage from './AccountPage.svelte';
import AllSessions from './AllSessions.svelte';
import Audit from './Audit.svelte';
import Directory from './Directory.svelte';
import DomainPage from './DomainPage.svelte';
import Groups from './Groups.svelte';
import Import from './Import.svelte';
import Tokens from './Tokens.svelte';
import Webhooks from './Webhooks.svelte';
import Accounts from './Accounts.svelte';
import Aliases from './Aliases.svelte';
import Deleted from './Deleted.svelte';
import Domains from './Domains.svelte';
import Log from './Log.svelte';
import Overview from './Overview.svelte';
import Queue from './Queue.svelte';
import Sending from './Sending.svelte';
import ServerNetwork from './ServerNetwork.svelte';
import Storage from './Storage.svelte';

/** `page` shows the list; `one` what stands below it in the address line. `all`: domain administrators, too. */
export interface Room {
  to: string; name: MessageKey; icon: typeof Users; page: typeof Accounts; one?: typeof Accounts; all?: boolean;
}
export interface Wing { name: MessageKey | null; rooms: Room[] }

const WINGS: readonly Wing[] = [
  { name: null, rooms: [{ to: '/admin', name: 'admin.overview', icon: Gauge, page: Overview }] },
  { name: 'admin.wing.people', rooms: [
    { to: '/admin/accounts', name: 'admin.accounts', icon: Users, page: Accounts, one: AccountPage, all: true },
    { to: '/admin/groups', name: 'admin.groups', icon: UsersRound, page: Groups, all: true },
    { to: '/admin/aliases', name: 'admin.aliases', icon: AtSign, page: Aliases, all: true },
    { to: '/admin/deleted', name: 'admin.deleted', icon: Undo, page: Deleted, all: true },
    { to: '/admin/import', name: 'admin.import', icon: FileUp, page: Import, all: true },
  ] },
  { name: 'admin.wing.mail', rooms: [
    { to: '/admin/domains', name: 'admin.domains', icon: Globe, page: Domains, one: DomainPage, all: true },
    { to: '/admin/queue', name: 'admin.queue', icon: Inbox, page: Queue },
    { to: '/admin/sending', name: 'admin.sending', icon: Send, page: Sending },
  ] },
  { name: 'admin.wing.server', rooms: [
    { to: '/admin/network', name: 'admin.network', icon: Network, page: ServerNetwork },
    { to: '/admin/storage', name: 'admin.storage', icon: HardDrive, page: Storage },
    { to: '/admin/directory', name: 'admin.directory', icon: BookUser, page: Directory },
    { to: '/admin/log', name: 'admin.log', icon: ScrollText, page: Log },
  ] },
  { name: 'admin.wing.security', rooms: [
    { to: '/admin/audit', name: 'admin.audit', icon: History, page: Audit },
    { to: '/admin/sessions', name: 'admin.sessions', icon: MonitorSmartphone, page: AllSessions },
    { to: '/admin/tokens', name: 'admin.tokens', icon: KeyRound, page: Tokens },
    { to: '/admin/webhooks', name: 'admin.webhooks', icon: Webhook, page: Webhooks },
  ] },
];

/** What somebody of this role finds. */
export function wingsFor(role: Role | undefined): Wing[] {
  const open = (r: Room) => role === 'admin' || (role === 'domain-admin' && r.all);
  return WINGS.map((w) => ({ ...w, rooms: w.rooms.filter(open) })).filter((w) => w.rooms.length > 0);
}

/** The room of a path, and what it shows there. */
export function roomAt(path: string, wings: readonly Wing[]): { room: Room; page: typeof Accounts } | undefined {
  const here = path.replace(/\/$/, '');
  for (const room of wings.flatMap((w) => w.rooms)) {
    if (room.to === here) return { room, page: room.page };
    if (room.one && here.startsWith(`${room.to}/`) && !here.slice(room.to.length + 1).includes('/')) return { room, page: room.one };
  }
  return undefined;
}
