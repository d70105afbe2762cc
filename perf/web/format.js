// Numbers as people read them, by the rules of `tweed-perf stats`: three digits that count.

export function short(n) {
  if (n < 9999.5) return n > 0 && n < 9.95 ? n.toFixed(1) : String(Math.round(n));
  let unit = 1, suffix = "";
  for (const next of ["k", "M", "G", "T", "P", "E"]) {
    if (n / unit < 999.5) break;
    unit *= 1000;
    suffix = next;
  }
  const value = n / unit;
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2) + suffix;
}

export const percent = (share) => (share * 100).toFixed(1) + " %";

export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s >= 86400) return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
  if (s >= 3600) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  if (s >= 60) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${s} s`;
}

export const clock = (ms) => new Date(ms).toLocaleString();
