import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** What another program says: undefined if it is not installed. Nothing of Holdfast takes part. */
function run(program: string, words: readonly string[], folder = '.'): Promise<{ readonly good: boolean; readonly text: string } | undefined> {
  return new Promise((resolve) => {
    execFile(program, [...words], { cwd: folder }, (error, stdout, stderr) =>
      resolve(error?.code === 'ENOENT' ? undefined : { good: error === null, text: `${stdout}${stderr}`.trim() }),
    )
  })
}

/** `sha256sum` reads the list of sums of each package in a repository, as it reads any other one. */
export async function checkPackages(repository: string, say: (line: string) => void): Promise<boolean> {
  const lists = (await readdir(repository, { recursive: true })).filter((path) => path.endsWith('.mf'))
  let good = lists.length > 0
  for (const list of lists.map((path) => join(repository, path))) {
    // An OVF package says "SHA256(file)= sum", which is how OpenSSL writes it and `sha256sum -c` takes it.
    const answer = await run('sha256sum', ['-c', list], dirname(list))
    say(answer?.text ?? 'sha256sum is not installed')
    good &&= answer?.good === true
  }
  return good
}

/** `qemu-img` compares two disks, whatever their formats; without it raw ones are compared by `cmp`. */
export async function compareDisks(original: string, restored: string, say: (line: string) => void): Promise<boolean> {
  const answer = (await run('qemu-img', ['compare', original, restored])) ?? (await run('cmp', [original, restored]))
  say(answer === undefined ? 'neither qemu-img nor cmp is installed' : answer.text || 'no difference')
  return answer?.good === true
}
