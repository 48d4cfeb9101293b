// Numbers, amounts and times as people read them. Everything goes through Intl, so that the desktop's language
// decides on separators; units are the SI ones, which are the same in every language.

export interface Amount {
  value: string;
  unit: string;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
const STEP = 1000;

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const clockTime = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** `4.2 MB`, `57.0 kB`, `478 kB`: three figures at most, so that a column of them stays narrow. */
export function amount(bytes: number): Amount {
  let power = 0;
  let scaled = bytes;
  while (shown(scaled, power) >= STEP && power < UNITS.length - 1) {
    scaled /= STEP;
    power += 1;
  }
  const format = power > 0 && scaled < 99.95 ? tenths : whole;
  return { value: format.format(scaled), unit: UNITS[power] ?? '' };
}

/** What the rounding will make of it: 999.7 kB would be shown as 1000 kB and is one megabyte instead. */
function shown(scaled: number, power: number): number {
  return power > 0 && scaled < 99.95 ? scaled : Math.round(scaled);
}

export function bytes(n: number): string {
  const { value, unit } = amount(n);
  return `${value} ${unit}`;
}

export function perSecond(n: number): string {
  return `${bytes(n)}/s`;
}

export function count(n: number): string {
  return whole.format(n);
}

/** `3 networks`, `1 network`. */
export function counted(n: number, one: string, many: string): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** One unit, for a table: `4 s`, `26 m`, `1 h`, `3 d`. */
export function age(ms: number): string {
  if (ms < MINUTE) return `${count(Math.max(0, Math.floor(ms / SECOND)))} s`;
  if (ms < HOUR) return `${count(Math.floor(ms / MINUTE))} m`;
  if (ms < DAY) return `${count(Math.floor(ms / HOUR))} h`;
  return `${count(Math.floor(ms / DAY))} d`;
}

/** Two units, for a sentence: `14 s`, `26 m`, `2 h 14 m`, `3 d 4 h`. */
export function span(ms: number): string {
  if (ms < HOUR) return age(ms);
  if (ms < DAY) return `${age(ms)} ${Math.floor((ms % HOUR) / MINUTE)} m`;
  return `${age(ms)} ${Math.floor((ms % DAY) / HOUR)} h`;
}

export function timeOfDay(ms: number): string {
  return clockTime.format(ms);
}

/** Microseconds as `38 ms`, `0.4 ms`. */
export function roundTrip(us: number): string {
  const ms = us / 1000;
  return `${(ms < 10 ? tenths : whole).format(ms)} ms`;
}

/** A host name parted where the eye should rest: `wiki` and `.corp.example`. */
export function hostParts(host: string): { name: string; domain: string } {
  const dot = host.indexOf('.');
  if (dot <= 0 || /^[\d.]+$/.test(host)) return { name: host, domain: '' };
  return { name: host.slice(0, dot), domain: host.slice(dot) };
}

/** An address as one types it with a port: `[2001:db8::1]:443`. */
export function endpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The host of `[user@]host[:port]`, for a label. */
export function hostOf(server: string): string {
  const host = server.slice(server.lastIndexOf('@') + 1);
  const bracketed = /^\[(.*)\]/.exec(host);
  if (bracketed) return bracketed[1] ?? host;
  return host.split(':').length === 2 ? (host.split(':')[0] ?? host) : host;
}

/** The last part of a path. */
export function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
