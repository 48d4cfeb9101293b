// Parts a typed entry at the characters that are wrong. Spans count characters as people see code points, not UTF-16 units.

export interface Part {
  text: string;
  wrong: boolean;
}

export function parted(text: string, span: readonly [number, number] | null): Part[] {
  if (!span) return [{ text, wrong: false }];
  const characters = [...text];
  const piece = (from: number, to: number | undefined, wrong: boolean): Part => ({
    text: characters.slice(from, to).join(''),
    wrong,
  });
  const parts = [piece(0, span[0], false), piece(span[0], span[1], true), piece(span[1], undefined, false)];
  return parts.filter((part) => part.text !== '');
}
