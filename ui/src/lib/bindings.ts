// Generated from the engine's API; never edit. To update: UPDATE_BINDINGS=1 cargo test -p ropeway-engine bindings

/**
 * A file that is there and cannot be used; it is never touched.
 */
export type BrokenProfile = { file: string, failure: Failure, };

/**
 * The result of [`super::Command::Check`].
 */
export type Checked = { 
/**
 * Empty = it can be saved.
 */
problems: Array<Problem>, expansions: Array<Expansion>, };

/**
 * Stable names of failures. Adding one here makes a test fail until `words` has its words.
 */
export type Code = "E-AUTH-KEY" | "E-HOSTKEY-NEW" | "E-HOSTKEY-CHANGED" | "E-SERVER-NAME" | "E-SERVER-UNREACHABLE" | "E-SSH" | "E-SSH-MISSING" | "E-SSH-ENDED" | "E-NOEXEC" | "E-AGENT-ENDED" | "E-AGENT" | "E-PROTOCOL" | "E-SAME-MACHINE" | "E-HELPER-BUSY" | "E-HELPER-OLD" | "E-HELPER-MISSING" | "E-NOT-GRANTED" | "E-DENIED" | "E-HELPER-SETUP" | "E-FW-GONE" | "E-HOSTS" | "E-DNS-TAKEN" | "E-UNSUPPORTED" | "E-HELPER-GONE" | "E-FIREWALL" | "E-CANNOT-HOLD" | "E-RESOURCES" | "E-TOO-MANY-OPEN" | "E-PROFILE-MISSING" | "E-PROFILE-INVALID" | "E-PROFILE-FILE" | "E-PROFILE-SAVE" | "E-IMPORT" | "E-INTERNAL";

/**
 * What a face asks. Each is answered by one [`Reply`] or a [`Failure`].
 */
export type Command = { "type": "connect", profile: ProfileId, } | { "type": "disconnect", profile: ProfileId, } | { "type": "disconnectAll" } | { "type": "toggle", profile: ProfileId, } | { "type": "reconnect", profile: ProfileId, } | { "type": "run", profile: Profile, } | { "type": "check", profile: Profile, } | { "type": "save", profile: Profile, } | { "type": "delete", profile: ProfileId, } | { "type": "previewImport", text: string, } | { "type": "import", text: string, } | { "type": "closeConnection", connection: number, } | { "type": "explain", what: string, } | { "type": "status" } | { "type": "leaks", profile: ProfileId, } | { "type": "helper" } | { "type": "setUpHelper", grant: GrantScope, } | { "type": "revokeGrant", uid: number, } | { "type": "removeHelper" } | { "type": "restoreNetwork", everybody: boolean, };

/**
 * A network of this profile that goes elsewhere.
 */
export type Conflict = { 
/**
 * As typed.
 */
subnet: string, 
/**
 * "Work", "another program of yours", "another user of this computer".
 */
holder: string, };

/**
 * One connection through (or kept out of) a tunnel.
 */
export type ConnectionRow = { 
/**
 * Unique in this engine's life.
 */
id: number, profile: ProfileId, 
/**
 * Name of the program that opened it; None while unknown.
 */
app: string | null, pid: number | null, 
/**
 * Name of the user whose program it is, or the number where it has no name; None while unknown.
 */
user: string | null, 
/**
 * Where it wanted to go.
 */
address: string, port: number, 
/**
 * The target's name, when known.
 */
host: string | null, 
/**
 * The subnet of the profile that took it, as typed.
 */
rule: string, 
/**
 * Bytes from the program to the target, and back.
 */
up: number, down: number, 
/**
 * Bytes per second now.
 */
upRate: number, downRate: number, 
/**
 * Milliseconds since 1970.
 */
opened: number, closed: number | null, state: ConnectionState, };

/**
 * How a connection stands or how it ended.
 */
export type ConnectionState = "opening" | "open" | "closing" | "closed" | "refused" | "unreachable" | "timed-out" | "prohibited" | "reset" | "lost" | "direct" | "failed";

/**
 * What changed since the last one.
 */
export type ConnectionsDelta = { 
/**
 * Forget all rows first: this is the first of a subscription.
 */
snapshot: boolean, changed: Array<ConnectionRow>, 
/**
 * Closed rows that are no longer kept.
 */
gone: number[], 
/**
 * One for each profile that is not off.
 */
totals: Array<Totals>, };

/**
 * What a face hears. A subscription starts with `Profiles` and one `Status` for each profile.
 */
export type Event = { "type": "profiles", profiles: Array<Profile>, broken: Array<BrokenProfile>, } | { "type": "status", status: Status, } | { "type": "helper", helper: HelperState, } | { "type": "connections", delta: ConnectionsDelta, } | { "type": "leaks", profile: ProfileId, leaks: Leaks, } | { "type": "hosts", delta: HostsDelta, };

/**
 * What a typed subnet means.
 */
export type Expansion = { field: Field, index: number, typed: string, 
/**
 * `10.0.0.0/8`, `[fd00::/8]:443`.
 */
means: string, 
/**
 * "16 777 216 addresses", "everything".
 */
note: string, };

/**
 * What becomes of a connection, and why.
 */
export type Explained = { 
/**
 * As it was asked.
 */
asked: string, host: string, 
/**
 * The one that was named, or the usual one.
 */
port: number, 
/**
 * Why this computer knows no address for the name; empty when it does.
 */
error: string, 
/**
 * What the servers of tunnels that are up say of the name.
 */
onServers: Array<ServerView>, 
/**
 * One for each address that this computer knows.
 */
addresses: Array<ExplainedAddress>, 
/**
 * The tunnels that are up.
 */
tunnels: Array<string>, };

/**
 * What becomes of a connection to one address.
 */
export type ExplainedAddress = { address: string, 
/**
 * The profile whose tunnel takes it; none when it goes its usual way.
 */
profile: string | null, 
/**
 * The rule that decided, as typed; empty when none knows the address.
 */
rule: string, 
/**
 * In words.
 */
why: string, 
/**
 * Whether the server can connect there, tried just now; none where no tunnel takes it.
 */
server: string | null, 
/**
 * The interface by which it would leave without a tunnel.
 */
otherwise: string, };

/**
 * What went wrong, for people: the words come from [`crate::words`], by code, so that every face says the same.
 */
export type Failure = { code: Code, 
/**
 * What it is about: a server, a file, a subnet. Already in `title`.
 */
subject: string, 
/**
 * What happened to the user.
 */
title: string, 
/**
 * The likely cause and the way out.
 */
cause: string, 
/**
 * The raw line (ssh's own words, the system's error); empty when there is none.
 */
detail: string, };

/**
 * A part of the editor.
 */
export type Field = "name" | "server" | "sshCommand" | "subnets" | "excludes" | "capture" | "latency" | "domains" | "nameServers" | "nsHosts" | "seedHosts" | "suffix" | "share";

/**
 * A user who may use the helper.
 */
export type GrantRow = { uid: number, 
/**
 * Their name; the number where they have none.
 */
name: string, grant: GrantScope, 
/**
 * Whether it is the user who asks.
 */
me: boolean, };

/**
 * What an administrator has allowed.
 */
export type GrantScope = "own" | "all";

/**
 * Whether it is there, and who looks after it.
 */
export type HelperSetup = "missing" | "installed" | "packaged" | "old" | "own";

/**
 * The privileged helper as settings show it.
 */
export type HelperState = { setup: HelperSetup, 
/**
 * Of the installed one.
 */
version: string | null, 
/**
 * What this user may ask of it; root may everything.
 */
grant: GrantScope | null, 
/**
 * Everybody's.
 */
grants: Array<GrantRow>, 
/**
 * Networks of this user, and of others, that something keeps closed although no tunnel of theirs is up.
 */
leftovers: Leftovers, };

/**
 * A name that was found near a server, and what became of it.
 */
export type HostRow = { 
/**
 * Unique in this engine's life.
 */
id: number, profile: ProfileId, 
/**
 * As programs here use it: short, or with the profile's suffix.
 */
name: string, 
/**
 * As it was found.
 */
found: string, address: string, source: HostSource, 
/**
 * When it was last seen, in milliseconds since 1970.
 */
seen: number, state: HostState, };

/**
 * Where a name was found.
 */
export type HostSource = "hosts-file" | "seed" | "reverse-dns" | "netbios" | "cache";

/**
 * Whether this computer's hosts file has a name, or why not.
 */
export type HostState = "waiting" | "in-force" | "other-address" | "syntax" | "reserved" | "suffix" | "outside" | "taken" | "other-profile" | "not-allowed" | "failed";

/**
 * What changed since the last one.
 */
export type HostsDelta = { 
/**
 * Forget all rows first: this is the first of a subscription.
 */
snapshot: boolean, changed: Array<HostRow>, gone: number[], };

/**
 * What an import would do.
 */
export type ImportPreview = { 
/**
 * "sshuttle command line", "Ropeway profile".
 */
source: string, profiles: Array<ImportedProfile>, };

export type ImportedProfile = { profile: Profile, checked: Checked, notes: Array<Note>, };

/**
 * What a subscription wants besides profiles and states.
 */
export type Interest = { 
/**
 * And what goes around tunnels.
 */
connections: boolean, 
/**
 * Names that were found near servers.
 */
hosts: boolean, };

/**
 * Bytes are with the packets' headers.
 */
export type LeakCount = { packets: number, bytes: number, };

/**
 * What went around a tunnel although it went to its networks, since it was switched on.
 */
export type Leaks = { udp: LeakCount, 
/**
 * Of connections that were open before.
 */
tcp: LeakCount, 
/**
 * Pings, mostly.
 */
icmp: LeakCount, other: LeakCount, 
/**
 * All of it in words; empty when there is nothing.
 */
sentence: string, };

/**
 * What crashes left closed.
 */
export type Leftovers = { mine: number, others: number, };

/**
 * What a profile wants of names; everything as typed.
 */
export type Names = { 
/**
 * Questions to name servers are answered on the server.
 */
dns: boolean, 
/**
 * Only questions about these domains and what is below them; empty = all.
 */
domains: Array<string>, 
/**
 * Who is asked on the server, `ip` or `ip@port`; empty = the server's own name servers.
 */
nameServers: Array<string>, 
/**
 * Only questions that programs send to these name servers; empty = whichever they ask.
 */
nsHosts: Array<string>, 
/**
 * Names of computers near the server are looked for, and put into this computer's hosts file.
 */
autoHosts: boolean, 
/**
 * Names to look for in any case.
 */
seedHosts: Array<string>, 
/**
 * Put behind names that are found (`db.work`), so that two networks' do not collide; empty = nothing.
 */
suffix: string, };

export type Note = { kind: NoteKind, 
/**
 * The part of the input, literally.
 */
about: string, text: string, };

export type NoteKind = "kept" | "repaired" | "dropped" | "danger";

/**
 * The base states; `Status`'s flags refine them.
 */
export type Phase = "off" | "connecting" | "reconnecting" | "waiting" | "connected" | "paused" | "needs-you" | "error" | "set-up";

/**
 * What is wrong at which field.
 */
export type Problem = { field: Field, 
/**
 * Which entry, where the field is a list.
 */
index: number | null, 
/**
 * First and last character that are wrong (0-based, in characters, end exclusive), where it can be said.
 */
span: [number, number] | null, message: string, 
/**
 * What was probably meant; replaces the entry.
 */
suggestion: string | null, };

/**
 * A saved server and its networks, as typed by a person; nothing here is parsed yet.
 */
export type Profile = { 
/**
 * Empty for one that was never saved.
 */
id: ProfileId, name: string, 
/**
 * `[user@]host[:port]` or an alias of ~/.ssh/config; empty = this computer.
 */
server: string, 
/**
 * Instead of `ssh`: a program and its options, tokenised like a shell does, run without one. Empty = `ssh`.
 */
sshCommand: string, 
/**
 * What goes through, in the subnet grammar.
 */
subnets: Array<string>, 
/**
 * What does not.
 */
excludes: Array<string>, 
/**
 * Whose traffic, as typed: empty for one's own (root: everybody's), `everyone`, `user:NAME`, `group:NAME`,
 * `cgroup:PATH`.
 */
capture: string, 
/**
 * What happens to the traffic while the tunnel is down.
 */
whileDown: WhileDown, 
/**
 * What is done against latency, as typed: empty (or `adaptive`) to follow the link, a number of bytes that may be
 * under way, `unlimited`.
 */
latency: string, 
/**
 * Names: who answers for them, and which are looked for.
 */
names: Names, 
/**
 * What else goes through, and whose.
 */
reach: Reach, 
/**
 * "This computer": its networks can be edited, the rest is fixed, and deleting it forgets them.
 */
builtIn: boolean, };

/**
 * Names a profile: the stem of its file, `[a-z0-9-]{1,64}`, made from its name when it is first saved.
 */
export type ProfileId = string;

/**
 * What goes through beside the networks that are named, and whose traffic beside this computer's.
 */
export type Reach = { 
/**
 * The networks of the server's routing table.
 */
autoNets: boolean, 
/**
 * Also networks that this computer is in itself, which are left out otherwise.
 */
localNetworks: boolean, 
/**
 * UDP and ping.
 */
udp: boolean, 
/**
 * What comes in on these interfaces goes through as well: `containers`, `vms`, `lan`, or an interface's name.
 */
share: Array<string>, };

/**
 * The answer to a [`Command`].
 */
export type Reply = { "type": "done" } | { "type": "running", profile: ProfileId, } | { "type": "saved", profile: ProfileId, } | { "type": "checked", checked: Checked, } | { "type": "preview", preview: ImportPreview, } | { "type": "imported", profiles: Array<ProfileId>, } | { "type": "leaks", leaks: Leaks, } | { "type": "helper", helper: HelperState, } | { "type": "explained", explained: Explained, } | { "type": "statuses", profiles: Array<Profile>, statuses: Array<Status>, } | { "type": "restored", count: number, };

/**
 * What a server says of a name.
 */
export type ServerView = { profile: string, 
/**
 * Empty when it knows none.
 */
addresses: Array<string>, };

/**
 * The state of one profile, as every face renders it.
 */
export type Status = { profile: ProfileId, phase: Phase, 
/**
 * Connected, but the path is slow or a part of it does not work.
 */
degraded: boolean, 
/**
 * Connected, but no answer from the agent yet, or none for a while.
 */
unverified: boolean, 
/**
 * Traffic to the networks is held while it is down.
 */
blocking: boolean, 
/**
 * The profile says something else of its server, of ssh or of whose traffic than what runs: it needs to connect anew.
 */
outdated: boolean, 
/**
 * The state in words: "Connected", "Reconnecting (2nd try, in 8 s)".
 */
words: string, 
/**
 * What it does for the user: "Traffic to 3 networks goes through bastion.example.org."
 */
sentence: string, 
/**
 * Since when it is in this phase, milliseconds since 1970.
 */
since: number, 
/**
 * The current try, 0 when connected or off.
 */
attempt: number, 
/**
 * When it is tried again, milliseconds since 1970.
 */
nextRetry: number | null, 
/**
 * Why it is not connected, or why it was lost.
 */
failure: Failure | null, 
/**
 * Networks that another tunnel has already, and keeps.
 */
conflicts: Array<Conflict>, 
/**
 * Last measured round trip to the agent inside the tunnel, microseconds.
 */
roundTrip: number | null, };

/**
 * Sums over all connections of a profile since it connected.
 */
export type Totals = { profile: ProfileId, up: number, down: number, upRate: number, downRate: number, active: number, closed: number, };

/**
 * What happens to traffic for a profile's networks while its tunnel is switched on and not up, also after a crash.
 */
export type WhileDown = "open" | "networks" | "everything";
