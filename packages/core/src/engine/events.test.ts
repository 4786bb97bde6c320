import { recordingLogger } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { createEventHub } from './events.ts'

const warning = { code: 'TEST', message: 'only a test' }

test('a listener that throws becomes a warning in the log; the others still hear', async () => {
  const logger = recordingLogger()
  const hub = createEventHub(logger)
  const heard: string[] = []
  hub.on('warning', () => {
    throw new Error('listener is broken')
  })
  hub.on('warning', async () => {
    throw new Error('rejects later')
  })
  hub.on('warning', ({ code }) => void heard.push(code))
  hub.emit('warning', warning)
  await Promise.resolve()
  await Promise.resolve()
  expect(heard).toEqual(['TEST'])
  expect(JSON.stringify(logger.lines)).toContain('listener is broken')
  expect(JSON.stringify(logger.lines)).toContain('rejects later')
})

test('a listener that was taken off hears nothing', () => {
  const hub = createEventHub(recordingLogger())
  const heard: string[] = []
  const listener = () => void heard.push('heard')
  hub.on('warning', listener)
  hub.off('warning', listener)
  hub.emit('warning', warning)
  expect(heard).toEqual([])
})

test('a name that is no event is refused, with the one that was meant', () => {
  const hub = createEventHub(recordingLogger())
  for (const call of ['on', 'off'] as const)
    expect(() => hub[call]('waring' as 'warning', () => undefined)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTIONS',
        message: expect.stringMatching(new RegExp(`^engine\\.${call}: name is "waring"; allowed: .*"run-queued".*"warning"`)),
        remedy: 'Did you mean "warning"?',
      }),
    )
})
