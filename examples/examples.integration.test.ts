import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { describeWithPeer } from '../scripts/peers/test-peers.ts'
import { ask } from './01-quickstart/docker-engine.ts'

/** No engine of a user is ever found: only the one that is named here, or none. */
const noEngine = { DOCKER_HOST: 'unix:///nowhere/docker.sock', HOLDFAST_HIDE_PEERS: 'docker' }

let temporary = ''
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'holdfast-examples-'))
})
afterEach(() => rm(temporary, { recursive: true, force: true }))

/** What happens to the example when it has printed `at`. */
type Stop = { readonly at: string; readonly by: NodeJS.Signals | 'closed pipe' }

/** Runs an example as its reader does, with a temporary folder of its own. */
async function runExample(
  script: string,
  words: readonly string[] = [],
  { environment = noEngine, stop }: { readonly environment?: { readonly [name: string]: string }; readonly stop?: Stop } = {},
) {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@holdfast/source', path, ...words], {
    env: { ...process.env, TMPDIR: temporary, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let stopped = false
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (stop === undefined || stopped || !output.includes(stop.at)) return
      stopped = true
      if (stop.by === 'closed pipe') child.stdout.destroy()
      else child.kill(stop.by)
    })
  const [code] = await once(child, 'exit')
  if (!child.stderr.closed) await once(child.stderr, 'close')
  if (!child.stdout.closed) await once(child.stdout, 'close')
  return { code, output, last: output.trimEnd().split('\n').at(-1) ?? '' }
}

describe('01-quickstart without an engine', () => {
  test('a disk image goes there and back; the last line says what, how much and "identical"', async () => {
    const { code, last, output } = await runExample('01-quickstart/main.ts')
    expect(last, output).toBe('disk image shop.img, 96 MiB: identical')
    expect(code).toBe(0)
    expect(output).toContain('was killed (SIGKILL)')
    expect(output).toContain('Of this run, after:  no disk image, no temporary folder\n')
    expect(await readdir(temporary)).toEqual([])
  })

  test('--prove ends with "different" and 1', async () => {
    const { code, last, output } = await runExample('01-quickstart/main.ts', ['--prove'])
    expect(last, output).toBe('disk image shop.img, 96 MiB: different')
    expect(code).toBe(1)
    expect(await readdir(temporary)).toEqual([])
  })

  test.each([
    { at: ' 2.', by: 'SIGTERM' },
    { at: ' 5.', by: 'SIGINT' },
    { at: ' 8.', by: 'SIGHUP' },
  ] as const)('$by in step$at leaves nothing', async (stop) => {
    const { code, output } = await runExample('01-quickstart/main.ts', [], { stop })
    expect(code, output).toBe(130)
    expect(output).not.toContain('identical')
    expect(await readdir(temporary)).toEqual([])
  })

  test.each([' 2.', ' 5.'])('a closed pipe in step%s leaves nothing', async (at) => {
    const { code, output } = await runExample('01-quickstart/main.ts', [], { stop: { at, by: 'closed pipe' } })
    expect(code, output).toBe(1)
    expect(output).not.toContain('identical')
    expect(output).not.toContain('EPIPE')
    expect(await readdir(temporary)).toEqual([])
  })

  test('a word that is not known ends with 2 and a list of what there is', async () => {
    const { code, output } = await runExample('01-quickstart/main.ts', ['--proof'])
    expect(code, output).toBe(2)
    expect(output).toMatch(/--proof[\s\S]*--prove[\s\S]*--disk[\s\S]*--help/)
    expect(output).not.toContain('1. ')
    expect((await runExample('01-quickstart/main.ts', ['--help'])).code).toBe(0)
  })
})

describe('02-disk-files', () => {
  test('a full and an increment, restored, are identical for other programs', async () => {
    const { code, last, output } = await runExample('02-disk-files/main.ts')
    expect(last, output).toBe('web.img, 2 points: identical')
    expect(code).toBe(0)
    expect(output).toContain('incremental (compared with the sums of')
    expect(await readdir(temporary)).toEqual([])
  })
})

describe('03-embed-in-a-service', () => {
  test('a service is asked over HTTP, stopped in the middle of a run and started again; what it restores is identical', async () => {
    const { code, last, output } = await runExample('03-embed-in-a-service/check.ts')
    expect(last, output).toBe('web.img, 2 points: identical')
    expect(code).toBe(0)
    expect(output).toMatch(/DELETE \/runs\/http-second: 202\n[\s\S]* cancelled\n/)
    expect(await readdir(temporary)).toEqual([])
  })
})

describeWithPeer('docker', '01-quickstart with an engine', ({ socket }) => {
  const environment = { DOCKER_HOST: `unix://${socket}` }
  const marked = async () => {
    const containers = await ask<readonly { Labels: object }[]>(socket, 'GET', '/containers/json?all=1')
    const { Volumes: volumes } = await ask<{ Volumes: readonly { Labels: object | null }[] | null }>(socket, 'GET', '/volumes')
    return JSON.stringify([...containers, ...(volumes ?? [])].map(({ Labels: labels }) => labels))
  }

  test.each(['closed pipe', 'SIGHUP'] as const)('a stop by %s leaves nothing on the engine', async (by) => {
    const { code, output } = await runExample('01-quickstart/main.ts', [], { environment, stop: { at: ' 4.', by } })
    expect(code, output).toBe(by === 'SIGHUP' ? 130 : 1)
    const unique = /holdfast-quickstart=(\w+)/.exec(output)?.[1] ?? 'not printed'
    expect(await marked()).not.toContain(unique)
    expect(await readdir(temporary)).toEqual([])
  })

  test('--disk does not say that there is no engine', async () => {
    const { code, output } = await runExample('01-quickstart/main.ts', ['--disk'], { environment, stop: { at: ' 1.', by: 'SIGTERM' } })
    expect(code, output).toBe(130)
    expect(output).toContain('a disk image, as --disk asks')
    expect(output).not.toContain('no Docker engine')
  })

  test('a volume goes there and back, and nothing is left on the engine', async () => {
    const { code, last, output } = await runExample('01-quickstart/main.ts', [], { environment })
    expect(last, output).toMatch(/^Docker volume shop-db-\w+, 41\.\d MiB: identical$/)
    expect(code).toBe(0)
    expect(output).toMatch(/left behind: no other volume, 1 container, 1 image/)
    expect(output).toContain('Of this run, after:  no volume, no container, no image, no temporary folder\n')
    expect(await readdir(temporary)).toEqual([])
  })

  test('--prove ends with "different" and 1', async () => {
    const { code, last, output } = await runExample('01-quickstart/main.ts', ['--prove'], { environment })
    expect(last, output).toMatch(/: different$/)
    expect(code).toBe(1)
  })

  test('the code in the README protects a volume and restores it under another name', async () => {
    const volume = `readme-${temporary.slice(-6)}`
    await ask(socket, 'POST', '/volumes/create', { Name: volume, Labels: { kept: 'yes' } })
    try {
      const { code, output, last } = await runExample('01-quickstart/protect-volume.ts', [volume, temporary, socket])
      expect(code, output).toBe(0)
      expect(last).toContain(`as the volume ${volume}-restored`)
      const { Labels: labels } = await ask<{ Labels: object }>(socket, 'GET', `/volumes/${volume}-restored`)
      expect(labels).toMatchObject({ kept: 'yes' })
    } finally {
      for (const name of [volume, `${volume}-restored`]) await ask(socket, 'DELETE', `/volumes/${name}`).catch(() => undefined)
    }
  })
})
