import { fakeClock } from '@holdfast/testkit'
import { expect, it } from 'vitest'
import { showProgress } from './progress-line.ts'

function shown(columns?: number) {
  const clock = fakeClock()
  const told: string[] = []
  const { signal } = new AbortController()
  const host = { folder: '/', write: () => {}, tell: (text: string) => void told.push(text), superuser: false, clock, signal }
  return { clock, told, progress: showProgress(columns === undefined ? host : { ...host, columns }) }
}

it('a terminal has one line that is written over, with amounts, rate and time left, and is cut to its width', async () => {
  const { clock, told, progress } = shown(40)
  progress.meter.expect(400 << 20)
  progress.meter.step('verifying')
  await clock.advance(1000)
  progress.meter.add(100 << 20)
  expect(told).toEqual(['\rverifying: 100 MiB of 400 MiB, 100 MiB/'])
  progress.tell('DAMAGED x')
  expect(told.slice(1)).toEqual([`\r${' '.repeat(39)}\r`, 'DAMAGED x\n'])
  await clock.advance(1000)
  progress.end()
  progress.meter.add(1)
  expect(told).toHaveLength(3)
})

it('elsewhere there is a line each half minute, and none for what is quick', async () => {
  const { clock, told, progress } = shown()
  progress.meter.expect(6000 * 2 ** 20)
  progress.meter.step('verifying')
  for (let second = 0; second < 65; second++) {
    await clock.advance(1000)
    progress.meter.add(100 << 20)
  }
  expect(told).toHaveLength(2)
  expect(told[0]).toBe('verifying: 2.9 GiB of 5.9 GiB, 100 MiB/s, 30 s left\n')
})
