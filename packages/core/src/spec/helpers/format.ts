const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** A size as people read it: `0 B`, `512 B`, `1.5 GiB`, `340 MiB`. Binary units, three significant digits. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (Math.abs(value) >= 999.5 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2
  const text = value.toFixed(digits)
  return `${text.includes('.') ? text.replace(/\.?0+$/, '') : text} ${units[unit]}`
}

/** A duration in milliseconds as people read it: `40 ms`, `1.2 s`, `2 min 5 s`, `3 h 12 min`, `4 d 6 h`. */
export function formatDuration(milliseconds: number): string {
  const whole = Math.max(0, Math.round(milliseconds))
  if (whole < 1000) return `${whole} ms`
  if (whole < 59_950) return `${(whole / 1000).toFixed(1).replace(/\.0$/, '')} s`
  const seconds = Math.round(whole / 1000)
  const pairs: readonly (readonly [number, string, number, string])[] = [
    [86_400, 'd', 3600, 'h'],
    [3600, 'h', 60, 'min'],
    [60, 'min', 1, 's'],
  ]
  for (const [large, largeName, small, smallName] of pairs) {
    if (seconds < large) continue
    const rest = Math.floor((seconds % large) / small)
    return `${Math.floor(seconds / large)} ${largeName}${rest > 0 ? ` ${rest} ${smallName}` : ''}`
  }
  return `${seconds} s`
}
