// Enough of the engine's judgement for the editor to be tried: the real one is the engine's.

import type { Checked, Expansion, Field, Problem, Profile } from '../lib/bindings';

export function check(profile: Profile): Checked {
  const lists = (['subnets', 'excludes'] as const).flatMap((field) =>
    profile[field].map((entry, index) => judge(field, index, entry)),
  );
  return {
    problems: [...fields(profile), ...lists.flatMap(({ problem }) => problem ?? [])],
    expansions: lists.flatMap(({ expansion }) => expansion ?? []),
  };
}

function fields(profile: Profile): Problem[] {
  const problems: Problem[] = [];
  if (!profile.name) problems.push(at('name', 'Give it a name.'));
  if (!profile.builtIn && /\s/.test(profile.server))
    problems.push(at('server', 'A server has no spaces in it.'));
  if (profile.subnets.length === 0) problems.push(at('subnets', 'Say at least one network.'));
  if (/^(user|group|cgroup):$/.test(profile.capture)) problems.push(at('capture', 'Say which one.'));
  if (/:nobody-here$/.test(profile.capture)) problems.push(at('capture', 'There is none of that name.'));
  problems.push(...latencyProblems(profile.latency));
  return problems;
}

function latencyProblems(text: string): Problem[] {
  if (['', 'adaptive', 'unlimited'].includes(text)) return [];
  if (!/^\d+$/.test(text)) return [at('latency', 'How many bytes?')];
  if (Number(text) >= 4096) return [];
  return [{ ...at('latency', 'At least 4096 bytes are needed.'), suggestion: '4096' }];
}

interface Judgement {
  problem?: Problem;
  expansion?: Expansion;
}

function judge(field: Field, index: number, typed: string): Judgement {
  const match = /^(\[?[0-9a-fA-F:.]+\]?)(?:\/(\d+))?(:[\d,-]+)?$/.exec(typed);
  const address = match?.[1] ?? '';
  const parts = address.split('.');
  if (!match) return { problem: at(field, `${typed} is no network.`, index) };
  if (parts.some((part) => /^0\d/.test(part))) return { problem: leadingZero(field, index, typed) };
  if (address.includes(':')) return { expansion: { field, index, typed, means: typed, note: 'IPv6' } };
  return ipv4(field, index, typed, parts, match[2]);
}

function ipv4(
  field: Field,
  index: number,
  typed: string,
  parts: string[],
  bits: string | undefined,
): Judgement {
  const wrong = parts.find((part) => Number(part) > 255);
  if (wrong !== undefined) {
    const from = typed.indexOf(wrong);
    const span: [number, number] = [from, from + wrong.length];
    return { problem: { ...at(field, `${wrong} is more than 255.`, index), span } };
  }
  const width = bits === undefined ? 32 : Number(bits);
  if (width > 32) return { problem: at(field, `/${width} is more than the 32 bits of an address.`, index) };
  const whole = [...parts, '0', '0', '0'].slice(0, 4).join('.');
  return { expansion: { field, index, typed, means: `${whole}/${width}`, note: addresses(width) } };
}

function addresses(width: number): string {
  if (width === 0) return 'everything';
  return width === 32 ? '1 address' : `${new Intl.NumberFormat().format(2 ** (32 - width))} addresses`;
}

function leadingZero(field: Field, index: number, typed: string): Problem {
  return {
    ...at(field, `${typed} can be read two ways.`, index),
    span: [0, typed.indexOf('.')],
    suggestion: typed.replace(/(^|\.)0+(?=\d)/g, '$1'),
  };
}

function at(field: Field, message: string, index: number | null = null): Problem {
  return { field, index, span: null, message, suggestion: null };
}
