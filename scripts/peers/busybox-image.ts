import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from './debian-packages.ts'
import { engineRequest } from './engine-request.ts'
import { busyboxImage, type PeerLocations } from './locations.ts'

/** Puts the busybox image into the engine unless it is there. No registry is asked. Answers with whether it was imported now. */
export async function importBusybox(places: PeerLocations): Promise<boolean> {
  if ((await engineRequest(places.socket, 'GET', `/images/${busyboxImage}:latest/json`)).status === 200) return false
  const folder = join(places.folder, 'busybox')
  layOut(folder)
  try {
    const tar = spawn('tar', ['-C', folder, '--owner=0', '--group=0', '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const changes = ['ENV PATH=/bin', 'CMD ["/bin/sh"]'].map((change) => `&changes=${encodeURIComponent(change)}`).join('')
    const path = `/images/create?fromSrc=-&repo=${busyboxImage}&tag=latest${changes}`
    const answer = await engineRequest(places.socket, 'POST', path, { body: tar.stdout, type: 'application/x-tar' })
    if (answer.status !== 200 || answer.text.includes('errorDetail'))
      throw new Error(`import of ${busyboxImage}: ${answer.status} ${answer.text}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return true
}

function layOut(folder: string): void {
  const busybox = findProgram('busybox')
  if (busybox === undefined) throw new Error('busybox is not installed')
  rmSync(folder, { recursive: true, force: true })
  for (const name of ['bin', 'etc', 'root', 'tmp']) mkdirSync(join(folder, name), { recursive: true })
  chmodSync(join(folder, 'tmp'), 0o1777)
  copyFileSync(busybox, join(folder, 'bin/busybox'))
  chmodSync(join(folder, 'bin/busybox'), 0o755)
  writeFileSync(join(folder, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  writeFileSync(join(folder, 'etc/group'), 'root:x:0:\n')
  const applets = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n')
  for (const applet of applets.filter((name) => name !== 'busybox')) symlinkSync('busybox', join(folder, 'bin', applet))
}
