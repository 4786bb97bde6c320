import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { peerLocations, root } from './locations.ts'
import { mountsBelow } from './mounts.ts'

describe('a missing peer', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-peer-test-'))
    writeFileSync(
      join(folder, 'x.test.ts'),
      `import { expect, it } from 'vitest'
import { describeWithPeer } from '${root}/scripts/peers/test-peers.ts'
describeWithPeer('qemu-img', 'images', () => { it('converts', () => expect(1).toBe(1)) })
`,
    )
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const run = (required: boolean) =>
    spawnSync(
      process.execPath,
      [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder, '--reporter=verbose', '--no-color'],
      {
        cwd: root,
        encoding: 'utf8',
        env: { PATH: process.env.PATH, HOLDFAST_HIDE_PEERS: 'qemu-img', ...(required ? { HOLDFAST_REQUIRE_PEERS: '1' } : {}) },
      },
    )

  it('is one skipped test that names it and the command', () => {
    const { status, stdout } = run(false)
    expect(stdout).toContain('missing peer: qemu-img')
    expect(stdout).toContain('npm run peers')
    expect(stdout).toMatch(/1 skipped/)
    expect(status).toBe(0)
  })

  it('fails when peers are required', () => {
    const { status, stdout, stderr } = run(true)
    expect(stdout + stderr).toContain('missing peer: qemu-img')
    expect(stdout).toMatch(/1 failed/)
    expect(status).toBe(1)
  })
})

describe('where the peers of a checkout live', () => {
  it('is below the checkout when a socket path there is short enough', () => {
    expect(peerLocations('/home/me/holdfast').socket).toBe('/home/me/holdfast/.peers/run/docker.sock')
  })

  it('is the temporary folder, another one for each checkout, when it would be too long', () => {
    const long = `/home/${'a'.repeat(80)}`
    const [one, two] = [peerLocations(long, '/tmp'), peerLocations(`${long}b`, '/tmp')]
    expect(one.socket).toMatch(/^\/tmp\/holdfast-peers-[0-9a-f]{12}\/docker\.sock$/)
    expect(one.socket).not.toBe(two.socket)
    expect(one.data).toBe(`${long}/.peers/docker`)
  })
})

describe('what is mounted below a folder', () => {
  it('is listed deepest first, without the neighbours', () => {
    const table = ['/p', '/p/docker', '/p/docker/overlay2/x/merged', '/pq', '/p/with\\040space'].map(
      (path, index) => `${index} 1 0:1 / ${path} rw - ext4 x rw`,
    )
    expect(mountsBelow('/p', table.join('\n'))).toEqual(['/p/docker/overlay2/x/merged', '/p/with space', '/p/docker', '/p'])
  })
})
