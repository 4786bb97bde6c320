import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collectingSink, memoryRunContext, sourceFrom } from '@holdfast/testkit'
import { expect, it, onTestFinished } from 'vitest'
import { diskFiles } from './disk-files-provider.ts'

it('a restored disk is for its owner only, under a new name and in place of another', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-disk-mode-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'web.img'), Buffer.alloc(65_536, 'secret'), { mode: 0o644 })
  const provider = diskFiles({ folder })
  const runOf = (run: string) => memoryRunContext({ provider, mark: { system: 's', plan: 'p', run, attempt: 1 } }).run
  const { sink, items } = collectingSink()
  const result = await provider.backup({ workload: 'web', options: {} }, sink, runOf('backup'))
  const source = sourceFrom(items, { workload: { id: 'web', name: 'web', kind: 'volume' }, kind: 'disk-files', result })
  const request = { purpose: 'recover', start: false, options: {} } as const
  await provider.restore({ ...request, name: 'new' }, source, runOf('new'))
  await provider.restore({ ...request, name: 'web', target: 'web' }, source, runOf('replace'))
  for (const name of ['new', 'web']) expect((await stat(join(folder, `${name}.img`))).mode & 0o777, name).toBe(0o600)
})
