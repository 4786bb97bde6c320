import { bytesOf, codeOf, HoldfastError } from '@holdfast/core/spec'
import { describe, expect, it } from 'vitest'
import { fakeClock } from './fake-clock.ts'
import { type FaultRates, faultyRepository, noFaults } from './faulty-repository.ts'
import { seededRandom } from './random.ts'

const { signal } = new AbortController()
const text = (bytes: Uint8Array | undefined): string | undefined => bytes && new TextDecoder().decode(bytes)

function make(faults: Partial<FaultRates> = {}, turn?: (label: string) => Promise<void> | void, seed = 1) {
  const clock = fakeClock()
  return {
    clock,
    repository: faultyRepository({ random: seededRandom(seed), clock, faults: { ...noFaults, ...faults }, ...(turn && { turn }) }),
  }
}

async function codeThrownBy(call: Promise<unknown>): Promise<string | undefined> {
  return call.then(() => undefined, codeOf)
}

async function names(list: AsyncIterable<{ readonly path: string }>): Promise<readonly string[]> {
  const paths: string[] = []
  for await (const { path } of list) paths.push(path)
  return paths.toSorted()
}

describe('faulty repository', () => {
  it('keeps what was acknowledged over any power loss', async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const { repository } = make({}, undefined, seed)
      await repository.put('a/1/disk', bytesOf('disk'), { signal })
      await repository.put('a/manifest.1.json', bytesOf('manifest'), { signal, ifAbsent: true })
      await repository.put('a/gone', bytesOf('x'), { signal })
      await repository.delete('a/gone', { signal })
      repository.powerLoss()
      expect([...repository.snapshot().keys()], `seed ${seed}`).toEqual(['a/1/disk', 'a/manifest.1.json'])
      expect(text(repository.snapshot().get('a/1/disk'))).toBe('disk')
    }
  })

  it('loses, keeps or tears what was visible and not acknowledged', async () => {
    const outcomes = new Set<string>()
    for (let seed = 1; seed <= 100; seed++) {
      const { repository } = make({}, (label) => (label === 'put visible a/1/disk' ? repository.powerLoss() : undefined), seed)
      expect(await codeThrownBy(repository.put('a/1/disk', bytesOf('0123456789'), { signal }))).toBe('REPOSITORY_FAILED')
      const left = text(repository.snapshot().get('a/1/disk'))
      outcomes.add(left === undefined ? 'lost' : left === '0123456789' ? 'kept' : 'torn')
    }
    expect([...outcomes].toSorted()).toEqual(['kept', 'lost', 'torn'])
  })

  it('takes a write whose answer was lost for durable only after sync', async () => {
    const { repository } = make({ lostAnswer: 1 })
    expect(await codeThrownBy(repository.put('a/x', bytesOf('x'), { signal }))).toBe('TIMED_OUT')
    expect(repository.snapshot().has('a/x')).toBe(true)
    expect(repository.durable().has('a/x')).toBe(false)
    await repository.sync('a/', { signal })
    expect(repository.durable().has('a/x')).toBe(true)
  })

  it('answers EXISTS for a file of its own', async () => {
    const { repository } = make({ ownExists: 1 })
    expect(await codeThrownBy(repository.put('a/x', bytesOf('mine'), { signal, ifAbsent: true }))).toBe('EXISTS')
    expect(text(repository.snapshot().get('a/x'))).toBe('mine')
  })

  it('lets a late request arrive afterwards, unless the name is taken by then', async () => {
    const { repository } = make({ lateRequest: 1 })
    for (const path of ['a/x', 'a/y'])
      expect(await codeThrownBy(repository.put(path, bytesOf('late'), { signal, ifAbsent: true }))).toBe('TIMED_OUT')
    expect(repository.snapshot().size).toBe(0)
    repository.setFaults(noFaults)
    await repository.put('a/y', bytesOf(''), { signal, ifAbsent: true })
    expect(repository.late).toBe(2)
    expect(repository.deliverLate()).toBe(1)
    expect(text(repository.snapshot().get('a/x'))).toBe('late')
    expect(text(repository.snapshot().get('a/y'))).toBe('')
    expect(repository.durable().has('a/x')).toBe(false)
  })

  it('repeats a doubled request later', async () => {
    const { repository } = make({ doubledRequest: 1 })
    await repository.put('a/x', bytesOf('x'), { signal, ifAbsent: true })
    await repository.delete('a/x', { signal })
    expect(repository.deliverLate()).toBe(1)
    expect(text(repository.snapshot().get('a/x'))).toBe('x')
  })

  it('makes an empty file on a full disk', async () => {
    const { repository } = make({ diskFull: 1 })
    expect(await codeThrownBy(repository.put('a/x', bytesOf('x'), { signal }))).toBe('DISK_FULL')
    await repository.put('a/x', bytesOf(''), { signal, ifAbsent: true })
    expect(repository.snapshot().has('a/x')).toBe(true)
  })

  it('lags in lists, in both directions, never in open', async () => {
    const { repository, clock } = make({ listLag: 1, lagMs: 1000 })
    await repository.put('a/x', bytesOf('x'), { signal })
    expect(await names(repository.list('', { signal }))).toEqual([])
    expect((await repository.open('a/x', { signal })).size).toBe(1)
    await clock.advance(1000)
    expect(await names(repository.list('', { signal }))).toEqual(['a/x'])
    await repository.delete('a/x', { signal })
    expect(await names(repository.list('', { signal }))).toEqual(['a/x'])
    expect(await codeThrownBy(repository.open('a/x', { signal }))).toBe('NOT_FOUND')
  })

  it('takes a file away from those who read it', async () => {
    const { repository } = make()
    await repository.put('a/x', bytesOf('x'), { signal })
    const file = await repository.open('a/x', { signal })
    await repository.delete('a/x', { signal })
    expect(await codeThrownBy(file.readInto(new Uint8Array(1), 0, { signal }))).toBe('NOT_FOUND')
  })

  it('gives each worker turns of its own: one can be killed between visible and durable while the other goes on', async () => {
    const { repository } = make()
    const killed = new HoldfastError('INTERNAL', 'killed')
    const dying = repository.view((label) => {
      if (label.startsWith('put visible')) throw killed
    })
    await expect(dying.put('a/x', bytesOf('x'), { signal })).rejects.toBe(killed)
    expect([...repository.snapshot().keys()]).toEqual(['a/x'])
    expect(repository.durable().size).toBe(0)
    await repository.sync('a', { signal })
    expect(repository.durable().size).toBe(1)
  })

  it('is a function of its seed', async () => {
    async function play(seed: number): Promise<string> {
      const log: string[] = []
      const { repository } = make({ lostAnswer: 0.2, lostRequest: 0.2, diskFull: 0.2 }, (label) => void log.push(label), seed)
      for (let index = 0; index < 30; index++)
        log.push(String(await codeThrownBy(repository.put(`a/${index % 7}`, bytesOf('x'), { signal, ifAbsent: true }))))
      repository.powerLoss()
      return [...log, ...repository.snapshot().keys()].join('\n')
    }
    expect(await play(7)).toBe(await play(7))
    expect(await play(7)).not.toBe(await play(8))
  })
})
