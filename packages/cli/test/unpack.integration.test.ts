import { createReadStream } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { describeWithPeers } from '../../../scripts/peers/test-peers.ts'
import { syncTree } from '../src/restore/sync-tree.ts'
import { unpack } from '../src/restore/unpack.ts'
import { runProgram, temporaryFolders } from './run-command.ts'

const folders = temporaryFolders()

/** What people have in volumes: odd names, modes that forbid, holes, links of both kinds, times, set-user-id, deep and empty folders. */
const script = `
set -e
mkdir -p 'a folder/deep/deeper' empty closed
echo text > 'a folder/with blanks and ümlauts'
printf x > "$(printf 'latin1-\\344')"
printf '%0300d' 0 > "$(printf '%0150d' 7)"
mkdir -p "$(printf '%0120d' 1)/$(printf '%0120d' 2)"
echo long > "$(printf '%0120d' 1)/$(printf '%0120d' 2)/file"
ln -s ../nowhere dangling
ln -s /etc/passwd absolute
ln -s "$(printf '%0180d' 3)" long-link
ln 'a folder/with blanks and ümlauts' hard
head -c 1000000 /dev/urandom > random
: > nothing
# Only the superuser gives owners back, and so the right to act as them; and only he can put what nobody may read into an archive.
[ "$(id -u)" != 0 ] || chmod 4755 random
[ "$(id -u)" != 0 ] || chmod 0000 nothing
echo closed > closed/file
touch -d 2001-02-03T04:05:06Z closed/file 'a folder/deep' random
touch -h -d 2002-02-03T04:05:06Z dangling
chmod 0555 closed
`

describeWithPeers(['tar'], 'a second program', ({ tar }) => {
  const run = async (program: string, ...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runProgram(program, words)
    expect(code, stderr).toBe(0)
    return stdout
  }

  it.each(['gnu', 'pax', 'ustar', 'v7'])(
    'makes the same of an archive: kinds, bytes, modes, times, owners and links (%s)',
    async (format) => {
      const folder = await folders.fresh()
      const [tree, archive, ours, theirs] = ['tree', 'a.tar', 'ours', 'theirs'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
        string,
      ]
      for (const each of [tree, ours, theirs]) await mkdir(each)
      await writeFile(join(folder, 'script'), script)
      await runProgram('sh', [join(folder, 'script')], { folder: tree })
      const short = format === 'ustar' || format === 'v7' ? ['--exclude=0*', '--exclude=long-link'] : []
      await run(tar.path, '-C', tree, `--format=${format}`, ...short, '--sort=name', '-cf', archive, '.')
      await run(tar.path, '-C', theirs, '-xpf', archive)
      const superuser = process.getuid?.() === 0
      await unpack(createReadStream(archive), ours, { what: 'a', superuser })
      await syncTree(ours, { signal: new AbortController().signal })
      const listing = async (path: string) => (await run('find', path, '-printf', '%P|%y|%m|%U|%G|%n|%l|%Ts\\n')).split('\n').sort()
      expect(await listing(ours)).toEqual(await listing(theirs))
      expect((await listing(ours)).length).toBeGreaterThan(10)
      await run('diff', '-r', '--no-dereference', ours, theirs)
      // So that an ordinary user can remove them again.
      await run('chmod', '-R', 'u+w', folder)
    },
  )
})
