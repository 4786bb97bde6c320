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

/** Runs an example as its reader does, with a temporary folder of its own. `stopAt`: gets SIGTERM when it has printed this. */
async function runExample(
  script: string,
  words: readonly string[] = [],
  { environment = noEngine, stopAt }: { readonly environment?: { readonly [name: string]: string }; readonly stopAt?: string } = {},
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
      if (stopAt === undefined || stopped || !output.includes(stopAt)) return
      stopped = true
      child.kill('SIGTERM')
    })
  const [code] = await once(child, 'close')
  return { code, output, last: output.trimEnd().split('\n').at(-1) ?? '' }
}

describe('01-quickstart without an engine', () => {
  test('a disk image goes there and back; the last line says what, how much and "identical"', async () => {
    const { code, last, output } = await runExample('01-quickstart/main.ts')
    expect(last, output).toBe('disk image shop.img, 96 MiB: identical')
    expect(code).toBe(0)
    expect(output).toContain('was killed (SIGKILL)')
    expect(output).toContain('There after:  no disk image, no temporary folder\n')
    expect(await readdir(temporary)).toEqual([])
  })

  test('--prove ends with "different" and 1', async () => {
    const { code, last, output } = await runExample('01-quickstart/main.ts', ['--prove'])
    expect(last, output).toBe('disk image shop.img, 96 MiB: different')
    expect(code).toBe(1)
    expect(await readdir(temporary)).toEqual([])
  })

  test.each([' 2.', ' 5.', ' 8.'])('a signal in step%s leaves nothing', async (stopAt) => {
    const { code, output } = await runExample('01-quickstart/main.ts', [], { stopAt })
    expect(code, output).toBe(130)
    expect(output).not.toContain('identical')
    expect(await readdir(temporary)).toEqual([])
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

describeWithPeer('docker', '01-quickstart with an engine', ({ socket }) => {
  const environment = { DOCKER_HOST: `unix://${socket}` }

  test('a volume goes there and back, and nothing is left on the engine', async () => {
    const { code, last, output } = await runExample('01-quickstart/main.ts', [], { environment })
    expect(last, output).toMatch(/^Docker volume shop-db-\w+, 41\.\d MiB: identical$/)
    expect(code).toBe(0)
    expect(output).toMatch(/left behind: no other volume, 1 container, 1 image/)
    expect(output).toContain('There after:  no volume, no container, no image, no temporary folder\n')
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
